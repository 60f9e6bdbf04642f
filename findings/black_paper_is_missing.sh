#!/usr/bin/env bash
# arff-csv-converter reads each pixel that a sparse ARFF file leaves out as a missing one, and has
# no label for digits of the first class. What is left out there is 0, or the first class; what is
# missing has a question mark. The converter begins with a row of question marks. Converted to CSV,
# the black pixels are empty as well. The same digits in full are read rightly.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    arff-csv-converter==1.1.0 liac-arff==2.5.0 pandas==3.0.3 numpy==2.4.6

cat > read.py <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

import arff
import numpy
from arff_csv import ArffParser, arff_to_csv

ONE = [0, 9, 0] * 5
SEVEN = [8, 8, 8, 0, 0, 8, 0, 8, 0, 0, 8, 0, 0, 8, 0]
PIXELS = numpy.array([ONE, SEVEN])
LABELS = ["1", "7"]
ATTRIBUTES = [(f"pixel{number}", "INTEGER") for number in range(PIXELS.shape[1])]
ATTRIBUTES.append(("label", LABELS))


def write(sparse):
    """Return an ARFF file of the two digits as text."""
    rows = [[*pixels.tolist(), label] for pixels, label in zip(PIXELS, LABELS)]
    if sparse:
        rows = [{at: it for at, it in enumerate(row) if it not in (0, LABELS[0])} for row in rows]
    return arff.dumps({"relation": "digits", "attributes": ATTRIBUTES, "data": rows})


def read(text):
    """Return the pixels and the labels."""
    table = ArffParser().parse_string(text).data
    return table.iloc[:, :-1].to_numpy(float), table["label"].tolist()


packages = ["arff-csv-converter", "liac-arff"]
print("versions:", ", ".join(f"{package} {version(package)}" for package in packages))
print(f"guess: {(PIXELS == 0).sum()} pixels are 0, none is missing; the labels are {LABELS}")
for name, sparse in [("sparse", True), ("full", False)]:
    text = write(sparse)
    pixels, labels = read(text)
    black, missing = (pixels == 0).sum(), numpy.isnan(pixels).sum()
    mean = numpy.nanmean(pixels)
    print(f"seen: {name}: {black} pixels are 0, {missing} are missing, the mean is {mean:.1f}")
    print(f"      labels {labels}")
    Path("digits.arff").write_text(text)
    arff_to_csv("digits.arff", "digits.csv")
    row = Path("digits.csv").read_text().splitlines()[2].split(",")
    print(f"      the 7 as CSV: {','.join(row)}")
    empty = sum(value == "" for value in row)
    assert empty == ((PIXELS[1] == 0).sum() if sparse else 0), "the CSV file is another one now"
    ink = PIXELS > 0
    assert (pixels[ink] == PIXELS[ink]).all(), "the ink is not right any more"
    if sparse:
        assert numpy.isnan(pixels[~ink]).all(), "the black pixels are there now"
        assert labels[1] == "7" and labels[0] not in LABELS, "there is a label now"
    else:
        assert (pixels == PIXELS).all() and labels == LABELS
values, rows, columns = arff.loads(write(True), return_type=arff.COO)["data"]
control = numpy.zeros((2, 16), object)
control[rows, columns] = values
assert (control[:, :-1] == PIXELS).all(), "another reader does not see the digits in this file"
PYTHON
venv/bin/python read.py
