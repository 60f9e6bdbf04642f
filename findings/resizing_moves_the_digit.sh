#!/usr/bin/env bash
# image-js moves a digit when it resizes it: half a pixel to the right and down, whatever the new
# size is, with bilinear interpolation (the default) and with bicubic. Even a "resize" to the size
# that the picture has does it. A digit of 28 pixels whose centre of mass was put in the middle
# has it half a pixel off. Nearest neighbour leaves it where it belongs.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund image-js@1.7.0

cat > resize.mjs <<'NODE'
import assert from "node:assert";
import { Image } from "image-js";

// A stroke in the middle of 56 x 56 pixels: columns 26 to 29, rows 8 to 47.
const digit = new Image(56, 56, { colorModel: "GREY" });
for (let row = 8; row < 48; row++) {
  for (let column = 26; column < 30; column++) digit.setValue(column, row, 0, 200);
}

/** Return how far the ink's centre is from the picture's, in pixels of `size`: right, down. */
function shift(size, interpolationType) {
  const resized = digit.resize({ width: size, height: size, interpolationType });
  let ink = 0, right = 0, down = 0;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const level = resized.getValue(column, row, 0);
      ink += level;
      right += level * (column - (size - 1) / 2);
      down += level * (row - (size - 1) / 2);
    }
  }
  return [right / ink, down / ink].map((pixels) => Number(pixels.toFixed(3)));
}

console.log("version: image-js 1.7.0");
console.log("guess: a stroke in the middle of a picture is in the middle after it is resized");
for (const size of [28, 56, 112]) {
  for (const interpolation of ["nearest", "bilinear", "bicubic"]) {
    const [right, down] = shift(size, interpolation);
    console.log(`seen: 56 to ${size}, ${interpolation}: right ${right}, down ${down}`);
    const expected = interpolation === "nearest" ? 0 : 0.5;
    assert.deepStrictEqual([right, down], [expected, expected], "the shift is another one now");
  }
}
assert.deepStrictEqual(shift(28), [0.5, 0.5], "the default does not shift any more");
NODE
node resize.mjs
