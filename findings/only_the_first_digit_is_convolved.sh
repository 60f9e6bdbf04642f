#!/usr/bin/env bash
# ONNX.js on the CPU convolves only the first picture of a batch; for each further picture it
# returns the bias of the convolution, or 0 without one, whatever its pixels are. In the loop over
# the pictures, the place to read from and to write to is set back to 0 each time: the first
# picture is convolved again and again. Pictures one by one are right, and so is a matrix product
# of the same batch.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts onnxjs@0.1.8 onnx-proto@4.0.4

cat > batch.cjs <<'NODE'
const assert = require("node:assert");
const { InferenceSession, Tensor } = require("onnxjs");
const { onnx } = require("onnx-proto");

const FLOAT = 1;
const [WIDTH, HEIGHT] = [3, 5];
const PIXELS = WIDTH * HEIGHT;
// digits of 3 x 5 pixels, row by row; ink is 1 and paper is -1
const DIGITS = [
  "111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
  "111100111001111", "111100111101111", "111001001001001", "111101111101111", "111101111001111",
].map((rows) => Array.from(rows, (pixel) => (pixel === "1" ? 1 : -1)));

/** Return a network whose one layer has each digit as its weights: the best score is the digit. */
function network(type, count) {
  const info = (name, shape) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: shape.map((n) => ({ dimValue: n })) } } },
  });
  const columns = DIGITS[0].flatMap((_, at) => DIGITS.map((digit) => digit[at]));
  const weights = type === "Conv" ? DIGITS.flat() : columns;
  const shape = type === "Conv" ? [10, 1, HEIGHT, WIDTH] : [PIXELS, 10];
  const input = type === "Conv" ? [count, 1, HEIGHT, WIDTH] : [count, PIXELS];
  return onnx.ModelProto.encode({
    irVersion: 3,
    opsetImport: [{ domain: "", version: 9 }],
    graph: {
      name: "digits",
      node: [{ opType: type, input: ["pictures", "weights"], output: ["scores"] }],
      initializer: [{ name: "weights", dataType: FLOAT, dims: shape, floatData: weights }],
      input: [info("pictures", input), info("weights", shape)],
      output: [info("scores", type === "Conv" ? [count, 10, 1, 1] : [count, 10])],
    },
  }).finish();
}

/** Return the ten scores that the layer gives to each of the digits. */
async function scores(type, digits) {
  const session = new InferenceSession({ backendHint: "cpu" });
  await session.loadModel(Uint8Array.from(network(type, digits.length)));
  const shape = type === "Conv" ? [digits.length, 1, HEIGHT, WIDTH] : [digits.length, PIXELS];
  const pixels = Float32Array.from(digits.flatMap((digit) => DIGITS[digit]));
  const pictures = new Tensor(pixels, "float32", shape);
  const { data } = (await session.run([pictures])).values().next().value;
  return digits.map((_, at) => Array.from(data.slice(at * 10, at * 10 + 10)));
}

const answer = (ten) => ten.indexOf(Math.max(...ten));

(async () => {
  const digits = [3, 1, 4, 1, 5, 9];
  console.log("version: onnxjs 0.1.8");
  console.log(`guess: a convolution with digits as weights reads ${digits} at once as one by one`);
  const single = [];
  for (const digit of digits) single.push(...(await scores("Conv", [digit])));
  const product = await scores("MatMul", digits);
  const batch = await scores("Conv", digits);
  console.log(`seen: one by one: ${single.map(answer)}`);
  console.log(`seen: as a matrix product: ${product.map(answer)}`);
  console.log(`seen: at once: best scores ${batch.map((ten) => Math.max(...ten))}; ` +
    `one by one: ${single.map((ten) => Math.max(...ten))}`);
  assert.deepStrictEqual(single.map(answer), digits);
  assert.deepStrictEqual(product.map(answer), digits);
  assert.deepStrictEqual(batch[0], single[0], "the first picture is convolved otherwise now");
  for (const ten of batch.slice(1)) {
    assert(ten.every((score) => score === 0), "a further picture of the batch is convolved now");
  }
})().catch((error) => { console.error(error); process.exit(1); });
NODE
node batch.cjs
