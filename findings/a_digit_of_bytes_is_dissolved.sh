#!/usr/bin/env bash
# elasticdeform dissolves a digit of 8 bits, even where it shall not move any point: in its default
# order, it filters the picture first, and keeps the coefficients in 8 bits, though they are
# negative beside a stroke and can be above 255 on it. Paper gets the grey of ink. The same digit
# in floats is right, and so are orders 0 and 1.
#
# Its wheels need a NumPy before 2.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    elasticdeform==0.5.1 numpy==1.26.4 scipy==1.17.1

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from elasticdeform import deform_grid

one = np.zeros((28, 28), np.uint8)
one[6:22, 12:15] = 200
still = np.zeros((2, 3, 3))  # no point of the grid of 3 x 3 points moves


def deform(picture: np.ndarray, displacement: np.ndarray, **options: int) -> np.ndarray:
    """Return the deformed picture as floats."""
    return deform_grid(picture, displacement, **options).astype(float)


print("versions: elasticdeform", version("elasticdeform"), "numpy", np.__version__)
print("guess: where nothing moves, the digit stays as it is")
print("row 14, columns 8 to 18:", one[14, 8:19].tolist())
seen = deform(one, still)
print("  seen, 8 bits:         ", seen[14, 8:19].astype(int).tolist())
print("  seen, floats:         ", deform(one.astype(float), still)[14, 8:19].round(1).tolist())
print("  seen, 8 bits, order 1:", deform(one, still, order=1)[14, 8:19].astype(int).tolist())
assert np.allclose(deform(one.astype(float), still), one), "floats were right"
assert all((deform(one, still, order=order) == one).all() for order in (0, 1))
ink, paper = seen[one > 0].mean(), seen[(one == 0) & (seen > 60)]
print(f"seen: ink is {ink:.0f} on average; {paper.size} pixels of paper are above 60")
assert ink < 150 and paper.size > 100, "it keeps the digit better now"

random = np.random.default_rng(0)
displacement = random.normal(0, 2, (2, 3, 3))
expected = deform(one.astype(float), displacement).clip(0, 255)
wrong = (np.abs(deform(one, displacement) - expected) > 20).sum()
print(f"seen: deformed, {wrong} pixels are off by more than 20 levels")
assert wrong > 100
assert (np.abs(deform(one, displacement, prefilter=False) - expected) > 60).sum() < 20
PYTHON
