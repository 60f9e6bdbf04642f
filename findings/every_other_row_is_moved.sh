#!/usr/bin/env bash
# canvas-filters enlarges an upright stroke to one with teeth: of the four pixels around a place
# between rows, its bilinear way takes the lower two one pixel too far to the left. In a stroke of
# twice the size, every other row is the mean of the stroke and of the stroke two pixels farther to
# the right, and so it is wider and not as bright. Made wider alone, the stroke is right, since no
# lower row is needed then. Enlarged by its nearest pixels, it is right as well.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts canvas-filters@1.0.1

cat > enlarge.js <<'NODE'
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

const SIZE = 6;
const stroke = Array.from({ length: SIZE }, () => [0, 0, 200, 0, 0, 0]);
const right = [0, 0, 0, 100, 200, 100, 0, 0, 0, 0]; // without the last pixel, beyond which is none
const moved = [0, 0, 0, 50, 100, 100, 100, 50, 0, 0];

console.log("version: canvas-filters 1.0.1");
console.log("guess: all rows of an upright stroke are alike, enlarged as well");
const seen = greys(filters.Resize(picture(stroke), SIZE * 2, SIZE * 2));
for (const y of [2, 3, 4, 5]) console.log(`seen: row ${y}: ${seen[y].join(" ")}`);
for (let y = 0; y < SIZE * 2 - 2; y++) {
  assert.deepStrictEqual(seen[y].slice(0, 10), y % 2 ? moved : right, "it is enlarged otherwise");
}
const wider = greys(filters.Resize(picture(stroke), SIZE * 2, SIZE));
console.log(`made wider alone: row 2: ${wider[2].join(" ")}; row 3: ${wider[3].join(" ")}`);
assert(wider.slice(0, SIZE - 1).every((row) => row.slice(0, 10).join() === right.join()));
const nearest = greys(filters.ResizeNearestNeighbor(picture(stroke), SIZE * 2, SIZE * 2));
console.log(`nearest pixels: row 2: ${nearest[2].join(" ")}; row 3: ${nearest[3].join(" ")}`);
assert(nearest.every((row) => row.join() === "0,0,0,0,200,200,0,0,0,0,0,0"));
NODE
node enlarge.js
