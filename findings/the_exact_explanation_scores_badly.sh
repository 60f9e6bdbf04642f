#!/usr/bin/env bash
# quantus tests an explanation of a network by darkening more and more pixels of a digit: what the
# pixels are said to be worth shall go with what the output loses. It compares the loss by all
# pixels that are dark so far with the worth of the last one alone. So the exact explanation of a
# linear network does not get 1, though the two are equal at each step. Of many digits, it looks
# at the first 64 only. If it darkens one pixel and stops, it is right.
#
# Downloads PyTorch.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    quantus==0.6.0 torch==2.14.1 scikit-learn==1.9.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np
import torch
from quantus import SensitivityN
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
pixels, labels = load_digits(return_X_y=True)
pixels += 1  # so that no pixel is 0, or dark, from the beginning
weights = LogisticRegression(max_iter=5000).fit(pixels, labels).coef_.astype(np.float32)
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10, bias=False)).eval()
network[1].weight.data = torch.tensor(weights)
digits = pixels[:200].astype(np.float32)
labels = labels[:200]
exact = weights[labels] * digits  # what each pixel adds to the output of the right label


def by_hand(count: int, steps: int, together: bool) -> float:
    """Return the mean correlation of worth and loss after each step, the best pixels first."""
    order = np.argsort(-exact[:count], axis=1)
    worth = np.take_along_axis(exact[:count], order, axis=1)
    loss = worth.cumsum(axis=1)  # the network is linear, and dark pixels are 0
    worth = loss if together else worth
    return np.mean([np.corrcoef(worth[:, n], loss[:, n])[0, 1] for n in range(steps)])


def by_quantus(count: int, share: float) -> float:
    """Return the score of the exact explanation, if a share of the pixels becomes dark."""
    options = {"n_max_percentage": share, "perturb_baseline": 0.0, "disable_warnings": True}
    test = SensitivityN(normalise=False, **options)
    shape = (count, 1, 8, 8)
    arrays = (digits[:count].reshape(shape), labels[:count], exact[:count].reshape(shape))
    return test(network, *arrays, device="cpu", softmax=False)[0]


print("versions: quantus", version("quantus"), "torch", version("torch"))
print("guess: the exact explanation of a linear network gets 1")
for count, share in ((64, 0.8), (64, 0.25), (200, 0.8), (64, 1 / 64)):
    steps = int(share * 64)
    seen = by_quantus(count, share)
    right = by_hand(count, steps, together=True)
    one = by_hand(min(count, 64), steps, together=False)
    print(f"seen: {count} digits, {steps} pixels: quantus {seen:.3f}, by hand {right:.3f}")
    print(f"  by hand with the last pixel alone, of at most 64 digits: {one:.3f}")
    assert abs(right - 1) < 1e-6, "the explanation is not exact now"
    assert abs(seen - one) < 1e-3, "it compares something else now"
    assert (seen > 0.999) == (steps == 1), "the exact explanation gets another score now"
PYTHON
