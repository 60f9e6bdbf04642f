#!/usr/bin/env bash
# Asked for 30 % of the digits for training and 20 % for a test, iterative-stratification hands out
# 60 % and 40 %: nothing can be left over. The same holds for numbers: 300 and 200 of 1,797 digits
# become about 1,078 and 719, so that digits kept for later are trained with.
# scikit-learn, whose words its documentation uses, leaves the rest alone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    iterative-stratification==0.1.9 scikit-learn==1.9.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

pixels, digits = load_digits(return_X_y=True)  # 1,797 digits
labels = np.column_stack([digits[:, None] == np.arange(10), pixels.mean(axis=1) > 5]).astype(int)


def sizes(splitter: type, classes: np.ndarray, train: float, test: float) -> tuple[int, int]:
    """Return how many digits the splitter puts into the training set and into the test set."""
    split = splitter(n_splits=1, train_size=train, test_size=test, random_state=0)
    for_training, for_test = next(split.split(pixels, classes))
    assert not set(for_training) & set(for_test)
    return len(for_training), len(for_test)


print("versions: iterative-stratification", version("iterative-stratification"), end=", ")
print("scikit-learn", version("scikit-learn"))
print("guess: the two sets have the sizes that were asked for, give or take a few digits")
for train, test in ((0.3, 0.2), (300, 200), (0.8, 0.2)):
    expected = sizes(StratifiedShuffleSplit, digits, train, test)
    seen = sizes(MultilabelStratifiedShuffleSplit, labels, train, test)
    print(f"seen: asked for {train} and {test}: scikit-learn {expected}, it {seen}")
    assert sum(seen) == len(digits), "it leaves digits alone now"
    shares = train / (train + test), test / (train + test)
    assert np.allclose(np.array(seen) / len(digits), shares, atol=0.01), "it has other sizes now"
    complete = sum(expected) == len(digits)
    assert complete == (train == 0.8) and (not complete or abs(seen[0] - expected[0]) < 20)
PYTHON
