#!/usr/bin/env bash
# pyefd promises descriptors of a contour that stay the same if it is turned, and begin with 1, 0,
# 0. For half of all angles they begin with -1, and the others have the other sign as well: an
# angle that is negative is raised by 180 degrees, which is another angle. By the features that the
# README proposes, an upright 7 is nearer to an upright 1 than to itself, turned by 180 degrees.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyefd==1.8.0 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from pyefd import elliptic_fourier_descriptors

SEVEN = [(6, 4), (22, 4), (22, 8), (14, 25), (10, 25), (17, 8), (6, 8), (6, 4)]  # its corners
ONE = [(9, 8), (13, 3), (16, 3), (16, 25), (12, 25), (12, 9), (9, 11), (9, 8)]


def turned(corners: list[tuple[int, int]], degrees: int) -> np.ndarray:
    """Return the corners, turned around the middle of a picture of 28 x 28 pixels."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (np.array(corners, dtype=float) - 14) @ turn + 14


def describe(contour: np.ndarray) -> np.ndarray:
    """Return the normalised descriptors of the contour."""
    return elliptic_fourier_descriptors(contour, order=10, normalize=True).ravel()


print("versions: pyefd", version("pyefd"), "numpy", np.__version__)
print("guess: a 7 has the same descriptors, however it is turned")
upright, one = describe(turned(SEVEN, 0)), describe(turned(ONE, 0))
first = []
for degrees in range(0, 360, 30):
    seven = describe(turned(SEVEN, degrees))
    first.append(round(float(seven[0]), 6))
    distance = np.linalg.norm(seven[3:] - upright[3:])  # the first three are left out as features
    print(f"seen: turned by {degrees:3}: begins with {first[-1]:4}, is {distance:.3f} from upright")
    assert np.allclose(seven * first[-1], upright * first[0]), "not only the sign is different"
to_one = np.linalg.norm(one[3:] - upright[3:])
print(f"  the upright 1 is {to_one:.3f} from the upright 7")
assert first.count(-1) == first.count(1) == 6, "the sign is another one now"
half_turn = describe(turned(SEVEN, 180))
assert np.linalg.norm(half_turn[3:] - upright[3:]) > 2 * to_one, "it is nearer to itself now"
assert np.allclose(describe(2 * turned(SEVEN, 0) + 9), upright), "size and place do not matter"
PYTHON
