#!/usr/bin/env bash
# ml-knn counts the votes from the farthest neighbour to the nearest, and the first to lead wins a
# tie. So with k=2 the nearer neighbour never decides: where the two disagree, the farther one is
# believed. On real digits two neighbours read worse than one; they should read just as well.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-learn==1.9.1
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund ml-knn@3.0.0

# 1,797 digits of 8 x 8 pixels, the first 1,000 to learn from.
venv/bin/python -c "
import json
from sklearn.datasets import load_digits
images, labels = load_digits(return_X_y=True)
print(json.dumps({'images': images.tolist(), 'labels': labels.tolist()}))
" > digits.json

cat > neighbours.mjs <<'NODE'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import KNN from "ml-knn";

console.log("version: ml-knn 3.0.0");
console.log("guess: of two neighbours that disagree the nearer one is believed, or chance decides");

for (const [near, far] of [[3, 8], [8, 3]]) {
  const answer = new KNN([[0], [10]], [near, far], { k: 2 }).predict([1]);
  console.log(`seen: digit ${near} at distance 1, digit ${far} at distance 9, k=2: ${answer}`);
  assert.strictEqual(answer, far, "the farther neighbour does not win any more");
}

const LEARNED = 1000;
const { images, labels } = JSON.parse(readFileSync("digits.json"));
const asked = images.slice(LEARNED);
const truth = labels.slice(LEARNED);

/** Return how many of the other digits are read wrongly. */
function errors(k) {
  const answers = new KNN(images.slice(0, LEARNED), labels.slice(0, LEARNED), { k }).predict(asked);
  const wrong = answers.filter((answer, index) => answer !== truth[index]).length;
  console.log(`seen: k=${k}: ${wrong} of ${asked.length} digits read wrongly`);
  return wrong;
}

const [one, two] = [1, 2].map(errors);
assert(two > one, "two neighbours read as well as one now");
NODE
node neighbours.mjs
