#!/usr/bin/env bash
# The package tga reads black ink as green, if a TGA file has greys with alpha: it writes the alpha
# into the green channel instead of the fourth one. White paper stays white. The fourth channel
# keeps what the pixel read before left there; if this is the first file, all pixels are opaque, the
# transparent one too. The same picture as greys without alpha, or in colours with alpha, is read
# rightly.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts tga@1.0.7 tga-js@1.1.1

cat > write.py <<'PYTHON'
import numpy
from PIL import Image

# Opaque white paper, black ink, grey ink, and a transparent black pixel.
PIXELS = numpy.array([[[255, 255], [0, 255], [128, 255], [0, 0]]], numpy.uint8)
picture = Image.fromarray(PIXELS, "LA")
picture.save("grey_with_alpha.tga")
picture.convert("L").save("grey.tga")
picture.convert("RGBA").save("colour_with_alpha.tga")
again = numpy.asarray(Image.open("grey_with_alpha.tga"))
assert (again == PIXELS).all()
PYTHON
venv/bin/python write.py

cat > read.mjs <<'NODE'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const Tga = require("tga");
const TgaLoader = require("tga-js");
const split = (pixels) => [0, 4, 8, 12].map((at) => [...pixels.slice(at, at + 4)]);

/** Return the RGBA pixels of a file as another package reads them. */
function readOtherwise(file) {
  const loader = new (TgaLoader.default ?? TgaLoader)();
  loader.load(new Uint8Array(file));
  return split(loader.getImageData({ data: new Uint8ClampedArray(16) }).data);
}

console.log("versions: tga 1.0.7, tga-js 1.1.1, Pillow 13.0.0");
const right = [[255, 255, 255, 255], [0, 0, 0, 255], [128, 128, 128, 255], [0, 0, 0, 0]];
console.log(`guess: ${JSON.stringify(right)}`);
const green = [[255, 255, 255, 255], [0, 255, 0, 255], [128, 255, 128, 255], [0, 0, 0, 255]];
const opaque = right.map((pixel) => [...pixel.slice(0, 3), 255]);
// The greys with alpha come first: later, their fourth channel would depend on other files.
for (const [name, expected, control] of [
  ["grey_with_alpha.tga", green, right],
  ["grey.tga", opaque, opaque],
  ["colour_with_alpha.tga", right, right],
]) {
  const file = readFileSync(name);
  const seen = split(new Tga(file).pixels);
  console.log(`seen: ${name}: ${JSON.stringify(seen)}`);
  assert.deepStrictEqual(seen, expected, "the pixels are others now");
  assert.deepStrictEqual(readOtherwise(file), control, "the other package reads it otherwise now");
}
NODE
node read.mjs
