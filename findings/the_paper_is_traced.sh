#!/usr/bin/env bash
# potracer is offered as a drop-in replacement for pypotrace, which traces the ones of an array.
# potracer traces its zeros: a digit's mask becomes a filled page with a hole where the digit is.
# Integers and floats are compared with 127.5 first: of a mask of 0 and 1 only the page is left, and
# the digit is gone. Right are a mask of True and False that is inverted, and black on white as 0
# and 255.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check potracer==0.0.4 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import potrace

SIZE = 28
ink = np.zeros((SIZE, SIZE), dtype=bool)
ink[4:24, 10:16] = True  # a stroke of 20 x 6 pixels
STROKE = (10, 4, 16, 24)  # left, top, right, bottom
PAGE = (0, 0, SIZE, SIZE)


def outlines(name: str, picture: np.ndarray) -> list[tuple[float, ...]]:
    """Return the box of each outline that potracer finds: left, top, right, bottom."""
    boxes = []
    for curve in potrace.Bitmap(picture).trace():
        points = [curve.start_point]
        for segment in curve.segments:
            points.append(segment.end_point)
            points.extend([segment.c] if segment.is_corner else [segment.c1, segment.c2])
        across = [point.x for point in points]
        down = [point.y for point in points]
        boxes.append((min(across), min(down), max(across), max(down)))
    print(f"seen: {name}: {boxes}")
    return boxes


print("versions: potracer", version("potracer"), "numpy", version("numpy"))
print("guess: one outline, that of the stroke,", STROKE)
mask = outlines("mask of True and False   ", ink)
integers = outlines("the same, 1 and 0 (uint8)", ink.astype(np.uint8))
wide_integers = outlines("as pypotrace's (uint32)  ", ink.astype(np.uint32))
inverted = outlines("inverted mask            ", ~ink)
scan = outlines("black on white, 0 and 255", np.where(ink, 0, 255).astype(np.uint8))

assert mask == [PAGE, STROKE], "a mask is not traced inversely any more"
assert integers == wide_integers == [PAGE], "ones and zeros are told apart now"
assert inverted == scan == [STROKE], "the remedy is none any more"
PYTHON
