#!/usr/bin/env bash
# OpenImageIO turns a TIFF that says that 0 is white into one in which 0 is black, so that the paper
# is bright and the ink is dark. With 16 bits a pixel it does not: the same picture is its negative.
# It is turned with 8 bits.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check OpenImageIO==3.2.2.0 numpy==2.4.6 \
    tifffile==2026.3.3 scikit-learn==1.9.1

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import OpenImageIO
import tifffile
from sklearn.datasets import load_digits

INK = load_digits().images[5] / 16  # 8 x 8, 0 is paper, 1 is ink


def by_openimageio(name: str) -> np.ndarray:
    """Return the values that OpenImageIO reads, from 0 for black to 1 for white."""
    file = OpenImageIO.ImageInput.open(name)
    pixels = file.read_image(format=OpenImageIO.FLOAT)
    file.close()
    return np.asarray(pixels)[:, :, 0]


print("versions: OpenImageIO", version("OpenImageIO"), "tifffile", version("tifffile"))
print("guess: the paper is 1 and the ink is 0, whatever 0 means in the file, and with all depths")
for kind in (np.uint8, np.uint16):
    black = np.iinfo(kind).max
    for zero, ink in (("black", 1 - INK), ("white", INK)):
        pixels = np.round(ink * black).astype(kind)
        tifffile.imwrite("digit.tif", pixels, photometric=f"minis{zero}")
        seen = by_openimageio("digit.tif")
        is_right = abs(seen - (1 - INK)).max() < 0.01
        is_negative = abs(seen - INK).max() < 0.01
        print(f"seen: {8 * pixels.itemsize} bits, 0 is {zero}: paper {seen[0, 0]:.2f},", end=" ")
        print(f"darkest ink {seen[INK == 1][0]:.2f}")
        assert is_negative == (kind == np.uint16 and zero == "white"), "it is read otherwise now"
        assert is_right != is_negative, "neither the digit nor its negative"
PYTHON
