#!/usr/bin/env bash
# modern-gif loses the page of an animation together with the pen that moves over it. A frame that
# says "do not dispose" draws the page; the next ones say "restore to previous", and each shall
# leave the page as it was. But modern-gif keeps no picture of a frame that says "do not dispose":
# it restores an older one, here an empty page, so the page is lost from the second pen on. With a
# page that says nothing of it, all frames are right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts modern-gif@2.1.0 omggif@1.0.10

cat > play.mjs <<'NODE'
import assert from "node:assert";
import { createRequire } from "node:module";
import { decodeFrames } from "modern-gif";

const require = createRequire(import.meta.url);
const { GifWriter } = require("omggif");

const SIZE = 16;
const PALETTE = [0xffffff, 0x000000, 0xff0000, 0xff0000];
const [PAPER, INK, PEN] = [0, 1, 2];
const [SAYS_NOTHING, DO_NOT_DISPOSE, RESTORE_TO_PREVIOUS] = [0, 1, 3];

/** Return the page, a 1, as numbers of colours. */
const page = Array.from({ length: SIZE * SIZE }, (_, at) => {
  const [x, y] = [at % SIZE, Math.floor(at / SIZE)];
  return x > 6 && x < 10 && y > 1 && y < 14 ? INK : PAPER;
});

/** Return a GIF of the page, which is disposed of so, and three places of the pen beside the 1. */
function animate(disposal) {
  const bytes = new Uint8Array(4096);
  const file = new GifWriter(bytes, SIZE, SIZE, { palette: PALETTE });
  file.addFrame(0, 0, SIZE, SIZE, page, { disposal, delay: 10 });
  for (const y of [2, 6, 10]) {
    const options = { disposal: RESTORE_TO_PREVIOUS, delay: 10 };
    file.addFrame(12, y, 2, 2, Array(4).fill(PEN), options);
  }
  return bytes.slice(0, file.end());
}

/** Return how many pixels of each frame are black ink, and how many are the red pen. */
async function count(disposal) {
  const frames = await decodeFrames(animate(disposal));
  return frames.map(({ data }) => {
    const colours = page.map((_, at) => [...data.slice(at * 4, at * 4 + 4)].join());
    const countOf = (colour) => colours.filter((one) => one === colour).length;
    return [countOf("0,0,0,255"), countOf("255,0,0,255")];
  });
}

const ink = page.filter((colour) => colour === INK).length;
console.log("versions: modern-gif 2.1.0, omggif 1.0.10");
console.log(`guess: each frame has ${ink} pixels of ink, and all but the first 4 of the pen`);
const right = [[ink, 0], [ink, 4], [ink, 4], [ink, 4]];
const lost = [[ink, 0], [ink, 4], [0, 4], [0, 4]];
for (const [name, disposal, expected] of [
  ["the page says nothing", SAYS_NOTHING, right],
  ["the page says 'do not dispose'", DO_NOT_DISPOSE, lost],
]) {
  const seen = await count(disposal);
  console.log(`seen: ${name}: ink and pen in the frames: ${JSON.stringify(seen)}`);
  assert.deepStrictEqual(seen, expected, "the frames are others now");
}
NODE
node play.mjs
