#!/usr/bin/env bash
# fastmorph's erosion by a ball of radius 1, the default, takes nothing from a digit. Its opening is
# then a dilation: it does not remove a speck, but makes a cross of it, and makes each stroke
# thicker by one pixel on each side. Closing does the same. With any whole radius the erosion takes
# too little: it keeps the pixels whose distance to the paper is exactly the radius, and the
# dilation adds the pixels at exactly that distance. With 1.5, no pixel is at that distance, and all
# comes out as with scipy.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  fastmorph==1.10.0 numpy==2.4.6 scipy==1.17.1

cat > open.py <<'PYTHON'
from importlib.metadata import version

import fastmorph
import numpy as np
from scipy import ndimage

print("versions:", *(f"{name} {version(name)}" for name in ["fastmorph", "numpy", "scipy"]))

digit = np.zeros((28, 28), bool)  # a 7 whose strokes are 3 pixels wide, and a speck of one pixel
digit[5:8, 7:20] = True
digit[8:24, 15:18] = True
digit[20, 5] = True


def ball(radius):
    """Return all pixels that are not farther than the radius from the middle."""
    reach = int(radius)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return rows**2 + columns**2 <= radius**2


def inks(radius):
    """Return the digit, eroded, opened and closed, by fastmorph and by scipy."""
    by_fastmorph = [
        fastmorph.spherical_erode(digit, radius),
        fastmorph.spherical_open(digit, radius),
        fastmorph.spherical_close(digit, radius),
    ]
    by_scipy = [
        ndimage.binary_erosion(digit, ball(radius)),
        ndimage.binary_opening(digit, ball(radius)),
        ndimage.binary_closing(digit, ball(radius)),
    ]
    return by_fastmorph, by_scipy


print("guess: erosion and opening leave less ink than before, and both libraries the same")
print(f"ink: {digit.sum()} pixels; eroded, opened, closed:")
for radius in (1, 1.5, 2):
    seen, right = inks(radius)
    print(f"seen: radius {radius}: fastmorph {[int(each.sum()) for each in seen]},",
          f"scipy {[int(each.sum()) for each in right]}")

seen, right = inks(1)
dilated = ndimage.binary_dilation(digit, ball(1))
assert (seen[0] == digit).all(), "the erosion takes something now"
assert (seen[1] == dilated).all() and (seen[2] == dilated).all(), "they are no dilations now"
assert not right[1][20, 5] and seen[1][19:22, 4:7].sum() == 5, "the speck is no cross now"
assert (fastmorph.spherical_open(digit) == dilated).all(), "the default is another radius now"
assert (fastmorph.spherical_dilate(digit, 1) == dilated).all(), "the dilation is wrong now"
for one, other in zip(*inks(1.5), strict=True):
    assert (one == other).all(), "with 1.5, the results differ now"
seen, right = inks(2)
assert seen[1].sum() > digit.sum() > right[1].sum(), "with 2, opening leaves less ink now"
PYTHON
venv/bin/python open.py
