#!/usr/bin/env bash
# photon turns a digit by 90, 180 or 270 degrees as if by any other angle: it loses 82 of its 784
# pixels, leaves as many holes, and puts what is left into the wrong place. An exact turn only
# moves pixels: a pixel in the corner belongs into a corner.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund @silvia-odwyer/photon-node@0.3.4

cat > turn.mjs <<'NODE'
import assert from "node:assert";
import photon from "@silvia-odwyer/photon-node";

const SIZE = 28;
const PIXELS = SIZE * SIZE;
const LAST = SIZE - 1;

// Each pixel knows its place: red is its column, green its row; all are opaque.
const picture = new Uint8Array(4 * PIXELS);
for (let pixel = 0; pixel < PIXELS; pixel++) {
  picture.set([pixel % SIZE, Math.floor(pixel / SIZE), 0, 255], 4 * pixel);
}

const PLACES = {
  0: (column, row) => [column, row],
  90: (column, row) => [LAST - row, column],
  180: (column, row) => [LAST - column, LAST - row],
  270: (column, row) => [row, LAST - column],
  360: (column, row) => [column, row],
};

/** Return how many pixels are still there, how many are where they belong, how many holes are. */
function turn(degrees) {
  const turned = photon.rotate(new photon.PhotonImage(picture, SIZE, SIZE), degrees);
  assert.deepStrictEqual([turned.get_width(), turned.get_height()], [SIZE, SIZE]);
  const rgba = turned.get_raw_pixels();
  const found = new Set();
  let inPlace = 0;
  let holes = 0;
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const [column, row, , alpha] = rgba.slice(4 * pixel, 4 * pixel + 4);
    if (alpha === 0) {
      holes++;
      continue;
    }
    found.add(row * SIZE + column);
    const [newColumn, newRow] = PLACES[degrees](column, row);
    if (newRow * SIZE + newColumn === pixel) inPlace++;
  }
  console.log(`seen: ${degrees} degrees: ${found.size} of ${PIXELS} pixels are left,`,
    `${inPlace} where they belong, ${holes} holes`);
  return { left: found.size, inPlace, holes };
}

console.log("version: photon-node 0.3.4");
console.log("guess: quarter turns and half turns keep all 784 pixels and put each into its place");
for (const degrees of [0, 360]) {
  assert.deepStrictEqual(turn(degrees), { left: PIXELS, inPlace: PIXELS, holes: 0 });
}
for (const degrees of [90, 180, 270]) {
  const { left, inPlace, holes } = turn(degrees);
  assert(left === 702 && holes === 82, "another number of pixels is lost now");
  assert(inPlace < PIXELS / 2, "most pixels are where they belong now");
}
NODE
node turn.mjs
