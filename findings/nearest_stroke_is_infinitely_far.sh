#!/usr/bin/env bash
# dtaidistance's distance_fast can find that two strokes are infinitely far from each other, if they
# are best compared point by point, without any warping: strokes that are close to each other.
# Such a distance is the bound above which the library gives up, and its root, squared again, can
# be a little less than it was, as for one pair in four of those that are drawn here. (Of a stroke,
# only the row of each point is compared.)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    dtaidistance==2.5.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from dtaidistance import dtw


def draw_pairs(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of strokes that fall from row 0 to 28, in 16 points; the hand trembles."""
    random = np.random.default_rng(0)
    strokes = [np.linspace(0, 28, 16) + random.normal(0, 0.2, 16) for _ in range(2 * count)]
    return list(zip(strokes[::2], strokes[1::2], strict=True))


def by_points(one: np.ndarray, other: np.ndarray) -> float:
    """Return the distance without warping, which is never less than that with warping."""
    return float(np.sqrt(((one - other) ** 2).sum()))


print("versions: dtaidistance", version("dtaidistance"), "numpy", np.__version__)
print("guess: distance_fast is at most the distance point by point, and equals distance")
one, other = np.array([2.0, 1.0]), np.array([0.0, 4.0])
print("seen: distance", dtw.distance(one, other), "point by point", by_points(one, other))
print("seen: distance_fast", dtw.distance_fast(one, other))
assert dtw.distance_fast(one, other) == np.inf, "it is another number now"
assert dtw.distance(one, other) == by_points(one, other) == 13**0.5
assert (13**0.5) ** 2 < 13

pairs = draw_pairs(1000)
slow = np.array([dtw.distance(*pair) for pair in pairs])
fast = np.array([dtw.distance_fast(*pair) for pair in pairs])
unpruned = np.array([dtw.distance_fast(*pair, use_pruning=False) for pair in pairs])
point_by_point = np.isclose(slow, [by_points(*pair) for pair in pairs])
lost = np.isinf(fast)
print("seen:", lost.sum(), "of 1000 pairs of alike strokes are infinitely far from each other")
print("  of them, best compared point by point:", (lost & point_by_point).sum())
print("  infinitely far without pruning:", np.isinf(unpruned).sum())
assert lost.sum() > 100 and not (lost & ~point_by_point).any(), "it loses others now"
assert np.allclose(unpruned, slow) and np.allclose(fast[~lost], slow[~lost])
PYTHON
