#!/usr/bin/env bash
# A network trained with a dropout of one half halves what its hidden neurons say when it is used,
# since all of them speak then. The code that neataptic writes for such a network (`standalone()`)
# does not halve it, nor does the network's own test(). So the code reads digits otherwise than the
# network, and test() measures an error that the network does not make. JSON keeps the factor.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts neataptic@1.4.7

cat > dropout.cjs <<'NODE'
const assert = require("node:assert");
const { architect, methods, Network } = require("neataptic");

let state = 1;
/** Return the next of the same random numbers in each run, from 0 to 1. */
Math.random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
};

// The digits from 0 to 9, of 3 x 5 pixels, row by row.
const shapes = [
  "111101101101111", "010110010010111", "111001111100111", "111001111001111",
  "101101111001001", "111100111001111", "111100111101111", "111001001001001",
  "111101111101111", "111101111001111",
].map((pixels) => Array.from(pixels, Number));

/** Return `count` pictures of each digit, with grey noise on each pixel. */
function drawDigits(count) {
  return Array.from({ length: 10 * count }, (_, at) => ({
    input: shapes[at % 10].map((ink) => ink + 0.8 * (Math.random() - 0.5)),
    output: shapes.map((_, digit) => Number(digit === at % 10)),
  }));
}

/** Return the digit with the greatest of the ten values. */
const digitOf = (values) => values.indexOf(Math.max(...values));

/** Return how many percent of the digits `read` reads rightly. */
function percentRight(digits, read) {
  const right = digits.filter(({ input, output }) => digitOf(read(input)) === digitOf(output));
  return (100 * right.length) / digits.length;
}

/** Return the greatest difference between the answers of two readers. */
function difference(digits, one, other) {
  return Math.max(
    ...digits.map(({ input }) => {
      const values = other(input);
      return Math.max(...one(input).map((value, at) => Math.abs(value - values[at])));
    }),
  );
}

const [known, fresh] = [drawDigits(20), drawDigits(50)];
console.log("version: neataptic 1.4.7");
console.log("guess: the code, and JSON, answer as the network does");
for (const dropout of [0, 0.5]) {
  const network = new architect.Perceptron(15, 12, 10);
  network.train(known, { iterations: 60, rate: 0.05, dropout });
  const byNetwork = (input) => network.activate(input);
  const byCode = new Function(`${network.standalone()}; return activate;`)();
  const loaded = Network.fromJSON(JSON.parse(JSON.stringify(network.toJSON())));
  const byJson = (input) => loaded.activate(input);

  const apart = difference(fresh, byNetwork, byCode);
  const answers = fresh.map(({ input, output }) => methods.cost.MSE(output, byNetwork(input)));
  const itsError = answers.reduce((sum, error) => sum + error) / answers.length;
  const testError = network.test(fresh, methods.cost.MSE).error;
  const otherwise = fresh.filter(
    ({ input }) => digitOf(byNetwork(input)) !== digitOf(byCode(input)),
  );
  const rights = [byNetwork, byJson, byCode].map((read) => percentRight(fresh, read).toFixed(1));
  console.log(`seen: dropout ${dropout}: read rightly by the network ${rights[0]} %,`,
    `by JSON ${rights[1]} %, by the code ${rights[2]} %`);
  console.log(`  the code reads ${otherwise.length} of ${fresh.length} digits otherwise;`,
    `mean error ${itsError.toFixed(4)}, by test() ${testError.toFixed(4)}`);

  assert(difference(fresh, byNetwork, byJson) < 1e-9, "JSON answers otherwise now");
  assert.strictEqual(apart > 0.2, dropout > 0, "the code answers otherwise now");
  assert.strictEqual(otherwise.length > 20, dropout > 0, "the code reads otherwise now");
  assert.strictEqual(Math.abs(itsError - testError) > 0.001, dropout > 0, "test() is another now");
  for (const node of network.nodes) if (node.type === "hidden") node.mask = 1;
  assert(difference(fresh, byNetwork, byCode) < 1e-9, "the factor is not the only reason now");
}
NODE
node dropout.cjs
