#!/usr/bin/env bash
# distance-transform gives distances that no two pixels have: in a picture of 3 x 3 pixels, the
# square root of 3. It writes each line of its answer over the numbers from which it computes that
# line. Around the 0 that is drawn here, 138 of 784 distances are too short, by up to 1.14 pixels.
# ball-morphology rests on its older version 0.1.0, which does the same: dilated by 3, this 0 gets
# thicker than it was asked. Distances by steps along rows and columns, p = 1, are right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
    distance-transform@1.0.2 ball-morphology@0.1.0 ndarray@1.1.1

cat > measure.cjs <<'NODE'
const assert = require("node:assert");
const distanceTransform = require("distance-transform");
const morphology = require("ball-morphology");
const ndarray = require("ndarray");

/** Return the distance from each pixel to the nearest ink, by trying all of the ink. */
function byTrying(pixels, width) {
  const ink = [...pixels.keys()].filter((at) => pixels[at]);
  const row = (at) => Math.floor(at / width);
  const apart = (a, b) => Math.hypot((a % width) - (b % width), row(a) - row(b));
  return pixels.map((_, at) => Math.min(...ink.map((to) => apart(at, to))));
}

/** Return the same distances by the library; `p` is 2, and 1 for steps along rows and columns. */
function byLibrary(pixels, width, p) {
  const picture = ndarray(Float64Array.from(pixels), [pixels.length / width, width]);
  return [...distanceTransform(picture, p).data];
}

/** Return a 0 of 28 x 28 pixels: an ellipse, drawn with a pen that is 3 pixels wide. */
function drawZero() {
  return Array.from({ length: 784 }, (_, at) => {
    const [y, x] = [Math.floor(at / 28) - 13.5, (at % 28) - 13.5]; // from the middle
    return Math.abs(Math.hypot(y, 1.5 * x) - 9) < 1.5 ? 1 : 0;
  });
}

const rounded = (numbers) => numbers.map((number) => number.toFixed(3)).join(" ");
console.log("versions: distance-transform 1.0.2, ball-morphology 0.1.0");
console.log("guess: each pixel gets the distance to the ink that is nearest to it");
const small = [0, 0, 0, 1, 0, 0, 0, 1, 0];
console.log("right:", rounded(byTrying(small, 3)));
console.log("seen: ", rounded(byLibrary(small, 3, 2)));
assert(Math.abs(byLibrary(small, 3, 2)[2] - Math.sqrt(3)) < 1e-9, "it is another number now");
assert(Math.abs(byTrying(small, 3)[2] - Math.sqrt(5)) < 1e-9);
console.log("seen: in steps, p = 1:", byLibrary(small, 3, 1).join(" "));
assert.deepStrictEqual(byLibrary(small, 3, 1), [1, 2, 3, 0, 1, 2, 1, 0, 1], "p = 1 was right");

const zero = drawZero();
const right = byTrying(zero, 28);
const errors = byLibrary(zero, 28, 2).map((seen, at) => seen - right[at]);
const wrong = errors.filter((error) => Math.abs(error) > 1e-9);
const worst = Math.min(...wrong).toFixed(2);
console.log(`seen: a 0: ${wrong.length} of 784 distances are wrong, by up to ${worst}`);
assert(wrong.length > 40 && wrong.every((error) => error < 0), "they are not too short any more");

for (const [radius, isRight] of [[1, true], [2, false], [3, false]]) {
  const seen = morphology.dilate(ndarray(Float64Array.from(zero), [28, 28]), radius).data;
  const count = seen.reduce((sum, pixel) => sum + pixel);
  const expected = right.filter((distance) => distance <= radius).length;
  console.log(`seen: dilated by ${radius}: ${count} pixels of ink, expected ${expected}`);
  assert.strictEqual(count === expected, isRight, "it dilates otherwise now");
}
NODE
node measure.cjs
