#!/usr/bin/env bash
# mahotas makes strokes thicker and one level brighter, or thinner and one level darker: its
# default neighbourhood, a cross of ones, is not only a shape, the ones are added to the pixels
# as well. Closing the gaps of a stroke turns full white, 255, into 254. For 8 bits, 0 stays 0;
# in a picture of 64-bit integers, the background becomes 1 too.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mahotas==1.4.19 scipy==1.17.1

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import mahotas
import numpy as np
from scipy import ndimage

CROSS = ndimage.generate_binary_structure(rank=2, connectivity=1)


def levels(picture: np.ndarray) -> list[int]:
    """Return the different values of the pixels, the smallest first."""
    return np.unique(picture).tolist()


digit = np.zeros((28, 28), dtype=np.uint8)
digit[4:24, 12:16] = 200
white = np.where(digit > 0, np.uint8(255), np.uint8(0))

print("versions: mahotas", version("mahotas"), "scipy", version("scipy"))
print("guess: a thicker or thinner stroke keeps its levels of grey, here 0 and 200, as in scipy")
print("seen: scipy, thicker:           ", levels(ndimage.grey_dilation(digit, footprint=CROSS)))
print("seen: mahotas, thicker:         ", levels(mahotas.dilate(digit)))
print("seen: mahotas, thinner:         ", levels(mahotas.erode(digit)))
print("seen: mahotas, 64 bits, thicker:", levels(mahotas.dilate(digit.astype(np.int64))))
print("seen: mahotas, 255 with gaps closed:", levels(mahotas.close(white)))

assert levels(ndimage.grey_dilation(digit, footprint=CROSS)) == [0, 200], "scipy changed"
assert levels(mahotas.dilate(digit)) == [0, 201], "thicker strokes keep their level now"
assert levels(mahotas.erode(digit)) == [0, 199], "thinner strokes keep their level now"
assert 1 in levels(mahotas.dilate(digit.astype(np.int64))), "the background stays 0 now"
assert levels(mahotas.close(white)) == [0, 254], "closing keeps full white now"
PYTHON
