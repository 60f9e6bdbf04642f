#!/usr/bin/env bash
# png-js makes the last quarter of a palette black and transparent: a grey digit of 256 colours,
# from black to white, loses every grey from 192 on, such as white paper, or the bright core of a
# stroke. The table of colours is made too short by the alpha values that the file does not have.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund png-js@2.0.0 pngjs@7.0.0

cat > read.cjs <<'NODE'
const assert = require("node:assert");
const zlib = require("node:zlib");
const PngJs = require("png-js");
const { PNG } = require("pngjs");

/** Return the number as 4 bytes, the highest first. */
function bytesOf(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

/** Return a chunk of a PNG: length, name, content, checksum. */
function chunk(name, content) {
  const body = Buffer.concat([Buffer.from(name), content]);
  return Buffer.concat([bytesOf(content.length), body, bytesOf(zlib.crc32(body))]);
}

/** Return a PNG of one row, of 8 bits a pixel, that has each grey of its palette once. */
function greysPng(colours, withAlpha) {
  const row = Buffer.from([0, ...Array(colours).keys()]); // the first byte names the filter
  const header = Buffer.concat([bytesOf(colours), bytesOf(1), Buffer.from([8, 3, 0, 0, 0])]);
  const greys = Array.from({ length: colours }, (_, at) => Math.round((at * 255) / (colours - 1)));
  const palette = Buffer.from(greys.flatMap((grey) => [grey, grey, grey]));
  const chunks = [chunk("IHDR", header), chunk("PLTE", palette)];
  if (withAlpha) chunks.push(chunk("tRNS", Buffer.alloc(colours, 255)));
  chunks.push(chunk("IDAT", zlib.deflateSync(row)), chunk("IEND", Buffer.alloc(0)));
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...chunks]);
}

/** Return the red values of the row by png-js. */
function byPngJs(file) {
  return new Promise((resolve) => {
    new PngJs(file).decode((rgba) => resolve(rgba.filter((_, at) => at % 4 === 0)));
  });
}

/** Return how many of the colours png-js reads as pngjs does, and whether the others are black. */
async function compare(colours, withAlpha) {
  const file = greysPng(colours, withAlpha);
  const right = PNG.sync.read(file).data.filter((_, at) => at % 4 === 0);
  const seen = await byPngJs(file);
  assert.strictEqual(right[colours - 1], 255, "pngjs reads another row now");
  const alike = right.filter((grey, at) => grey === seen[at]).length;
  const othersAreBlack = seen.subarray(alike).every((grey) => grey === 0);
  return [alike, othersAreBlack];
}

async function main() {
  console.log("versions: png-js 2.0.0, pngjs 7.0.0");
  console.log("guess: both read the same greys");
  for (const [colours, withAlpha, expected] of [
    [256, false, 192],
    [16, false, 12],
    [256, true, 256],
  ]) {
    const [alike, othersAreBlack] = await compare(colours, withAlpha);
    const kind = `${colours} greys, ${withAlpha ? "with" : "without"} alpha values`;
    console.log(`seen: ${kind}: ${alike} alike, the others black: ${othersAreBlack}`);
    assert.strictEqual(alike, expected, "it reads another number of them rightly now");
    assert(othersAreBlack, "the others are not black now");
  }
}

main();
NODE
node read.cjs
