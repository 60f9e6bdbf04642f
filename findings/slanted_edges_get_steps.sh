#!/usr/bin/env bash
# float_raster, which promises exact shares of pixels, draws a slanted edge in steps, one in each
# row of pixels, where it lies nearer to the top than the polygon to the left: five pixels of 0.8
# and five of 0.2, where ten are due that fall from 0.77 to 0.23. Its lines between the columns
# begin at the smallest x instead of the smallest y. Farther down, the same polygon is right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    float_raster==0.8 numpy==2.4.6 scipy==1.17.1

cat > draw.py <<'PYTHON'
from importlib.metadata import version

import numpy
from float_raster import raster

SIZE = 28
BAR = numpy.array([[0.0, 0.0, 10.0, 10.0], [0.2, 3.2, 3.8, 0.8]])  # of a slanted 7: x, then y


def draw(right, down):
    """Return the pixels of the bar in a picture of 28 x 28, moved by so many whole pixels."""
    borders = numpy.arange(SIZE + 1)
    picture = raster(BAR + [[right], [down]], borders, borders).T  # to rows, then columns
    bar = picture[down : down + 4, right : right + 10].copy()
    assert abs(picture.sum() - bar.sum()) < 1e-9, "there is something beside the bar now"
    return bar


def exact():
    """Return the shares from a picture that is a hundred times as fine."""
    fine = (numpy.arange(1000) + 0.5) / 100
    y, x = fine[:400, None], fine[None, :]
    inside = (y > 0.2 + 0.06 * x) & (y < 3.2 + 0.06 * x)
    return inside.reshape(4, 100, 10, 100).mean((1, 3))


print("version: float_raster", version("float_raster"))
print("guess: the bar's pixels do not depend on its place; its uppermost ones are")
print("      ", exact()[0].round(2))
for right, down, wrong in [(2, 2, False), (2, 20, False), (12, 20, False), (12, 2, True)]:
    bar = draw(right, down)
    error = abs(bar - exact()).max()
    print(f"seen: {right:2} right and {down:2} down: at most {error:.3f} off")
    print("      ", bar[0].round(2))
    assert abs(bar.sum() - 30) < 1e-9, "the area is another one now"
    assert (error > 0.25) == wrong, "another place is drawn wrongly now"
    if wrong:
        assert numpy.allclose(bar[0], [0.8] * 5 + [0.2] * 5), "the step is another one now"
    else:
        assert error < 0.002
PYTHON
venv/bin/python draw.py
