#!/usr/bin/env bash
# ml-naivebayes learns from all pixels of an image, and reads only the first two: its GaussianNB
# goes as far as the length of a pair of numbers, where it means that of the image. Digits, whose
# corners are black, are all the same to it. It also refuses 785 images of 784 pixels, and no
# other number: it compares their number with that of the pixels plus one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund ml-naivebayes@4.0.0

cat > read.mjs <<'NODE'
import assert from "node:assert";
import { GaussianNB } from "ml-naivebayes";

const PIXELS = 784;

/** Return `count` images of noise, in which `pixels` of them are brighter by 5 for the label 1. */
function makeImages(count, label, pixels) {
  const noise = (image, at) => ((image * 31 + at * 17) % 97) / 97;
  const pixel = (image, at) => noise(image, at) + (pixels.includes(at) ? 5 * label : 0);
  return Array.from({ length: count }, (_, image) =>
    Array.from({ length: PIXELS }, (_, at) => pixel(image, at)),
  );
}

/** Return a classifier that was trained on 20 images of each label. */
function trained(pixels) {
  const model = new GaussianNB();
  const images = [...makeImages(20, 0, pixels), ...makeImages(20, 1, pixels)];
  model.train(images, [...Array(20).fill(0), ...Array(20).fill(1)]);
  return model;
}

/** Return how many of 20 images of the label 1 are told from those of the label 0. */
function countRight(pixels) {
  const answers = trained(pixels).predict(makeImages(20, 1, pixels));
  return answers.filter((answer) => answer === 1).length;
}

/** Return the number of answers to `count` images, or the error. */
function outcome(count) {
  try {
    return `${trained([0]).predict(makeImages(count, 1, [0])).length} answers`;
  } catch (error) {
    return error.message;
  }
}

console.log("version: ml-naivebayes 4.0.0");
console.log("guess: classes that differ in most pixels are told apart, in any number of images");
const allButTwo = Array.from({ length: PIXELS - 2 }, (_, at) => at + 2);
for (const [name, pixels, expected] of [
  ["the first pixel", [0], 20],
  ["the second", [1], 20],
  ["the third", [2], 0],
  ["all but the first two", allButTwo, 0],
]) {
  const seen = countRight(pixels);
  console.log(`seen: they differ in ${name}: ${seen} of 20 read rightly`);
  assert.strictEqual(seen, expected, "it reads other pixels now");
}
const refusal = "the dataset must have the same features as the training set";
for (const [count, expected] of [[784, "784 answers"], [785, refusal], [786, "786 answers"]]) {
  console.log(`seen: ${count} images: ${outcome(count)}`);
  assert.strictEqual(outcome(count), expected, "it refuses another number now");
}
NODE
node read.mjs
