#!/usr/bin/env bash
# The area under the ROC curve that scikit.js gives for labels and predictions draws no such curve:
# each picture's label and score are taken for a point of it, and the points are joined in the
# order of the pictures. A classifier whose scores are the labels has an area of 0.5, one that is
# always wrong can have 1, and the same pictures in another order can have another area. If one
# computes the rates of the curve and passes them instead, as the library's own tests do, the area
# is the right one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts scikitjs@1.24.0 \
    @tensorflow/tfjs@4.22.0

cat > area.cjs <<'NODE'
const assert = require("node:assert");
console.warn = () => {}; // no hint at a faster package
const scikit = require("scikitjs");
scikit.setBackend(require("@tensorflow/tfjs"));

/** Return the share of pairs of a 1 and a 0 in which the 1 has the greater score. */
function areaOfPairs(labels, scores) {
  const [ones, zeros] = [1, 0].map((label) => scores.filter((_, at) => labels[at] === label));
  const pairs = ones.flatMap((one) => zeros.map((zero) => (one > zero) + (one === zero) / 2));
  return pairs.reduce((sum, won) => sum + won, 0) / pairs.length;
}

/** Return the rates of 0s and of 1s whose scores reach a limit, for each limit. */
function curve(labels, scores) {
  const limits = [Infinity, ...[...new Set(scores)].sort((one, other) => other - one)];
  const rate = (label, limit) => {
    const found = scores.filter((_, at) => labels[at] === label);
    return found.filter((score) => score >= limit).length / found.length;
  };
  return [0, 1].map((label) => limits.map((limit) => rate(label, limit)));
}

const area = (...pair) => scikit.metrics.rocAucScore(...pair).toFixed(2);
const labels = Array.from({ length: 100 }, (_, at) => ((at * 7) % 10 < 5 ? 0 : 1)); // 50 and 50
const sorted = [...labels.keys()].sort((first, second) => labels[first] - labels[second]);
const inOrder = (values) => sorted.map((at) => values[at]);
console.log("versions: scikitjs 1.24.0, @tensorflow/tfjs 4.22.0");
console.log("guess: the area is the share of pairs of a 1 and a 0 that are in the right order");
for (const [name, scores, right, mixed, zerosFirst] of [
  ["a perfect classifier", labels, "1.00", "0.50", "0.50"],
  ["one that is always wrong", labels.map((label) => 1 - label), "0.00", "1.00", "0.50"],
  ["a good one", labels.map((label, at) => 0.4 * label + (0.6 * ((at * 37) % 101)) / 101),
    "0.94", "0.09", "0.39"],
]) {
  const seen = [area(labels, scores), area(inOrder(labels), inOrder(scores))];
  const control = area(...curve(labels, scores));
  console.log(`seen: ${name}: ${seen[0]}, with all 0s first ${seen[1]};`
    + ` from the rates of its curve ${control}`);
  assert.strictEqual(areaOfPairs(labels, scores).toFixed(2), right);
  assert.strictEqual(control, right, "it has another area for the rates now");
  assert.deepStrictEqual(seen, [mixed, zerosFirst], "it has another area for the labels now");
}
NODE
node area.cjs
