#!/usr/bin/env bash
# point-at-length leaves out the elliptical arcs of an SVG path: a 0 that is drawn in two arcs has
# the length 0, and a 6 is as long as its stem. What follows an arc begins where the arc began.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund point-at-length@1.1.0 svg-path-properties@2.0.2

cat > read.cjs <<'NODE'
const assert = require("node:assert");
const pointAtLength = require("point-at-length");
const { svgPathProperties } = require("svg-path-properties");

const digits = [
  ["0", "M5,14 A7,12 0 1 0 19,14 A7,12 0 1 0 5,14", 0],
  ["6", "M18,4 C8,6 6,14 6,18 A6,6 0 1 0 18,18 A6,6 0 1 0 6,18", 20.1],
  ["3", "M6,5 C10,2 19,3 18,9 S12,14 11,14 S20,15 19,21 S9,26 6,23", 53.2],
];

console.log("versions: point-at-length 1.1.0, svg-path-properties 2.0.2");
console.log("guess: both give the same length");
for (const [digit, path, expected] of digits) {
  const right = new svgPathProperties(path).getTotalLength();
  const seen = pointAtLength(path).length();
  console.log(`seen: ${digit}: ${right.toFixed(1)} by svg-path-properties,`,
    `${seen.toFixed(1)} by point-at-length`);
  assert(Math.abs(seen - expected) < 0.05, "it has another length now");
  assert((Math.abs(seen - right) < 0.05) === !path.includes("A"), "arcs are counted now");
}
NODE
node read.cjs
