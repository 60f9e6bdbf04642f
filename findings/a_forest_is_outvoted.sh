#!/usr/bin/env bash
# micromlgen turns a scikit-learn forest into C++ code in which each tree has one vote. In
# scikit-learn, the trees' probabilities are averaged. The small forests that fit a
# microcontroller answer differently: a forest of 5 shallow trees reads 9 points fewer of the
# digits rightly. Trees grown to the end have no doubts, so that votes and averages are the same.
#
# Needs a C++ compiler.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    micromlgen==1.1.28 scikit-learn==1.9.1 numpy==2.4.6

venv/bin/python - <<'PYTHON'
import subprocess
from importlib.metadata import version

import numpy as np
from micromlgen import port
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

MAIN = """
Eloquent::ML::Port::RandomForest forest;
int main() {
    float pixels[64];
    while (fread(pixels, sizeof(float), 64, stdin) == 64) printf("%d\\n", forest.predict(pixels));
}
"""
pixels, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
pixels = pixels.astype(np.float32)
known, new = slice(0, 1000), slice(1000, None)


def answers_in_cpp(forest: RandomForestClassifier) -> np.ndarray:
    """Return what the C++ code of `forest` answers to the new digits."""
    with open("forest.cpp", "w") as file:
        file.write("#include <cstdint>\n#include <cstdio>\n#include <cstring>\n")
        file.write(port(forest) + MAIN)
    subprocess.run(["c++", "-w", "-o", "forest", "forest.cpp"], check=True)
    output = subprocess.check_output("./forest", input=pixels[new].tobytes())
    return np.array(output.split(), dtype=int)


print("versions: micromlgen", version("micromlgen"), "scikit-learn", version("scikit-learn"))
print("guess: the C++ code answers as the forest does")
for trees, depth, is_alike in ((5, 4, False), (20, 5, False), (20, None, True)):
    forest = RandomForestClassifier(trees, max_depth=depth, random_state=0)
    expected = forest.fit(pixels[known], labels[known]).predict(pixels[new])
    seen = answers_in_cpp(forest)
    votes = np.array([tree.predict(pixels[new]) for tree in forest.estimators_]).astype(int)
    counts = np.array([(votes == digit).sum(axis=0) for digit in range(10)])
    right = [100 * (answers == labels[new]).mean() for answers in (expected, seen)]
    alike = (seen == expected).mean()
    print(f"seen: {trees} trees, depth at most {depth}: {100 * alike:.1f} % alike;", end=" ")
    print(f"right: scikit-learn {right[0]:.1f} %, C++ {right[1]:.1f} %")
    assert (seen == counts.argmax(axis=0)).all(), "its trees do not vote any more"
    assert bool(alike == 1) == is_alike and right[1] <= right[0], "it answers otherwise now"
PYTHON
