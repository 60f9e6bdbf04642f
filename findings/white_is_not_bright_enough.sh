#!/usr/bin/env bash
# image-in-browser makes a grey digit all black, if it is split at half of the brightness: in a
# picture of one channel, as a grey PNG is read, it takes green and blue for 0, and so white has a
# brightness of 0.3. For the same reason, turning such a grey digit into greys makes it darker: 255
# becomes 76. With three channels of the same greys, both do what they should.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts image-in-browser@3.5.3 pngjs@7.0.0

cat > split.mjs <<'NODE'
import assert from "node:assert";
import { decodePng, Filter } from "image-in-browser";
import { PNG } from "pngjs";

const seven = [
  ".......", ".#####.", "....##.", "...##..", "..##...", ".##....", ".......",
].join("");
const INK = 255;
const PAPER = 40;

/** Return the PNG of a grey digit, white on dark, with one channel of 8 bits. */
function greyPng() {
  const png = new PNG({ width: 7, height: 7 });
  [...seven].forEach((sign, at) =>
    png.data.set([...Array(3).fill(sign === "#" ? INK : PAPER), 255], at * 4));
  return PNG.sync.write(png, { colorType: 0 });
}

/** Return the grey of each pixel. */
const greys = (image) => [...seven].map((_, at) => image.getPixel(at % 7, Math.floor(at / 7)).r);
const right = (ink, paper) => [...seven].map((sign) => (sign === "#" ? ink : paper));

console.log("version: image-in-browser 3.5.3");
console.log("guess: split, ink of 255 stays 255, paper of 40 becomes 0; in greys, both stay");
for (const [channels, splitInk, greyInk, greyPaper] of [[1, 0, 76, 11], [3, 255, 255, 40]]) {
  const read = () => {
    const image = decodePng({ data: new Uint8Array(greyPng()) });
    assert.strictEqual(image.numChannels, 1);
    assert.deepStrictEqual(greys(image), right(INK, PAPER), "it is read otherwise now");
    return channels === 1 ? image : image.convert({ numChannels: channels });
  };
  const split = greys(Filter.luminanceThreshold({ image: read(), threshold: 0.5 }));
  const grey = greys(Filter.grayscale({ image: read() }));
  const { luminanceNormalized } = read().getPixel(1, 1);
  const [ink, paper] = [8, 0]; // places of a pixel of each
  console.log(`seen: ${channels} channels: ink ${split[ink]}, paper ${split[paper]}`
    + `; in greys, ink ${grey[ink]}, paper ${grey[paper]}; brightness ${luminanceNormalized}`);
  assert.deepStrictEqual(split, right(splitInk, 0), "it is split otherwise now");
  assert.deepStrictEqual(grey, right(greyInk, greyPaper), "it is made grey otherwise now");
}
NODE
node split.mjs
