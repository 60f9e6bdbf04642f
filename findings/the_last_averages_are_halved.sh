#!/usr/bin/env bash
# A network whose averages of 2 x 2 pixels go on to the last, odd row and column of a map
# (AvgPool2d(2, ceil_mode=True)) is converted by pnnx without a word, and answers otherwise in
# ncnn: PyTorch averages the pixels that are there, ncnn divides the sum of two by four, and that
# of one in the corner as well. A network that read 93 % of digits rightly reads 74 %. With
# count_include_pad=False, which changes nothing in PyTorch for want of padding, all is right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ncnn==1.0.20261020 pnnx==20261020 \
    torch==2.14.1 scikit-learn==1.9.1 numpy==2.4.6

venv/bin/python -W ignore - <<'PYTHON'
import subprocess
from importlib.metadata import version

import ncnn
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

digits, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
pictures = torch.tensor(digits.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)
known, new = slice(0, 1000), slice(1000, None)
torch.manual_seed(0)
filters = torch.nn.Conv2d(1, 4, 2)  # 4 maps of 7 x 7


def answers(model: torch.nn.Module, inputs: torch.Tensor) -> np.ndarray:
    """Return what PyTorch answers."""
    with torch.no_grad():
        return model(inputs).numpy()


def converted_answers(model: torch.nn.Module, inputs: torch.Tensor) -> np.ndarray:
    """Return what ncnn answers."""
    torch.jit.trace(model.eval(), inputs[:1]).save("digits.pt")
    subprocess.run(["venv/bin/pnnx", "digits.pt", "fp16=0"], check=True, capture_output=True)
    net = ncnn.Net()
    net.load_param("digits.ncnn.param")
    net.load_model("digits.ncnn.bin")
    found = []
    for one in inputs.numpy():
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(one).clone())
        found.append(np.array(extractor.extract("out0")[1]))
    return np.array(found)


def trained(pool: torch.nn.Module) -> torch.nn.Sequential:
    """Return a network that pools in this way; only its last layer is trained."""
    front = torch.nn.Sequential(filters, torch.nn.ReLU(), pool, torch.nn.Flatten())
    features = answers(front, pictures[known])
    fit = LogisticRegression(C=100, max_iter=5000).fit(features, labels[known])
    last = torch.nn.Linear(features.shape[1], 10)
    last.weight.data = torch.tensor(fit.coef_, dtype=torch.float32)
    last.bias.data = torch.tensor(fit.intercept_, dtype=torch.float32)
    return torch.nn.Sequential(*front, last)


print("versions:", *[f"{name} {version(name)}" for name in ("ncnn", "pnnx", "torch")])
print("guess: the converted network answers as before")
for options in ({}, {"ceil_mode": True, "count_include_pad": False}, {"ceil_mode": True}):
    model = trained(torch.nn.AvgPool2d(2, **options))
    before, after = answers(model, pictures[new]), converted_answers(model, pictures[new])
    right = [100 * (found.argmax(1) == labels[new]).mean() for found in (before, after)]
    print(f"seen: {options or 'defaults'}: right before {right[0]:.1f} %, after {right[1]:.1f} %")
    is_same = np.allclose(before, after, atol=0.05)
    assert is_same == (options != {"ceil_mode": True}), "it keeps other answers now"
    assert is_same or right[1] < right[0] - 10, "it reads as well as before now"

white = torch.ones(1, 1, 7, 7)
same = torch.nn.Conv2d(1, 1, 1, bias=False)
torch.nn.init.ones_(same.weight)
pooled = torch.nn.Sequential(same, torch.nn.AvgPool2d(2, ceil_mode=True))
seen = converted_answers(pooled, white)[0, 0]
print("guess: a map of 7 x 7 ones has averages of 1\nseen:", *seen, sep="\n    ")
edge = np.array([1, 1, 1, 0.5])
assert np.allclose(answers(pooled, white), 1) and np.allclose(seen, np.outer(edge, edge), atol=0.01)
PYTHON
