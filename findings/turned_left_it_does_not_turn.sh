#!/usr/bin/env bash
# image-in-browser turns a digit by -90, -180 or -270 degrees into the digit as it was, without an
# error. By 270, 180 and 90 degrees, which are the same turns, it is turned, and by -89 as well.
# Turns by whole quarters have a way of their own. It divides the angle by 360 and expects a
# remainder of 0 to 359; in JavaScript that of -90 is -90, which is no case there. So too by -450.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts image-in-browser@3.5.3

cat > turn.mjs <<'NODE'
import assert from "node:assert";
import { MemoryImage, Transform } from "image-in-browser";

const SEVEN = [
  ".........",
  ".#######.",
  ".......#.",
  "......#..",
  ".....#...",
  "....#....",
  ".........",
];

/** Return a picture of the signs: ink is white. */
function draw(lines) {
  const image = new MemoryImage({ width: lines[0].length, height: lines.length });
  lines.forEach((line, y) => [...line].forEach((sign, x) => {
    const grey = sign === "#" ? 255 : 0;
    image.setPixelRgb(x, y, grey, grey, grey);
  }));
  return image;
}

/** Return the signs of a picture. */
const signs = (image) => Array.from({ length: image.height }, (_, y) =>
  Array.from({ length: image.width }, (_, x) => (image.getPixel(x, y).r > 127 ? "#" : "."))
    .join(""));

/** Return the signs, turned to the right by as many quarters. */
const turned = (lines, quarters) => (quarters === 0 ? lines : turned(
  [...lines[0]].map((_, x) => lines.map((line) => line[x]).reverse().join("")), quarters - 1));

const rotate = (angle) => signs(Transform.copyRotate({ image: draw(SEVEN), angle }));

console.log("version: image-in-browser 3.5.3");
console.log("guess: -90 degrees turn a digit as 270 degrees do");
for (const angle of [90, 180, 270, 360, 450, 630]) {
  assert.deepStrictEqual(rotate(angle), turned(SEVEN, (angle / 90) % 4), "right turns fail now");
}
for (const angle of [-90, -180, -270, -450]) {
  console.log(`seen: by ${angle} degrees: ${rotate(angle).length} rows, the digit as it was`);
  assert.deepStrictEqual(rotate(angle), SEVEN, "left turns are done now");
}
console.log(`by ${-90}:\n${rotate(-90).join("\n")}\nby ${270}:\n${rotate(270).join("\n")}`);
const nearly = rotate(-89);
const columns = nearly[0].length;
console.log(`by -89: ${nearly.length} rows and ${columns} columns, so it is turned`);
assert(nearly.length > columns, "by -89 degrees, it is not turned either");
NODE
node turn.mjs
