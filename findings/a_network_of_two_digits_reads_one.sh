#!/usr/bin/env bash
# A network that tells two digits apart is saved as PMML, and read by sklearn-pmml-model: from then
# on it answers the second digit to every picture. The probabilities that it gives are right, but
# to decide, they are compared with 0 instead of one half. With three digits all is well.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    sklearn-pmml-model==1.0.8 nyoka==5.5.0 scikit-learn==1.9.1 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from nyoka import skl_to_pmml
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn_pmml_model.neural_network import PMMLMLPClassifier

pixels, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
pixels = pixels / 16


def counts(answers: np.ndarray, digits: tuple[int, ...]) -> str:
    """Return how often each of the digits was answered."""
    return ", ".join(f"{(answers == digit).sum()} times {digit}" for digit in digits)


print("versions:", *(f"{name} {version(name)}" for name in ("sklearn-pmml-model", "nyoka")),
      "scikit-learn", version("scikit-learn"))
print("guess: the network answers the same after it was saved and loaded")
for digits in ((0, 1), (3, 8), (0, 1, 2)):
    mine = np.isin(labels, digits)
    known, new = pixels[mine][:150], pixels[mine][150:]
    network = MLPClassifier((10,), max_iter=1000, random_state=0).fit(known, labels[mine][:150])
    skl_to_pmml(Pipeline([("network", network)]), [f"pixel{i}" for i in range(64)], "digit",
                "network.pmml")
    loaded = PMMLMLPClassifier("network.pmml")
    expected, seen = network.predict(new), loaded.predict(new).astype(int)
    odds = loaded.predict_proba(new)
    print("seen: digits", *digits)
    print(f"  before: {counts(expected, digits)}; after: {counts(seen, digits)}")
    print("  after, the most probable:", counts(np.array(digits)[odds.argmax(axis=1)], digits))
    assert np.allclose(odds, network.predict_proba(new)), "its probabilities are others now"
    if len(digits) == 2:
        assert len(set(expected)) == 2 and set(seen) == {digits[1]}, "it reads both digits now"
    else:
        assert (seen == expected).all(), "it reads three digits otherwise now"
PYTHON
