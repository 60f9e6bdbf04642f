#!/usr/bin/env bash
# doxapy, a library that makes pictures black and white, reads the memory of an array and not the
# array: a transposed view comes out as if it had not been transposed. EMNIST stores its digits
# transposed, so `digit.T` is the first thing one does to them. A square picture raises nothing.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check doxapy==0.9.2 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import doxapy
import numpy as np


def binarize(picture: np.ndarray) -> np.ndarray:
    """Return `picture` in black and white, by Otsu's threshold, as doxapy's page shows it."""
    black_and_white = np.empty(picture.shape, picture.dtype)
    otsu = doxapy.Binarization(doxapy.Binarization.Algorithms.OTSU)
    otsu.initialize(picture)
    otsu.to_binary(black_and_white, {})
    return black_and_white


stored = np.full((28, 28), 230, dtype=np.uint8)  # paper
stored[13:16, 4:24] = 20  # a digit 1, stored lying on its side
upright = stored.T

copied = binarize(upright.copy())
viewed = binarize(upright)

print("versions: doxapy", version("doxapy"), "numpy", version("numpy"))
print("guess: a transposed view gives what its copy gives")
for name, result in (("copy", copied), ("view", viewed)):
    height, width = (np.ptp(positions) + 1 for positions in np.nonzero(result == 0))
    print(f"seen: the ink of the {name} is {height} pixels tall and {width} wide")

assert np.array_equal(copied == 0, upright == 20), "the copy is not read as it was"
assert np.array_equal(viewed == 0, stored == 20), "the view is not read as it was"
PYTHON
