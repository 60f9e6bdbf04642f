#!/usr/bin/env bash
# jimp's Gaussian blur is no Gaussian: a single white pixel becomes a smear that is brightest beside
# its place, not at it, has unequal sides, and runs down to the edge of the picture.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund jimp@1.6.1

cat > blur.mjs <<'NODE'
import assert from "node:assert";
import { Jimp } from "jimp";

const SIZE = 9;
const CENTRE = 4;
const picture = new Jimp({ width: SIZE, height: SIZE, color: 0x000000ff });
picture.setPixelColor(0xffffffff, CENTRE, CENTRE);
picture.gaussian(1);

const level = (column, row) => picture.bitmap.data[4 * (row * SIZE + column)];
const indices = [...Array(SIZE).keys()];

console.log("version: jimp 1.6.1");
console.log("guess: a white pixel in the middle becomes a spot, brightest there and symmetric");
for (const row of indices) {
  console.log("seen:", indices.map((column) => String(level(column, row)).padStart(3)).join(""));
}

const above = level(CENTRE, CENTRE - 1);
const left = level(CENTRE - 1, CENTRE);
assert(left > 2 * level(CENTRE, CENTRE), "the spot is brightest in its middle now");
assert(above > 3 * level(CENTRE, CENTRE + 1), "above and below are alike now");
assert(left > 3 * level(CENTRE + 1, CENTRE), "left and right are alike now");
assert(level(CENTRE, SIZE - 1) > level(CENTRE, 0), "the tail at the lower edge is gone");
NODE
node blur.mjs
