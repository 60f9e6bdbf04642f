#!/usr/bin/env bash
# otsu (npm) finds the threshold that parts ink from paper, and its documentation applies it with
# "greater than". But what it returns is the darkest grey of the bright part, which "greater than"
# leaves to the dark one: a black-and-white digit becomes all black, and of a digit of few greys
# the ink of that one grey is lost. With "greater than or equal", the parts are Otsu's.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts otsu@0.0.5

cat > threshold.js <<'NODE'
const assert = require("node:assert");
const otsu = require("otsu").default;

const seven = [
  "............",
  "..########..",
  "..++++++##..",
  ".......##...",
  "......##+...",
  ".....##+....",
  ".....##.....",
  "............",
].join("");

/** Return the pixels of the digit, with a grey for paper, for faint ink and for ink. */
const draw = (paper, faint, ink) =>
  [...seven].map((sign) => ({ ".": paper, "+": faint, "#": ink })[sign]);

/** Return whether two parts, dark and bright, vary less than any other two that a grey parts. */
function isOtsu(pixels, bright) {
  const spread = (values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  };
  const both = (test) =>
    spread(pixels.filter(test)) + spread(pixels.filter((value) => !test(value)));
  const best = Math.min(...[...new Set(pixels)].map((grey) => both((value) => value >= grey)));
  return Math.abs(both(bright) - best) < 1e-6;
}

console.log("version: otsu 0.0.5");
console.log("guess: what is greater than the threshold is ink, as its documentation has it");
for (const [name, pixels, threshold, greater, orEqual] of [
  ["black and white", draw(0, 255, 255), 255, 0, 26],
  ["greys 10 and 200", draw(10, 200, 200), 200, 0, 26],
  ["greys 0, 130 and 255", draw(0, 130, 255), 130, 18, 26],
]) {
  const seen = otsu(pixels);
  const ink = pixels.filter((value) => value > seen).length;
  const inkOrEqual = pixels.filter((value) => value >= seen).length;
  console.log(`seen: ${name}: threshold ${seen}: ${ink} pixels of ink; with >=, ${inkOrEqual}`);
  assert.strictEqual(seen, threshold, "the threshold is another now");
  assert.deepStrictEqual([ink, inkOrEqual], [greater, orEqual], "the ink is counted otherwise");
  assert(isOtsu(pixels, (value) => value >= seen), "with >=, the parts are not Otsu's");
  assert(!isOtsu(pixels, (value) => value > seen), "with >, the parts are Otsu's now");
}
NODE
node threshold.js
