#!/usr/bin/env bash
# bmp-ts, which jimp uses, reads only the bottom row of an uncompressed BMP of 16 colours whose
# width is odd: all others are black. A scan cropped to 27 pixels is lost, one of 28 is read
# rightly. The half of a byte that no pixel fills ends the whole picture instead of the row.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund bmp-ts@1.0.9 bmp-js@0.1.0

cat > read.mjs <<'NODE'
import assert from "node:assert";
import bmpJs from "bmp-js";
import { decode } from "bmp-ts";

const HEIGHT = 6;

/** Return a BMP of greys: black, with a white upright stroke in columns 2 to 4. */
function strokeBmp(width, bits) {
  const colours = 2 ** bits;
  const rowBytes = 4 * Math.ceil((width * bits) / 32);
  const start = 14 + 40 + 4 * colours;
  const file = Buffer.alloc(start + rowBytes * HEIGHT);
  file.write("BM");
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(start, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(width, 18);
  file.writeInt32LE(HEIGHT, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(bits, 28);
  file.writeUInt32LE(rowBytes * HEIGHT, 34);
  file.writeUInt32LE(colours, 46);
  for (let colour = 0; colour < colours; colour++) {
    const grey = Math.round((255 * colour) / (colours - 1));
    file.fill(grey, 54 + 4 * colour, 54 + 4 * colour + 3);
  }
  for (let row = 0; row < HEIGHT; row++) {
    for (let bit = 2 * bits; bit < 5 * bits; bit++) {
      file[start + row * rowBytes + (bit >> 3)] |= 0x80 >> (bit & 7);
    }
  }
  return file;
}

/** Return the rows of a picture of alpha and three colours: `#` where it is white. */
function drawn({ data, width }) {
  const pixel = (row, column) => (data[4 * (row * width + column) + 1] ? "#" : ".");
  const columns = [...Array(width).keys()];
  return [...Array(HEIGHT).keys()].map((row) => columns.map((at) => pixel(row, at)).join(""));
}

console.log("versions: bmp-ts 1.0.9, bmp-js 0.1.0");
console.log("guess: a stroke is read in every row, at each width");
const cases = [[28, 4, HEIGHT], [27, 4, 1], [27, 1, HEIGHT], [27, 8, HEIGHT]];
for (const [width, bits, expected] of cases) {
  const file = strokeBmp(width, bits);
  const right = drawn(bmpJs.decode(file));
  const seen = drawn(decode(file));
  console.log(`seen: ${width} pixels wide, ${bits} bits: by bmp-js and by bmp-ts`);
  right.forEach((row, index) => console.log(`  ${row}  ${seen[index]}`));
  assert(right.every((row) => row.startsWith("..###...")), "bmp-js reads another stroke now");
  assert.strictEqual(seen[HEIGHT - 1], right[HEIGHT - 1], "the bottom row is another one now");
  assert.strictEqual(seen.filter((row) => row.includes("#")).length, expected, "other rows now");
}
NODE
node read.mjs
