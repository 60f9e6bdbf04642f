#!/usr/bin/env bash
# ml-naivebayes reads 784 or 786 images of 28x28 pixels at once, but refuses 785, with an error that
# says they have other features than the training set. It compares their number with the number of
# pixels and one, where it should compare the pixels: images of another size are not refused.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund ml-naivebayes@4.0.0

cat > read.mjs <<'NODE'
import assert from "node:assert";
import { GaussianNB } from "ml-naivebayes";

/** Return `count` images of `pixels` pixels, all a little different, brighter with each label. */
function makeImages(count, pixels, label) {
  const pixel = (image, at) => label + ((image * 31 + at * 17) % 97) / 97;
  return Array.from({ length: count }, (_, image) =>
    Array.from({ length: pixels }, (_, at) => pixel(image, at)),
  );
}

const model = new GaussianNB();
const labels = [...Array(20).fill(0), ...Array(20).fill(1)];
model.train([...makeImages(20, 784, 0), ...makeImages(20, 784, 1)], labels);

/** Return how many of `count` images have an answer, or the error. */
function outcome(count, pixels) {
  try {
    return `${model.predict(makeImages(count, pixels, 1)).length} answers`;
  } catch (error) {
    return error.message;
  }
}

console.log("version: ml-naivebayes 4.0.0");
console.log("guess: any number of images is read, and images of another size are refused");
const refusal = "the dataset must have the same features as the training set";
for (const [count, pixels, expected] of [
  [784, 784, "784 answers"],
  [785, 784, refusal],
  [786, 784, "786 answers"],
  [10, 783, "10 answers"],
]) {
  const seen = outcome(count, pixels);
  console.log(`seen: ${count} images of ${pixels} pixels: ${seen}`);
  assert.strictEqual(seen, expected, "it answers otherwise now");
}
NODE
node read.mjs
