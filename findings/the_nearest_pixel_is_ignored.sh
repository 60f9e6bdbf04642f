#!/usr/bin/env bash
# The default filter of @rgba-image/lanczos is 0 in its middle, where it should be 1: a source pixel
# that lies exactly below the new one does not count. Resized to the size that it has, a stroke one
# pixel wide becomes two strokes beside it. From 28 to 20 pixels, the size of the box in which
# MNIST's digits lie, this hits every fifth column and row; from 84 to 28, each of them.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
    @rgba-image/lanczos@0.1.1 ndarray-lanczos@0.3.0 ndarray@1.1.1

cat > resize.mjs <<'NODE'
import assert from "node:assert";
import rgba from "@rgba-image/lanczos";
import ndarray from "ndarray";
import { lanczos3 } from "ndarray-lanczos";

/** Return a square picture whose columns of these numbers are white, and all others black. */
function stroke(size, columns) {
  const data = new Uint8ClampedArray(4 * size * size).fill(255);
  data.forEach((_, at) => {
    const column = Math.floor(at / 4) % size;
    if (at % 4 < 3 && !columns.includes(column)) data[at] = 0;
  });
  return { width: size, height: size, data };
}

/** Return the middle row of the picture, its red values. */
function middleRow({ width, height, data }) {
  const start = 4 * width * Math.floor(height / 2);
  return Array.from({ length: width }, (_, at) => data[start + 4 * at]);
}

/** Return the middle row after resizing by @rgba-image/lanczos. */
function byRgba(source, size) {
  const target = stroke(size, []);
  rgba.lanczos(source, target);
  return middleRow(target);
}

/** Return the middle row after resizing by ndarray-lanczos, whose code was made from the other. */
function byNdarray(source, size) {
  const target = stroke(size, []);
  const asArray = ({ width, height, data }) =>
    ndarray(new Uint8Array(data.buffer), [width, height, 4], [4, 4 * width, 1]);
  lanczos3(asArray(source), asArray(target));
  return middleRow(target);
}

console.log("versions: @rgba-image/lanczos 0.1.1, ndarray-lanczos 0.3.0");
console.log("guess: both give the same row; the same size, the same pixels");
for (const [from, columns, to, shown, expected] of [
  [28, [14], 28, [13, 16], [255, 0, 255]],
  [28, [10, 11, 12, 13], 20, [7, 10], [126, 255, 244]],
  [84, [43], 28, [13, 16], [0, 0, 0]],
  [56, [28, 29], 28, [13, 16], [18, 228, 18]],
]) {
  const source = stroke(from, columns);
  const [right, seen] = [byNdarray, byRgba].map((by) => by(source, to).slice(...shown));
  console.log(`columns ${columns} of ${from}, resized to ${to}: new columns from ${shown[0]} on`);
  console.log(`  right: ${right}; seen: ${seen}`);
  assert.deepStrictEqual(seen, expected, "it resizes otherwise now");
  const isEven = from === 2 * to; // then, no source pixel lies exactly below a new one
  assert.strictEqual(String(seen) === String(right), isEven, "the two agree elsewhere now");
}
NODE
node resize.mjs
