#!/usr/bin/env bash
# floyd-steinberg passes a pixel's error on to its neighbours modulo 256, if the picture comes from
# pngjs, as its README proposes: a little less than black is white there. The black paper around
# a white digit becomes mostly white. In an array that clamps its bytes, the paper stays black.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts floyd-steinberg@1.0.6 pngjs@7.0.0

cat > dither.cjs <<'NODE'
const assert = require("node:assert");
const floydSteinberg = require("floyd-steinberg");
const { PNG } = require("pngjs");

/** Return a white 0 with soft edges on black, as a PNG of 28 x 28 pixels. */
function drawZero() {
  const png = new PNG({ width: 28, height: 28 });
  png.data.forEach((_, at) => {
    const [y, x] = [Math.floor(at / 112) - 13.5, (Math.floor(at / 4) % 28) - 13.5];
    const fromPen = Math.abs(Math.hypot(y, 1.25 * x) - 9);
    const grey = Math.round(255 * Math.min(1, Math.max(0, 2 - fromPen)));
    png.data[at] = at % 4 < 3 ? grey : 255;
  });
  return PNG.sync.write(png);
}

/** Return the rows of the picture: # for white, . for black. */
function show({ width, height, data }) {
  const white = (row, column) => (data[4 * (row * width + column)] ? "#" : ".");
  const columns = [...Array(width).keys()];
  return [...Array(height).keys()].map((row) => columns.map((at) => white(row, at)).join(""));
}

const zero = drawZero();
const before = PNG.sync.read(zero);
const ink = before.data.reduce((sum, byte, at) => sum + (at % 4 ? 0 : byte / 255), 0);
const asRead = PNG.sync.read(zero);
const clamped = { width: 28, height: 28, data: Uint8ClampedArray.from(asRead.data) };
floydSteinberg(asRead);
floydSteinberg(clamped);
const [wrapped, right] = [show(asRead), show(clamped)];

console.log("versions: floyd-steinberg 1.0.6, pngjs 7.0.0");
console.log(`guess: about ${ink.toFixed(0)} of 784 pixels are white, in the shape of a 0`);
console.log("seen: bytes that are clamped, and those of pngjs");
right.forEach((row, at) => console.log(`${row}   ${wrapped[at]}`));
const [whiteRight, whiteSeen] = [right, wrapped].map((rows) => rows.join("").split("#").length - 1);
console.log(`white: ${whiteRight} and ${whiteSeen} pixels`);
assert(Math.abs(whiteRight - ink) < 0.15 * ink, "clamped bytes were right");
assert(whiteSeen > 1.8 * ink, "it dithers otherwise now");
NODE
node dither.cjs
