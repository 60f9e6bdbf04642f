#!/usr/bin/env bash
# minisom's Chebyshev distance keeps the sign: it takes the largest difference of a picture less a
# prototype, where it means the largest in size. A prototype that is too dark in one pixel is far
# away, one that is too bright in all of them costs nothing, and distances can fall below 0. For
# more than half of new digits, another prototype than the nearest one wins. A function of one's own
# that takes the size does it right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check minisom==2.3.6 numpy==2.4.6 \
    scipy==1.17.1 scikit-learn==1.9.1

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from minisom import MiniSom
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

digits, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
digits = digits / 16
known, new = slice(0, 1000), slice(1000, None)


def with_size(picture: np.ndarray, prototypes: np.ndarray) -> np.ndarray:
    """Return the Chebyshev distances of a picture to all prototypes."""
    return np.abs(picture - prototypes).max(axis=-1)


def look(distance) -> tuple[float, float]:
    """Train a map; return how many of 100 winners are the nearest, and how many answers right."""
    som = MiniSom(8, 8, 64, sigma=1.5, activation_distance=distance, random_seed=1)
    som.random_weights_init(digits[known])
    som.train(digits[known], 5000)
    prototypes = som.get_weights().reshape(64, 64)
    metric = "euclidean" if distance == "euclidean" else "chebyshev"
    nearest = cdist(digits[new], prototypes, metric).argmin(axis=1)
    winners = [som.winner(digit) for digit in digits[new]]
    agree = (np.ravel_multi_index(np.transpose(winners), (8, 8)) == nearest).mean()
    names = som.labels_map(digits[known], labels[known])
    answers = [names[winner].most_common(1)[0][0] if winner in names else -1 for winner in winners]
    return 100 * agree, 100 * (np.array(answers) == labels[new]).mean()


print("versions:", *[f"{name} {version(name)}" for name in ("minisom", "numpy", "scipy")])
print("guess: the prototype that wins is the nearest one, and no distance is below 0")
for name, distance in {
    "euclidean": "euclidean", "chebyshev": "chebyshev", "own function": with_size
}.items():
    agree, right = look(distance)
    print(f"seen: {name}: the nearest of 64 prototypes wins for {agree:.0f} % of new digits;"
          f" {right:.0f} % are read rightly")
    assert agree < 50 if name == "chebyshev" else agree > 99.9, "other prototypes win now"
for grey in (0.1, 0.9):
    som = MiniSom(1, 1, 3, activation_distance="chebyshev")
    som.random_weights_init(np.full((1, 3), 0.5))  # the only prototype: three pixels of 0.5
    seen = som.activate(np.full(3, grey))[0, 0]
    print(f"seen: from three pixels of {grey} to three of 0.5: {seen:.1f}; it should be 0.4")
    assert np.isclose(seen, grey - 0.5), "it takes the size now"
PYTHON
