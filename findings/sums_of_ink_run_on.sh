#!/usr/bin/env bash
# tracking.js makes integral images: each pixel has the sum of all ink above it and to the left. But
# at the left edge, where nothing is to the left, it takes the last sums of the rows above for those
# on the left. So the ink of each row is added once more in every row below it. A digit 7 with 100
# of ink has 500. Differences within a row, and so the ink of a rectangle that does not touch the
# left edge, are right; of one that touches it, the ink is too much as soon as there is any ink
# above its last row.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts tracking@1.1.3

cat > sums.js <<'NODE'
const assert = require("node:assert");
globalThis.window = globalThis; // it is made for browsers
globalThis.navigator ??= {};
require("tracking");

const SEVEN = [
  "........", ".######.", ".....#..", "....#...", "...#....", "..#.....", "........",
];
const [WIDTH, HEIGHT] = [8, 7];
const ink = SEVEN.map((row) => [...row].map((sign) => (sign === "#" ? 10 : 0)));

/** Return the ink of a rectangle, from left and top up to, but without, right and bottom. */
const countInk = (left, top, right, bottom) =>
  ink.slice(top, bottom).flatMap((row) => row.slice(left, right)).reduce((a, b) => a + b, 0);

const pixels = new Uint8ClampedArray(ink.flat().flatMap((grey) => [grey, grey, grey, 255]));
const sums = new Int32Array(WIDTH * HEIGHT);
window.tracking.Image.computeIntegralImage(pixels, WIDTH, HEIGHT, sums);
const sumAt = (x, y) => (x < 0 || y < 0 ? 0 : sums[y * WIDTH + x]);

/** Return the same, by the sums at its four corners. */
const fourCorners = (left, top, right, bottom) => sumAt(right - 1, bottom - 1)
  - sumAt(left - 1, bottom - 1) - sumAt(right - 1, top - 1) + sumAt(left - 1, top - 1);

console.log("version: tracking 1.1.3");
console.log("guess: each pixel has the sum of the ink above it and to the left, and its own");
let before = 0; // what comes from the row above
for (let y = 0; y < HEIGHT; y++) {
  const right = ink[y].map((_, x) => countInk(0, 0, x + 1, y + 1));
  const seen = [...sums.slice(y * WIDTH, (y + 1) * WIDTH)];
  console.log(`row ${y}: right: ${right.join(" ")}; seen: ${seen.join(" ")}`);
  assert.deepStrictEqual(seen, right.map((sum) => sum + before), "it sums otherwise now");
  before += countInk(0, 0, WIDTH, y + 1);
}
const all = countInk(0, 0, WIDTH, HEIGHT);
console.log(`seen: the ink of the digit is ${sums[WIDTH * HEIGHT - 1]}, where ${all} is right`);
assert.deepStrictEqual([all, sums[WIDTH * HEIGHT - 1]], [100, 500]);

for (const corners of [[1, 1, 7, 2], [1, 0, 8, 7], [3, 3, 5, 5], [2, 4, 8, 7]]) {
  assert.strictEqual(fourCorners(...corners), countInk(...corners), "rectangles fail now");
}
console.log("4 rectangles that do not touch the left edge: right");
const lower = [0, 3, 5, 7];
console.log(`the lower left part: ${countInk(...lower)} is right; seen: ${fourCorners(...lower)}`);
assert.deepStrictEqual([countInk(...lower), fourCorners(...lower)], [30, 370]);
NODE
node sums.js
