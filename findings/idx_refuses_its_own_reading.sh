#!/usr/bin/env bash
# idx2numpy refuses to write the arrays that it read itself, if they have more than one byte an
# entry. It reads them in the file's byte order, and knows only the machine's own when it writes.
# MNIST's files have one byte an entry; QMNIST's labels, 8 integers of 4 bytes a digit, have not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check idx2numpy==1.2.3 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import idx2numpy
import numpy as np


def outcome(entry: str) -> str:
    """Return what happens to labels of the type `entry` that are written, read and written."""
    labels = np.arange(16, dtype=entry).reshape(2, 8)  # two digits, as QMNIST describes them
    idx2numpy.convert_to_file("labels.idx", labels)
    read = idx2numpy.convert_from_file("labels.idx")
    assert np.array_equal(read, labels), "the labels are not read as they were written"
    try:
        idx2numpy.convert_to_file("again.idx", read[:1])
    except idx2numpy.FormatError as error:
        return f"refused: {error}"
    return "written"


print("versions: idx2numpy", version("idx2numpy"), "numpy", version("numpy"))
print("guess: what was read from an IDX file can be written to one")
outcomes = {entry: outcome(entry) for entry in ("uint8", "int16", "int32", "float32", "float64")}
for entry, what in outcomes.items():
    print(f"seen: {entry}: {what}")

assert outcomes.pop("uint8") == "written", "single bytes are refused now"
assert all(what.startswith("refused") for what in outcomes.values()), "longer ones are written now"
PYTHON
