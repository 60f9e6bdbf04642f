// Run an ONNX file in JavaScript: node onnx_runtime_js.mjs PACKAGE FILE
//
// On standard input come a number of images (4 bytes) and their pixels (float32), again and again.
// For each such message the logits (float32) and the seconds spent (float64) go to standard output.

import { readFileSync, readSync, writeSync } from "node:fs";

const [packageName, file] = process.argv.slice(2);
const module = await import(packageName);
const onnx = module.default ?? module;
onnx.env.wasm.numThreads = 1;
const options = { intraOpNumThreads: 1, executionProviders: [packageName.endsWith("web") ? "wasm" : "cpu"] };
const session = await onnx.InferenceSession.create(readFileSync(file), options);

function receive(size) { // bytes, or null at the end
  const bytes = Buffer.alloc(size);
  for (let filled = 0; filled < size; ) {
    const count = readSync(0, bytes, filled, size - filled);
    if (count === 0) return null;
    filled += count;
  }
  return bytes;
}

function send(array) {
  const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written);
}

for (let head = receive(4); head !== null; head = receive(4)) {
  const count = head.readUInt32LE();
  const pixels = new Float32Array(receive(4 * count * 28 * 28).buffer);
  const started = performance.now();
  const images = new onnx.Tensor("float32", pixels, [count, 1, 28, 28]);
  const { logits } = await session.run({ images });
  const seconds = (performance.now() - started) / 1000;
  send(logits.data);
  send(new Float64Array([seconds]));
}
