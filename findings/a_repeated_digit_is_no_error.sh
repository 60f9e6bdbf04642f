#!/usr/bin/env bash
# word-error-rate counts the errors in a line that was read, word by word; here a word is a digit.
# At the beginning of a line, a digit that is read too often, or not at all, can cost nothing if it
# equals the first digit of the other number: 7 7 7 7 for 7 has no error, and 5 1 for 5 5 5 1
# neither. Its table of distances begins with the first digits, not with nothing read yet, and in
# its first row and column an equal digit costs nothing, however many there were before. Counts can
# be too small; if neither line is empty, they are never too large.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts word-error-rate@0.0.7

cat > compare.js <<'NODE'
const assert = require("node:assert");
const { calculateEditDistance, wordErrorRate } = require("word-error-rate");

/** Return how many digits must be inserted, left out or replaced to make one number of another. */
function countErrors(read, written) {
  let above = Array.from({ length: written.length + 1 }, (_, at) => at);
  for (let row = 1; row <= read.length; row++) {
    const current = [row];
    for (let column = 1; column <= written.length; column++) {
      const replaced = above[column - 1] + (read[row - 1] === written[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, above[column] + 1, current[column - 1] + 1));
    }
    above = current;
  }
  return above[written.length];
}

console.log("version: word-error-rate 0.0.7");
console.log("guess: each digit that is read too often, not at all or wrongly is one error");
for (const [read, written, right, seen] of [
  ["7 7 7 7", "7", 3, 0],
  ["7", "7 7 7 7", 3, 0],
  ["5 1", "5 5 5 1", 2, 0],
  ["3 4 9 9", "9", 3, 2],
  ["1 8", "8 1", 2, 2], // three controls: these are counted rightly
  ["9 1 2", "1 2", 1, 1],
  ["3 1 4 1 5", "3 7 4 1 6", 2, 2],
]) {
  const errors = calculateEditDistance(read, written);
  const rate = wordErrorRate(read, written);
  console.log(`seen: ${read} for ${written}: ${errors} errors (${right} right), rate ${rate}`);
  assert.strictEqual(errors, seen, "it counts otherwise now");
  assert.strictEqual(countErrors(read.split(" "), written.split(" ")), right);
}

const numbers = [1, 2, 3, 4].flatMap((length) =>
  Array.from({ length: 3 ** length }, (_, at) => [...at.toString(3).padStart(length, "0")]));
const counts = { tooSmall: 0, right: 0, tooLarge: 0, wrongButNone: 0 };
for (const read of numbers) {
  for (const written of numbers) {
    const seen = calculateEditDistance(read.join(" "), written.join(" "));
    const right = countErrors(read, written);
    counts[seen < right ? "tooSmall" : seen > right ? "tooLarge" : "right"] += 1;
    counts.wrongButNone += seen === 0 && right > 0 ? 1 : 0;
  }
}
console.log("all pairs of numbers of 1 to 4 digits that are 0, 1 or 2:", JSON.stringify(counts));
assert.deepStrictEqual(counts, { tooSmall: 1404, right: 12996, tooLarge: 0, wrongButNone: 108 });
NODE
node compare.js
