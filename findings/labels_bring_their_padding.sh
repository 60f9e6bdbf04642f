#!/usr/bin/env bash
# netcdfjs reads the padding of a NetCDF file as data. Ten labels of one byte become twelve, and if
# there is one for each record, each of them becomes four; a digit of 7 x 7 bytes gets 52 pixels.
# The format fills each variable up to a multiple of four bytes (but one that is alone in its
# records), and netcdfjs divides this size by that of a number. Where nothing is filled up, the
# number of values is right: 8 x 8 pixels, or labels of 32 bits.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts netcdfjs@4.0.0

cat > write.py <<'PYTHON'
import numpy
from scipy.io import netcdf_file

LABELS = numpy.array([7, 2, 1, 0, 4, 1, 4, 9, 5, 9])


def write(path, size, kind, records):
    """Write ten digits of size x size bytes and their labels, and read them back."""
    pixels = numpy.random.default_rng(1).integers(0, 100, (10, size, size))
    with netcdf_file(path, "w") as file:
        file.createDimension("digit", None if records else 10)
        file.createDimension("row", size)
        file.createDimension("column", size)
        file.createVariable("pixels", "i1", ("digit", "row", "column"))[:] = pixels
        file.createVariable("labels", kind, ("digit",))[:] = LABELS
    with netcdf_file(path, mmap=False) as file:
        assert (file.variables["labels"][:] == LABELS).all()
        assert (file.variables["pixels"][:] == pixels).all()


write("fixed.nc", 7, "i1", False)
write("records.nc", 7, "i1", True)
write("control.nc", 8, "i4", True)
PYTHON
venv/bin/python write.py

cat > read.mjs <<'NODE'
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { NetCDFReader } from "netcdfjs";

/** Return the labels of a file, and the number of pixels of its first digit, or of all. */
function read(path) {
  const file = new NetCDFReader(readFileSync(path));
  const pixels = file.getDataVariable("pixels");
  const labels = file.getDataVariable("labels");
  const count = path === "fixed.nc" ? pixels.length : pixels[0].length;
  console.log(`seen: ${path}: ${count} pixels, labels ${JSON.stringify(labels)}`);
  return [labels.map((label) => [label].flat()), count];
}

const LABELS = [7, 2, 1, 0, 4, 1, 4, 9, 5, 9];
console.log("versions: netcdfjs 4.0.0, scipy 1.17.1");
console.log(`guess: labels ${LABELS}; 490 pixels in ten digits of 7 x 7, 49 in one; 64 of 8 x 8`);
const FILL = 256 - 127; // the format fills bytes with -127
const [fixed, all] = read("fixed.nc");
assert.deepStrictEqual(fixed.flat(), [...LABELS, FILL, FILL], "there are other labels now");
assert.strictEqual(all, 492);
const [records, one] = read("records.nc");
assert.deepStrictEqual(records, LABELS.map((label) => [label, FILL, FILL, FILL]));
assert.strictEqual(one, 52);
const [control, whole] = read("control.nc");
assert.deepStrictEqual(control.flat(), LABELS, "labels of 32 bits are not right any more");
assert.strictEqual(whole, 64);
NODE
node read.mjs
