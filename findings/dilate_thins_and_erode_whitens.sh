#!/usr/bin/env bash
# sharp's dilate() takes black for the ink: it makes a white digit on black thinner, or removes it,
# and erode() makes it thicker. And both mix grey levels bit by bit: where 127 and 128 meet, erode()
# makes 255 of them, and dilate() 0. Neither level was in the picture.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund sharp@0.35.5

cat > morphology.mjs <<'NODE'
import assert from "node:assert";
import sharp from "sharp";

const SIZE = 7;

/** Return the middle row after an operation of sharp on a picture whose rows are all alike. */
async function middleRow(row, operation) {
  const picture = Buffer.from(Array(SIZE).fill(row).flat());
  const image = sharp(picture, { raw: { width: SIZE, height: SIZE, channels: 1 } });
  const result = await image[operation](1).toColourspace("b-w").raw().toBuffer();
  assert.strictEqual(result.length, SIZE * SIZE);
  return [...result].slice(3 * SIZE, 4 * SIZE);
}

const STROKE = [0, 0, 255, 255, 255, 0, 0]; // white on black, as in MNIST
const STEP = [127, 127, 127, 127, 128, 128, 128];

console.log("version: sharp", sharp.versions.sharp);
console.log("guess: dilate() takes the brightest level near a pixel, erode() the darkest");
const seen = {};
for (const [name, row] of Object.entries({ stroke: STROKE, step: STEP })) {
  for (const operation of ["dilate", "erode"]) {
    const result = await middleRow(row, operation);
    seen[`${operation} ${name}`] = result;
    console.log(`seen: ${operation} makes of ${row.join(" ")}: ${result.join(" ")}`);
  }
}

assert.deepStrictEqual(seen["dilate stroke"], [0, 0, 0, 255, 0, 0, 0], "another stroke");
assert.deepStrictEqual(seen["erode stroke"], [0, 255, 255, 255, 255, 255, 0], "another stroke");
assert.deepStrictEqual(seen["erode step"], [127, 127, 127, 255, 255, 128, 128], "another step");
assert.deepStrictEqual(seen["dilate step"], [127, 127, 127, 0, 0, 128, 128], "another step");
NODE
node morphology.mjs
