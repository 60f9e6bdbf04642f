#!/usr/bin/env bash
# One pixel that is the same in all pictures, like a digit's black corner, spoils ml-svm: by
# default it subtracts each pixel's smallest value and divides by the difference of the largest
# and the smallest one, here 0 by 0. Training then changes nothing and reports no error, every
# margin is NaN (with the linear kernel, the default), and each picture is read as -1. With this
# scaling switched off, the same pictures are read rightly.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts ml-svm@2.1.2

cat > read.cjs <<'NODE'
const assert = require("node:assert");
const SVM = require("ml-svm");

const SIZE = 28;

/** Return a 1 (one stroke) or a 0 (two strokes) of noisy ink, moved by up to 2 pixels. */
function draw(label, number, paper) {
  const left = 11 + (number % 5);
  const columns = label === 1 ? [left + 3, left + 4] : [left, left + 1, left + 6, left + 7];
  return Array.from({ length: SIZE * SIZE }, (_, at) => {
    const [row, column] = [Math.floor(at / SIZE), at % SIZE];
    const inked = row > 3 && row < 24 && columns.includes(column);
    const noise = ((number * 31 + at * 17) % 97) / 97;
    return inked ? 0.6 + 0.4 * noise : paper * noise;
  });
}

/** Return 20 pictures of each digit, and their labels. */
function makePictures(first, paper) {
  const numbers = Array.from({ length: 20 }, (_, index) => first + index);
  const pictures = [1, -1].flatMap((label) => numbers.map((n) => draw(label, n, paper)));
  return [pictures, [...Array(20).fill(1), ...Array(20).fill(-1)]];
}

/** Return how many new pictures are read rightly, and as 1, and their margins. */
function read(options, paper, change = (picture) => picture) {
  const machine = new SVM({ random: randomNumbers(), ...options });
  const [known, labels] = makePictures(0, paper);
  machine.train(known.map(change), labels);
  const [pictures, expected] = makePictures(50, paper);
  const answers = machine.predict(pictures.map(change));
  const right = answers.filter((answer, index) => answer === expected[index]).length;
  const ones = answers.filter((answer) => answer === 1).length;
  return { right, ones, margins: machine.margin(pictures.map(change)) };
}

/** Return a function that gives the same numbers from 0 to 1 in each run. */
function randomNumbers() {
  let state = 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

console.log("version: ml-svm 2.1.2");
console.log("guess: 40 new pictures of two digits are told apart, whatever the paper is");
const blackCorner = (picture) => picture.map((value, at) => (at === 0 ? 0 : value));
for (const [name, options, paper, change, isSpoilt] of [
  ["noise on the paper", {}, 0.1, undefined, false],
  ["noise on the paper, but a black corner", {}, 0.1, blackCorner, true],
  ["black paper", {}, 0, undefined, true],
  ["black paper, no scaling", { whitening: false }, 0, undefined, false],
]) {
  const { right, ones, margins } = read(options, paper, change);
  console.log(`seen: ${name}: ${right} of 40 right, ${ones} times 1, first margin ${margins[0]}`);
  assert.deepStrictEqual([right, ones], isSpoilt ? [20, 0] : [40, 20], "it reads otherwise now");
  assert.strictEqual(margins.every(Number.isNaN), isSpoilt, "its margins are numbers now");
}
NODE
node read.cjs
