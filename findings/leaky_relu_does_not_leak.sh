#!/usr/bin/env bash
# The leaky ReLU of brain.js lets nothing of a negative number through, and a hundredth of a
# positive one: the small slope is on the wrong side. Each layer divides what it passes on by 100,
# unless another slope is given. A slope that was given is not saved: a network that comes back
# from JSON has a hundredth again, even in an object that was made with the right slope, and reads
# digits otherwise. (The project says that the slope is mended in its betas of version 2.)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts brain.js@1.6.1

cat > leaky.cjs <<'NODE'
const assert = require("node:assert");
const { NeuralNetwork } = require("brain.js");

/** Return what a network of one weight, 1, and no bias makes of a number. */
function through(activation, number) {
  const network = new NeuralNetwork();
  const layers = [{ 0: {} }, { 0: { bias: 0, weights: { 0: 1 } } }];
  network.fromJSON({ sizes: [1, 1], layers, activation });
  const value = network.run([number])[0];
  assert(Math.abs(value - network.toFunction()([number])[0]) < 1e-6, "its code differs now");
  return Math.round(value * 1e6) / 1e6;
}

let state = 1;
/** Return the next of the same random numbers in each run, from 0 to 1. */
Math.random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
};

console.log("version: brain.js 1.6.1");
console.log("guess: a leaky ReLU makes 3 of 3, and -0.03 of -3");
for (const [activation, expected] of [["relu", [3, 0]], ["leaky-relu", [0.03, 0]]]) {
  const values = [3, -3].map((number) => through(activation, number));
  console.log(`seen: ${activation}: 3 and -3 become ${values.join(" and ")}`);
  assert.deepStrictEqual(values, expected, "it makes something else of them now");
}

// The digits from 0 to 9, of 3 x 5 pixels, row by row.
const digits = [
  "111101101101111", "010110010010111", "111001111100111", "111001111001111",
  "101101111001001", "111100111001111", "111100111101111", "111001001001001",
  "111101111101111", "111101111001111",
].map((pixels, digit, { length }) => ({
  input: Array.from(pixels, Number),
  output: Array.from({ length }, (_, at) => Number(at === digit)),
}));

/** Return what the network reads in each of the ten digits. */
function readBy(network) {
  return digits.map(({ input }) => {
    const values = Array.from(network.run(input));
    return values.indexOf(Math.max(...values));
  });
}
const expected = digits.map((_, digit) => digit);
for (const options of [{ activation: "tanh" }, { activation: "leaky-relu", leakyReluAlpha: 0.5 }]) {
  const network = new NeuralNetwork({ hiddenLayers: [40], ...options });
  network.train(digits, { iterations: 3000, errorThresh: 0.001, learningRate: 0.05 });
  const loaded = new NeuralNetwork(options);
  loaded.fromJSON(JSON.parse(JSON.stringify(network.toJSON())));
  console.log(`seen: ${JSON.stringify(options)}: 0 to 9 are read as`, readBy(network).join(" "));
  console.log("  saved and loaded:", readBy(loaded).join(" "));
  assert.deepStrictEqual(readBy(network), expected, "it does not learn the digits so now");
  if (options.leakyReluAlpha) {
    assert.notDeepStrictEqual(readBy(loaded), expected, "the slope is saved now");
    loaded.leakyReluAlpha = options.leakyReluAlpha;
  }
  assert.deepStrictEqual(readBy(loaded), expected, "the slope is not all that is lost now");
}
NODE
node leaky.cjs
