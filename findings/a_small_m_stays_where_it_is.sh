#!/usr/bin/env bash
# @remotion/paths moves no path that begins with a small m and goes on with small letters, as
# drawing programs save it: translatePath returns it as it was, and resetPath, which shall put the
# box of a digit to 0, 0, leaves it in its corner. If a capital other than Z follows, the digit is
# torn: the points after capitals are moved, the beginning is not. It takes the first m for
# relative, but nothing is before it: the format says that it is absolute. A path that begins with
# M is moved rightly, and the box of a digit is right with both.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @remotion/paths@4.0.529 svgpath@2.6.0

cat > move.mjs <<'NODE'
import assert from "node:assert";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { getBoundingBox, resetPath, translatePath } = require("@remotion/paths");
const svgpath = require("svgpath");

/** Return left, top, right and bottom of a path. */
function boxOf(path) {
  const { x1, y1, x2, y2 } = getBoundingBox(path);
  return [x1, y1, x2, y2];
}

const HERE = [40, 60, 52, 80];
const RIGHT = [50, 65, 62, 85];
const ORIGIN = [0, 0, 12, 20];

console.log("versions: @remotion/paths 4.0.529, svgpath 2.6.0");
console.log(`guess: moved by 10 and 5, the 7 reaches from ${RIGHT}; reset, it does from ${ORIGIN}`);
for (const [name, path, moved, reset] of [
  ["small letters", "m 40 60 h 12 l -8 20", HERE, HERE],
  ["a small m, then capitals", "m 40 60 H 52 L 44 80", [40, 60, 62, 85], [4, 20, 40, 60]],
  ["capitals", "M 40 60 H 52 L 44 80", RIGHT, ORIGIN],
  ["a capital M, then small letters", "M 40 60 h 12 l -8 20", RIGHT, ORIGIN],
]) {
  const seen = boxOf(translatePath(path, 10, 5));
  const seenReset = boxOf(resetPath(path));
  console.log(`seen: ${name}: moved ${seen}, reset ${seenReset}`);
  assert.deepStrictEqual(boxOf(path), HERE, "the four paths are not the same digit");
  assert.deepStrictEqual(boxOf(svgpath(path).translate(10, 5).toString()), RIGHT);
  assert.deepStrictEqual(seen, moved, "it is moved otherwise now");
  assert.deepStrictEqual(seenReset, reset, "it is reset otherwise now");
}
NODE
node move.mjs
