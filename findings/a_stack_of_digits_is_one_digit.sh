#!/usr/bin/env bash
# mat-for-js reads a MATLAB file with a stack of digits, 28 x 28 x 10, without an error, but has the
# first digit ten times: the second time it is moved by one column, the third time by two, and what
# is missing comes from the next digit. The other digits are lost. One step along the third
# dimension counts as 28 values, not as 28 x 28. An array of two dimensions is read rightly.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts mat-for-js@1.1.0

cat > read.mjs <<'NODE'
import assert from "node:assert";
import { read } from "mat-for-js";

const SIZE = 28;
const COUNT = 10;

/** Return the pixel of a made-up digit: its number times 20, plus something for row and column. */
const pixel = (row, column, digit) => digit * 20 + ((row * 3 + column * 5) % 19);

/** Return an element of a MAT-file: its type, its length, its content, filled up to 8 bytes. */
function element(type, content) {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content, Buffer.alloc((8 - (content.length % 8)) % 8)]);
}

/** Return a MAT-file with an array of bytes; along the first dimension, values are neighbours. */
function matFile(sizes, values) {
  const header = Buffer.alloc(128, " ");
  header.write("MATLAB 5.0 MAT-file");
  header.fill(0, 116, 124);
  header.writeUInt16LE(0x0100, 124);
  header.write("IM", 126);
  const [uint8Array, int8, uint8, int32, uint32, matrix] = [9, 1, 2, 5, 6, 14];
  const parts = [
    element(uint32, Buffer.from([uint8Array, 0, 0, 0, 0, 0, 0, 0])),
    element(int32, Buffer.from(Int32Array.from(sizes).buffer)),
    element(int8, Buffer.from("digits")),
    element(uint8, Buffer.from(values)),
  ];
  return Uint8Array.from(Buffer.concat([header, element(matrix, Buffer.concat(parts))])).buffer;
}

/** Return the pixels of `count` digits, column by column, one digit after the other. */
function pixelsOf(count) {
  return Array.from({ length: SIZE * SIZE * count }, (_, at) =>
    pixel(at % SIZE, Math.floor(at / SIZE) % SIZE, Math.floor(at / SIZE / SIZE)));
}

console.log("version: mat-for-js 1.1.0");
console.log("guess: digits[row][column][number] is that pixel of that digit");
const one = read(matFile([SIZE, SIZE], pixelsOf(1))).data.digits;
const stack = read(matFile([SIZE, SIZE, COUNT], pixelsOf(COUNT))).data.digits;
assert.strictEqual(stack.length, SIZE);
let wrong = 0;
for (let row = 0; row < SIZE; row++) {
  for (let column = 0; column < SIZE; column++) {
    assert.strictEqual(one[row][column], pixel(row, column, 0), "one digit is read otherwise now");
    for (let number = 0; number < COUNT; number++) {
      const seen = stack[row][column][number];
      const at = column + number; // a column of the first digit, or one of the second
      const expected = pixel(row, at % SIZE, Math.floor(at / SIZE));
      assert.strictEqual(seen, expected, "the stack is read otherwise now");
      wrong += seen !== pixel(row, column, number);
    }
  }
}
console.log(`seen: one digit: right; ten digits: ${wrong} of ${SIZE * SIZE * COUNT} pixels wrong`);
console.log(`  first columns of row 0 of digit 1: ${stack[0].slice(0, 5).map((many) => many[1])}`);
console.log(`  of digit 0, from its second column: ${one[0].slice(1, 6)}`);
assert(wrong > SIZE * SIZE * (COUNT - 1) * 0.9);
NODE
node read.mjs
