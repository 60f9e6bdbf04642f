#!/usr/bin/env bash
# Asked to split a grey picture at 0.5, canvas-filters makes white all that is brighter than 0.21.
# It means to compare the mean of red, green and blue with the threshold, but divides only blue by
# 3: r + g + b / 3. Dark grey paper (60 of 255) becomes as white as the digit on it, and with 1, at
# which nothing should be brighter than white, greys from 110 on are white. Its own conversion to
# greys and its split into 2 levels are right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts canvas-filters@1.0.1

cat > split.js <<'NODE'
const assert = require("node:assert");
const filters = require("canvas-filters");

/** Return an empty picture, as a browser has it. */
const empty = (width, height) =>
  ({ width, height, data: new Uint8ClampedArray(width * height * 4) });
filters.utils.createImageData = empty;

/** Return a picture of greys. */
function picture(rows) {
  const image = empty(rows[0].length, rows.length);
  image.data.set(rows.flat().flatMap((grey) => [grey, grey, grey, 255]));
  return image;
}

/** Return the greys of a picture. */
const greys = ({ width, height, data }) => Array.from({ length: height }, (_, y) =>
  Array.from({ length: width }, (_, x) => data[(y * width + x) * 4]));

const all = [Array.from({ length: 256 }, (_, grey) => grey)];
const firstWhite = (image) => greys(image)[0].indexOf(255); // -1: none

console.log("version: canvas-filters 1.0.1");
console.log("guess: greys brighter than the threshold, a share of 255, become white, others black");
for (const [threshold, right, seen] of [
  [0.25, 64, 28], [0.5, 128, 55], [0.75, 192, 82], [1, -1, 110],
]) {
  const first = firstWhite(filters.Binarize(picture(all), threshold));
  console.log(`seen: ${threshold}: white from ${first} on (${right} is right, -1 is never)`);
  assert.strictEqual(first, seen, "it is split otherwise now");
}

const seven = ["......", ".####.", "...#..", "..#...", ".#....", "......"];
const digit = seven.map((row) => [...row].map((sign) => (sign === "#" ? 240 : 60)));
const split = greys(filters.Binarize(picture(digit), 0.5));
console.log(`seen: a digit of 240 on 60: ${split.flat().filter((grey) => grey === 255).length}`
  + ` of 36 pixels are white, where ${seven.join("").split("#").length - 1} are right`);
assert(split.flat().every((grey) => grey === 255), "the paper is black now");

assert.deepStrictEqual(greys(filters.GrayScale(picture(digit))), digit);
const levels = greys(filters.Posterize(picture(digit), 2));
assert.deepStrictEqual(levels, digit.map((row) => row.map((grey) => (grey === 240 ? 255 : 0))));
console.log("2 levels of the same digit: right");
NODE
node split.js
