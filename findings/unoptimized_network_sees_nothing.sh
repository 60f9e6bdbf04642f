#!/usr/bin/env bash
# synaptic turns a network into fast code when it is first used. Asked to run without that code
# again, a trained perceptron gives each picture the same answer: whatever its connections carry is
# multiplied by 0, and only the biases are left. The weights themselves are kept, so that a copy
# by way of JSON, or the fast code, still reads the digits.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts synaptic@1.1.4

cat > unoptimized.cjs <<'NODE'
const assert = require("node:assert");
const { Architect, Network, Trainer } = require("synaptic");

let state = 1;
/** Return the next of the same random numbers in each run, from 0 to 1. */
Math.random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
};

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
    const values = network.activate(input);
    return values.indexOf(Math.max(...values));
  });
}

/** Return a network that has learned the ten digits; `isFast` is the way that it takes for this. */
function learn(isFast) {
  const network = new Architect.Perceptron(15, 20, 10);
  if (!isFast) network.setOptimize(false);
  new Trainer(network).train(digits, { iterations: 3000, rate: 0.3, error: 0.0005 });
  return network;
}

/** Return a copy that is saved as JSON, loaded, and runs without the fast path. */
function slowCopy(network) {
  const copy = Network.fromJSON(JSON.parse(JSON.stringify(network)));
  copy.setOptimize(false);
  return copy;
}

/** Say what was read, and return whether the ten digits got one and the same answer. */
function report(name, answers) {
  console.log(`seen: ${name}: the digits 0 to 9 are read as ${answers.join(" ")}`);
  return new Set(answers).size === 1;
}

console.log("version: synaptic 1.1.4");
console.log("guess: the fast path changes only how fast it is");
const expected = digits.map((_, digit) => digit);

const slow = learn(false);
report("never on the fast path", readBy(slow));
assert.deepStrictEqual(readBy(slow), expected, "it does not learn the digits so now");

const network = learn(true);
report("on the fast path", readBy(network));
assert.deepStrictEqual(readBy(network), expected, "it does not learn the digits so now");
network.setOptimize(false);
assert(report("off the fast path", readBy(network)), "it sees the picture now");
const neurons = [network.layers.input, ...network.layers.hidden].flatMap(({ list }) => list);
const connections = neurons.flatMap((neuron) => Object.values(neuron.connections.projected));
assert.strictEqual(connections.length, 15 * 20 + 20 * 10);
assert(connections.every(({ weight, gain }) => weight !== 0 && gain === 0), "it is another cause");
report("a copy off the fast path", readBy(slowCopy(network)));
assert.deepStrictEqual(readBy(slowCopy(network)), expected, "the weights are lost now");
network.setOptimize(true);
report("on the fast path again", readBy(network));
assert.deepStrictEqual(readBy(network), expected, "the weights are lost now");
NODE
node unoptimized.cjs
