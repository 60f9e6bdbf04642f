#!/usr/bin/env bash
# geotiff's readRGB turns white paper black in a TIFF which says that 0 is white, as faxes and
# many scans do: it counts 256 for white, which does not fit into 8 bits and becomes 0. In black
# and white, ink is 128 then and paper 0: the negative. A file in black and white which says that
# 0 is black keeps its order, but its white is 128.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund geotiff@3.0.5 utif2@4.1.0

cat > read.mjs <<'NODE'
import assert from "node:assert";
import { fromArrayBuffer } from "geotiff";
import UTIF from "utif2";

const WIDTH = 8;
const INK_COLUMN = 3; // an upright stroke through white paper

/** Return a TIFF of one row, as an ArrayBuffer: white paper, with a black pixel in INK_COLUMN. */
function scan(bits, zeroIsWhite) {
  const row = Array(WIDTH).fill(zeroIsWhite ? 0 : 2 ** bits - 1);
  row[INK_COLUMN] = zeroIsWhite ? 2 ** bits - 1 : 0;
  const pixels = Buffer.alloc((WIDTH * bits) / 8);
  row.forEach((value, x) => (pixels[(x * bits) >> 3] |= value << (8 - bits - ((x * bits) & 7))));
  const tags = [[256, WIDTH], [257, 1], [258, bits], [259, 1], [262, zeroIsWhite ? 0 : 1]];
  const start = 8 + 2 + 12 * 12 + 4 + 8; // behind the header, twelve tags and the resolution
  tags.push([273, start], [277, 1], [278, 1], [279, pixels.length]);
  tags.push([282, start - 8], [283, start - 8], [296, 2]); // 72 pixels per inch, both ways
  const head = Buffer.alloc(start);
  head.write("II*\0\x08\0\0\0", "latin1");
  head.writeUInt16LE(tags.length, 8);
  tags.forEach(([tag, value], place) => {
    head.writeUInt16LE(tag, 10 + 12 * place);
    const isFraction = tag === 282 || tag === 283; // else it is a whole number of 16 bits
    head.writeUInt16LE(isFraction ? 5 : 3, 12 + 12 * place);
    head.writeUInt32LE(1, 14 + 12 * place);
    head.writeUInt32LE(value, 18 + 12 * place);
  });
  head.writeUInt32LE(72, start - 8);
  head.writeUInt32LE(1, start - 4);
  return new Uint8Array(Buffer.concat([head, pixels])).buffer;
}

/** Return the red values of a row by geotiff's readRGB. */
async function byGeotiff(file) {
  const image = await (await fromArrayBuffer(file)).getImage();
  const rgb = await image.readRGB({ interleave: true });
  return Array.from({ length: WIDTH }, (_, x) => rgb[3 * x]);
}

/** Return the red values of a row by UTIF. */
function byUtif(file) {
  const [page] = UTIF.decode(file);
  UTIF.decodeImage(file, page);
  const rgba = UTIF.toRGBA8(page);
  return Array.from({ length: WIDTH }, (_, x) => rgba[4 * x]);
}

/** Return a row of this paper with the ink in INK_COLUMN. */
function paperAndInk(paper, ink) {
  return Array.from({ length: WIDTH }, (_, x) => (x === INK_COLUMN ? ink : paper));
}

console.log("versions: geotiff 3.0.5, utif2 4.1.0");
console.log("guess: white paper is 255 and a black stroke 0, whatever the file says of 0");
for (const [bits, zeroIsWhite, paper, ink] of [
  [8, false, 255, 0],
  [8, true, 0, 1],
  [1, false, 128, 0],
  [1, true, 0, 128],
]) {
  const file = scan(bits, zeroIsWhite);
  const seen = await byGeotiff(file);
  console.log(`seen: ${bits} bits, 0 is ${zeroIsWhite ? "white" : "black"}`);
  console.log(`  utif2    ${byUtif(file).join(" ")}`);
  console.log(`  geotiff  ${seen.join(" ")}`);
  assert.deepStrictEqual(byUtif(file), paperAndInk(255, 0), "utif2 reads another row now");
  assert.deepStrictEqual(seen, paperAndInk(paper, ink), "geotiff reads another row now");
}
NODE
node read.mjs
