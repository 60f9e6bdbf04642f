#!/usr/bin/env bash
# UPNG.js forgets that each row of a PNG starts at a new byte. A grey PNG of 1, 2 or 4 bits a pixel
# is sheared unless its rows fill whole bytes: a black-and-white digit 28 pixels wide moves 4 pixels
# to the right with each row, and wraps around. 8 and 16 bits a pixel are read rightly.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund upng-js@2.1.0 pngjs@7.0.0

cat > read.mjs <<'NODE'
import assert from "node:assert";
import zlib from "node:zlib";
import pngjs from "pngjs";
import UPNG from "upng-js";

const HEIGHT = 8;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

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

/** Return a grey PNG of `bits` a pixel: black, with a white upright stroke in columns 2 to 4. */
function strokePng(width, bits) {
  const row = Buffer.alloc(1 + Math.ceil((width * bits) / 8)); // the first byte names the filter
  for (let bit = 2 * bits; bit < 5 * bits; bit++) row[1 + (bit >> 3)] |= 0x80 >> (bit & 7);
  const header = Buffer.concat([bytesOf(width), bytesOf(HEIGHT), Buffer.from([bits, 0, 0, 0, 0])]);
  const rows = zlib.deflateSync(Buffer.concat(Array(HEIGHT).fill(row)));
  const parts = [chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([SIGNATURE, ...parts]);
}

/** Return the rows of a picture of red, green, blue and alpha: `#` where it is white. */
function drawn(rgba, width) {
  const pixel = (row, column) => (rgba[4 * (row * width + column)] ? "#" : ".");
  const columns = [...Array(width).keys()];
  return [...Array(HEIGHT).keys()].map((row) => columns.map((at) => pixel(row, at)).join(""));
}

/** Return what pngjs and UPNG.js read. */
function readBoth(width, bits) {
  const file = strokePng(width, bits);
  const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
  const upng = new Uint8Array(UPNG.toRGBA8(UPNG.decode(buffer))[0]);
  return [drawn(pngjs.PNG.sync.read(file).data, width), drawn(upng, width)];
}

console.log("versions: upng-js 2.1.0, pngjs 7.0.0");
console.log("guess: an upright stroke is upright, in black and white as in 8 bits");
const [upright, sheared] = readBoth(28, 1);
console.log("seen: 28 pixels wide, 1 bit a pixel, by pngjs and by UPNG.js");
upright.forEach((row, index) => console.log(`  ${row}  ${sheared[index]}`));

const cases = [[28, 1, false], [32, 1, true], [28, 2, true], [29, 2, false], [29, 4, false],
  [30, 4, true], [28, 8, true], [29, 8, true]];
for (const [width, bits, expected] of cases) {
  const [right, seen] = readBoth(width, bits);
  const alike = right.join() === seen.join();
  console.log(`seen: ${width} wide, ${bits} bits: ${alike ? "the same" : "sheared"}`);
  assert(right.every((row) => row.startsWith("..###...")), "pngjs reads another stroke now");
  assert.strictEqual(alike, expected, "it is read in another way now");
}
NODE
node read.mjs
