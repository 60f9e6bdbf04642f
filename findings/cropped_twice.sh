#!/usr/bin/env bash
# js-image-lib crops twice: it takes the picture from x and y on, but fills only width - x columns
# and height - y rows, and leaves the rest as background: transparent black, if no other is set. A
# digit's box that begins as far from the corner as it is wide comes out empty. Of the crops within
# the picture, only one from the corner 0, 0 is right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts js-image-lib@1.0.1 pngjs@7.0.0

cat > crop.mjs <<'NODE'
import assert from "node:assert";
import ImageTransformer from "js-image-lib";
import { PNG } from "pngjs";

/** Return a PNG of 28 x 28 pixels, all of them of this grey. */
function pageOf(grey) {
  const png = new PNG({ width: 28, height: 28 });
  png.data.forEach((_, at) => (png.data[at] = at % 4 < 3 ? grey : 255));
  return new Uint8Array(PNG.sync.write(png));
}

/** Return how many columns and rows the crop has, and how many of them are not empty. */
function crop(x, y, width, height) {
  const transformer = new ImageTransformer(pageOf(200)).crop(x, y, width, height);
  const png = PNG.sync.read(Buffer.from(transformer.toBuffer("image/png")));
  const isFull = (column, row) => png.data[4 * (row * png.width + column) + 3] === 255;
  const columns = [...Array(png.width).keys()].filter((column) => isFull(column, 0));
  const rows = [...Array(png.height).keys()].filter((row) => isFull(0, row));
  return { size: [png.width, png.height], full: [columns.length, rows.length] };
}

console.log("versions: js-image-lib 1.0.1, pngjs 7.0.0");
console.log("guess: a crop that lies within the page is full of its grey");
for (const [x, y, width, height] of [
  [0, 0, 20, 20],
  [4, 4, 20, 20],
  [5, 1, 14, 26],
  [12, 4, 6, 20],
]) {
  const { size, full } = crop(x, y, width, height);
  console.log(`seen: ${width} x ${height} pixels from ${x}, ${y}: full are ${full.join(" x ")}`);
  assert.deepStrictEqual(size, [width, height], "the crop has another size now");
  const expected = width > x && height > y ? [width - x, height - y] : [0, 0];
  assert.deepStrictEqual(full, expected, "it crops otherwise now");
}
NODE
node crop.mjs
