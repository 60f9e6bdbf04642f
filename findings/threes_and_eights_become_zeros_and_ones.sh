#!/usr/bin/env bash
# skl2onnx converts a OneVsOneClassifier into a network that answers the place of a label among
# the labels, not the label itself: one that tells threes from eights answers 0 and 1, and one for
# the digits from 1 to 9 is off by one for every digit. Only labels that begin at 0 without a gap
# are kept, so that nothing is seen with all ten digits. OneVsRestClassifier keeps all labels.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check skl2onnx==1.20.0 \
    onnx==1.23.2 onnxruntime==1.32.0 scikit-learn==1.9.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier

pictures, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
pictures = (pictures / 16).astype(np.float32)
onnxruntime.set_default_logger_severity(3)  # it warns that the answers are a column, not a row


def answers(model: ClassifierMixin, new: np.ndarray) -> np.ndarray:
    """Return the labels that the converted classifier gives to these pictures."""
    network = to_onnx(model, new[:1], options={"zipmap": False}).SerializeToString()
    return onnxruntime.InferenceSession(network).run(["label"], {"X": new})[0].ravel()


print("versions:", *[f"{name} {version(name)}" for name in ("skl2onnx", "onnx", "onnxruntime")])
print("guess: the converted classifier gives the labels that it gave before")
for kind in (OneVsRestClassifier, OneVsOneClassifier):
    for digits in (range(10), range(1, 10), (3, 8)):
        chosen = np.isin(labels, digits)
        known, new = np.split(pictures[chosen], [300])
        names, right = np.split(labels[chosen], [300])
        model = kind(LogisticRegression(max_iter=1000)).fit(known, names)
        before, after = model.predict(new), answers(model, new)
        shares = [round(100 * (found == right).mean(), 1) for found in (before, after)]
        print(f"seen: {kind.__name__}, digits", *digits, end=": ")
        print(f"right before {shares[0]} %, after {shares[1]} %; answers", *np.unique(after))
        if kind is OneVsOneClassifier and digits != range(10):
            assert (model.classes_[after] == before).mean() > 0.99, "it gives no places now"
            assert shares[0] > 80 and (after == before).mean() < 0.01, "it gives labels now"
        else:
            assert (after == before).mean() > 0.99, "it gives other labels now"
PYTHON
