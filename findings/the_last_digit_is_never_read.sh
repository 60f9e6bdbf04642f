#!/usr/bin/env bash
# ml-logistic-regression counts the different labels that it is shown, say n, and then learns the
# labels from 0 to n - 1. Shown the digits of a Sudoku, from 1 to 9, it learns 0, which does not
# occur, and not 9: each 9 is read as another digit. Shown threes and eights, it answers 0 to both.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
    ml-logistic-regression@2.0.0 ml-matrix@6.15.1

cat > digits.cjs <<'NODE'
const assert = require("node:assert");
const imported = require("ml-logistic-regression");
const { Matrix } = require("ml-matrix");
const LogisticRegression = imported.default ?? imported;

// The digits from 0 to 9, of 3 x 5 pixels, row by row.
const shapes = [
  "111101101101111", "010110010010111", "111001111100111", "111001111001111",
  "101101111001001", "111100111001111", "111100111101111", "111001001001001",
  "111101111101111", "111101111001111",
].map((pixels) => Array.from(pixels, Number));

/** Return what is read in the pictures of `digits`, learned as `labels`. */
function read(digits, labels) {
  const pictures = new Matrix(digits.map((digit) => shapes[digit]));
  const regression = new LogisticRegression({ numSteps: 5000, learningRate: 0.05 });
  regression.train(pictures, Matrix.columnVector(labels));
  return regression.predict(pictures);
}

console.log("version: ml-logistic-regression 2.0.0");
console.log("guess: the pictures that were learned are read as what they were learned as");
const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const sudoku = all.slice(1);
const places = sudoku.map((digit) => digit - 1);
for (const [digits, labels, isRight] of [
  [all, all, true],
  [sudoku, sudoku, false],
  [sudoku, places, true],
  [[3, 8], [3, 8], false],
  [[3, 8], [0, 1], true],
]) {
  const seen = read(digits, labels);
  console.log(`seen: ${digits.join(" ")}, learned as ${labels.join(" ")}: ${seen.join(" ")}`);
  if (isRight) assert.deepStrictEqual(seen, labels, "it reads these otherwise now");
  else assert(seen.every((label) => label < labels.length), "it knows its labels now");
  if (!isRight && digits.length === 2) assert.deepStrictEqual(seen, [0, 0], "it answers otherwise");
}
NODE
node digits.cjs
