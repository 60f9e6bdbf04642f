#!/usr/bin/env bash
# DruidJS's classical multidimensional scaling (MDS) forgets how long its axes are. From the
# distances between the points of a digit's stroke it should give the stroke again, turned
# perhaps; but each axis comes out with the same spread and as small as a unit vector: a 1 that is
# five times as high as wide becomes a square. The same is so for any data, such as pixels.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @saehrimnir/druidjs@0.9.0

cat > scale.mjs <<'NODE'
import assert from "node:assert";
import { MDS, PCA } from "@saehrimnir/druidjs";

// The stroke of a 1: up a short slope, then down; 4 wide and 20 high.
const stroke = [];
for (let step = 0; step < 5; step++) stroke.push([step, 16 + step]);
for (let step = 1; step <= 20; step++) stroke.push([4, 20 - step]);

/** Return the distances between all pairs of points. */
function distances(points) {
  return points.flatMap((a, at) =>
    points.slice(at + 1).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1])),
  );
}

/** Return the spread (standard deviation) of the points along each axis. */
function spreads(points) {
  return [0, 1].map((axis) => {
    const mean = points.reduce((sum, point) => sum + point[axis], 0) / points.length;
    const squares = points.reduce((sum, point) => sum + (point[axis] - mean) ** 2, 0);
    return Math.sqrt(squares / points.length);
  });
}

/** Return the largest error of the distances, and the longer spread divided by the shorter. */
function judge(points) {
  const wanted = distances(stroke);
  const error = Math.max(...distances(points).map((found, at) => Math.abs(found - wanted[at])));
  const [one, other] = spreads(points);
  return [error, Math.max(one, other) / Math.min(one, other), Math.max(...distances(points))];
}

console.log("versions: @saehrimnir/druidjs 0.9.0");
console.log("guess: MDS into two dimensions keeps the distances of points in a plane");
const seen = {};
for (const [name, method] of Object.entries({ PCA, MDS })) {
  const [error, ratio, longest] = judge(new method(stroke, { d: 2 }).transform());
  console.log(
    `seen: ${name}: largest error of a distance ${error.toFixed(3)}, longest distance ` +
      `${longest.toFixed(3)}, one axis ${ratio.toFixed(2)} times as long as the other`,
  );
  seen[name] = { error, ratio, longest };
}
console.log("seen: the longest distance of the stroke itself:", Math.max(...distances(stroke)));
assert(seen.PCA.error < 1e-6 && seen.PCA.ratio > 2, "the control (PCA) goes wrong as well");
assert(seen.MDS.ratio < 1.001, "the axes have their own lengths now");
assert(seen.MDS.longest < 1, "the distances have their size now");
NODE
node scale.mjs
