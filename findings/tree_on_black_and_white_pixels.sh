#!/usr/bin/env bash
# emlearn turns a scikit-learn tree that was trained on black-and-white digits into C code which
# ignores every pixel. The tree asks "is this pixel at most 0.5?"; the C code keeps thresholds as
# whole numbers by default, rounds 0.5 down to 0, and asks "is it less than 0?", which no pixel is.
# Digits of 17 whole grey levels suffer as well. There is no warning. dtype="float" mends pixels of
# 0 and 1; greys that equal a threshold still go the other way, as "<" stands where "<=" belongs.
#
# Needs a C compiler: emlearn compiles what it wrote in order to run it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" # emlearn writes its C code into the current folder

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check emlearn==0.23.2 scikit-learn==1.9.1

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import emlearn
import numpy as np
from sklearn.datasets import load_digits
from sklearn.tree import DecisionTreeClassifier

grey, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
black_and_white = (grey > 7).astype(int)


def compare(name: str, pixels: np.ndarray, **options: str) -> tuple[float, int]:
    """Return the share of digits that both trees read alike, and how many digits C ever answers."""
    tree = DecisionTreeClassifier(random_state=0).fit(pixels[:1000], labels[:1000])
    c_answers = np.asarray(emlearn.convert(tree, **options).predict(pixels[1000:]))
    alike = float((c_answers == tree.predict(pixels[1000:])).mean())
    different = len(np.unique(c_answers))
    print(f"  {name}: {100 * alike:.1f} % alike, {different} of 10 digits ever answered")
    return alike, different


print("versions: emlearn", version("emlearn"), "scikit-learn", version("scikit-learn"))
print("guess: whole numbers fit into emlearn's integers, so the C code answers what the tree does")
print("seen:")
alike, different = compare("pixels 0 and 1       ", black_and_white)
grey_alike, _ = compare("pixels from 0 to 16  ", grey)
float_alike, _ = compare("0 and 1, dtype=float ", black_and_white, dtype="float")

assert different == 1 and alike < 0.2, "black-and-white digits are read now"
assert grey_alike < 0.8, "whole grey levels are read now"
assert float_alike == 1.0, "floats are no remedy any more"
PYTHON
