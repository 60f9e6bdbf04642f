#!/usr/bin/env bash
# rdp simplifies a stroke to the points that are farther than epsilon from a line, and measures,
# as it says, to the endless line through two points, not to the piece between them. If the pen
# goes back along its own trace and stops there, what it drew beyond that place is cut off,
# however long it is. Shapely measures to the piece.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rdp==0.8 shapely==2.1.2 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from rdp import rdp
from shapely import LineString, Point

EPSILON = 1.0  # pixels
# To the right by 20 pixels, back along the same trace by 15, and down: the way of a pen.
there_and_back = np.array([[0, 0], [10, 0], [20, 0], [5, 0]], dtype=float)
and_down = np.array([*there_and_back, [5, 20]])


def farthest(stroke: np.ndarray, simplified: list[list[float]]) -> float:
    """Return the largest distance of a point of `stroke` from the `simplified` one, in pixels."""
    line = LineString(simplified)
    return max(line.distance(Point(point)) for point in stroke)


print("versions: rdp", version("rdp"), "shapely", version("shapely"))
print(f"guess: with an epsilon of {EPSILON}, no point is farther away than that")
for stroke, expected in ((there_and_back, 15.0), (and_down, 0.0)):
    by_rdp = rdp(stroke, epsilon=EPSILON).tolist()
    simplified = LineString(stroke).simplify(EPSILON, preserve_topology=False)
    by_shapely = [list(point) for point in simplified.coords]
    seen = farthest(stroke, by_rdp)
    print("seen: the stroke:", stroke.tolist())
    print(f"  by rdp:     {by_rdp}, farthest {seen:.1f}")
    print(f"  by shapely: {by_shapely}, farthest {farthest(stroke, by_shapely):.1f}")
    assert farthest(stroke, by_shapely) <= EPSILON, "shapely cuts something off now"
    assert seen == expected, "rdp cuts something else off now"
PYTHON
