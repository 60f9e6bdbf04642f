#!/usr/bin/env bash
# DruidJS's classical multidimensional scaling (MDS) forgets how long its axes are. From the
# distances between the points of a digit's stroke it should give the stroke again, turned or
# mirrored perhaps. But it returns the eigenvectors without the square roots of their eigenvalues:
# each axis has the same spread, whatever the data. An oval 0 comes out as a small circle.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @saehrimnir/druidjs@0.9.0

cat > scale.mjs <<'NODE'
import assert from "node:assert";
import { MDS, PCA } from "@saehrimnir/druidjs";

// A 0: an oval that is 8 wide and 40 high, in 24 points.
const oval = Array.from({ length: 24 }, (_, step) => {
  const angle = (step / 24) * 2 * Math.PI;
  return [4 * Math.cos(angle), 20 * Math.sin(angle)];
});

/** Return the distances between all pairs of points. */
function distances(points) {
  return points.flatMap((a, at) =>
    points.slice(at + 1).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1])),
  );
}

/** Return the largest error of a distance, and the distances of the points from their middle. */
function judge(points) {
  const expected = distances(oval);
  const errors = distances(points).map((found, at) => Math.abs(found - expected[at]));
  const [x, y] = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / 24);
  const fromMiddle = points.map((point) => Math.hypot(point[0] - x, point[1] - y));
  return [Math.max(...errors), Math.min(...fromMiddle), Math.max(...fromMiddle)];
}

console.log("version: @saehrimnir/druidjs 0.9.0");
console.log("guess: in two dimensions, the distances between points of a plane are kept");
console.log("the oval's points are 4 to 20 from its middle");
for (const [name, Method, isRight] of [["PCA", PCA, true], ["MDS", MDS, false]]) {
  const [error, nearest, farthest] = judge(new Method(oval, { d: 2 }).transform());
  console.log(
    `seen: ${name}: points are ${nearest.toFixed(3)} to ${farthest.toFixed(3)} from the middle;`,
    `distances are off by up to ${error.toFixed(3)}`,
  );
  if (isRight) {
    assert(error < 1e-6 && farthest > 4 * nearest, "the control goes wrong as well");
  } else {
    assert(farthest - nearest < 1e-3, "the axes have their own lengths now");
    assert(farthest < 1, "the distances have their size now");
  }
}
NODE
node scale.mjs
