#!/usr/bin/env bash
# imread reads the 32-bit floats of a TIFF as whole numbers with the same bits: the greys 0, 0.5
# and 1 of a digit become 0, 1,056,964,608 and 1,065,353,216. So nearly all that is not black is
# nearly white. There is no error; the array says that it has 32-bit unsigned integers.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    imread==0.7.6 tifffile==2026.3.3 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import imread
import numpy as np
import tifffile

GREYS = np.array([[0, 0.01, 0.25, 0.5, 1]], dtype=np.float32)

tifffile.imwrite("digit.tif", GREYS, photometric="minisblack")
seen = imread.imread("digit.tif")

print("versions: imread", version("imread"), "tifffile", version("tifffile"))
print("guess: floats are read as floats, or refused")
print("seen: by tifffile:", tifffile.imread("digit.tif")[0].tolist())
print("seen: by imread:  ", seen[0].tolist(), seen.dtype)
print("seen: as shares of white:", (seen[0] / seen.max()).round(3).tolist())

assert (tifffile.imread("digit.tif") == GREYS).all(), "tifffile reads other numbers now"
assert seen.dtype == np.uint32 and (seen == GREYS.view(np.uint32)).all(), "it reads others now"
PYTHON
