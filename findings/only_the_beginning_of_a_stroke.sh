#!/usr/bin/env bash
# visvalingamwyatt, asked for fewer points than a stroke has, as a number or as a share, takes one
# too many and then cuts the list: the end of the stroke is lost. Where points count for the same,
# as in a straight stroke, more is lost: asked for 3 of the 25 points of a 1, it gives the uppermost
# 3. The default, nine in ten points, loses the end as well. A threshold keeps it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    visvalingamwyatt==0.3.0 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from visvalingamwyatt import simplify

ONE = [(14, row) for row in range(2, 27)]  # a 1 is drawn straight down
TWO = [(8, 8), (9, 5), (12, 3), (16, 3), (19, 6), (19, 10), (16, 15), (12, 20), (8, 25), (20, 25)]


def as_points(stroke: list) -> list[tuple[int, int]]:
    """Return the points of the stroke as tuples."""
    return [(int(x), int(y)) for x, y in stroke]


print("versions: visvalingamwyatt", version("visvalingamwyatt"), "numpy", np.__version__)
print("guess: a simpler stroke begins and ends where the stroke does")
by_threshold = as_points(simplify(ONE, threshold=1))
print("seen: a 1 by a threshold:", by_threshold)
assert by_threshold == [ONE[0], ONE[-1]], "a threshold kept both ends"

shortened = as_points(simplify(ONE, number=3))
print("seen: 3 points of the 1:", shortened)
assert shortened == ONE[:3], "it keeps other points now"
assert as_points(simplify(ONE)) == ONE[:22], "its default is another one now"

for count in range(2, len(TWO)):
    points = as_points(simplify(TWO, number=count))
    print(f"seen: {count} points of a 2, which ends at {TWO[-1]}: the last is {points[-1]}")
    assert len(points) == count and points[0] == TWO[0]
    assert points[-1] != TWO[-1], "it keeps the end now"
assert as_points(simplify(TWO, threshold=5))[-1] == TWO[-1], "a threshold kept the end"
PYTHON
