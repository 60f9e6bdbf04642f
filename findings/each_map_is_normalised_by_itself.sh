#!/usr/bin/env bash
# PyTorch's LayerNorm([maps, rows, columns]) normalises all maps of a digit together. Converted by
# pnnx, it becomes a layer of ncnn that is told only the number of its weights: if that isn't the
# length of a row, it normalises each map by itself. Then each map is as bright as every other on
# average; a network that goes on with these averages gives all digits the same answer, and one
# that read 94 % of them rightly reads 10 %. GroupNorm(1, maps) does the same and stays right.
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
filters = torch.nn.Conv2d(1, 64, 5)  # 64 maps of 4 x 4


def network(norm: torch.nn.Module, last: torch.nn.Module) -> torch.nn.Sequential:
    """Return a network that averages its normalised maps."""
    layers = [filters, torch.nn.ReLU(), norm, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    return torch.nn.Sequential(*layers, last).eval()


def trained(norm: torch.nn.Module) -> torch.nn.Linear:
    """Return a last layer that reads the averages of the maps."""
    with torch.no_grad():
        averages = network(norm, torch.nn.Identity())(pictures[known]).numpy()
    fit = LogisticRegression(C=100, max_iter=5000).fit(averages, labels[known])
    last = torch.nn.Linear(64, 10)
    last.weight.data = torch.tensor(fit.coef_, dtype=torch.float32)
    last.bias.data = torch.tensor(fit.intercept_, dtype=torch.float32)
    return last


def answers(model: torch.nn.Module) -> np.ndarray:
    """Return what PyTorch answers to the new digits."""
    with torch.no_grad():
        return model(pictures[new]).numpy()


def converted_answers(model: torch.nn.Module) -> np.ndarray:
    """Return what ncnn answers to the new digits."""
    torch.jit.trace(model, pictures[:1]).save("digits.pt")
    subprocess.run(["venv/bin/pnnx", "digits.pt", "fp16=0"], check=True, capture_output=True)
    net = ncnn.Net()
    net.load_param("digits.ncnn.param")
    net.load_model("digits.ncnn.bin")
    found = []
    for picture in pictures[new].numpy():
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(picture).clone())
        found.append(np.array(extractor.extract("out0")[1]))
    return np.array(found)


print("versions:", *[f"{name} {version(name)}" for name in ("ncnn", "pnnx", "torch")])
print("guess: the converted network answers as before")
for norm in (torch.nn.GroupNorm(1, 64), torch.nn.LayerNorm([64, 4, 4])):
    last = trained(norm)
    before, after = answers(network(norm, last)), converted_answers(network(norm, last))
    right = [100 * (found.argmax(1) == labels[new]).mean() for found in (before, after)]
    kinds = [len(set(found.argmax(1))) for found in (before, after)]
    print(f"seen: {type(norm).__name__}: right before {right[0]:.1f} %, after {right[1]:.1f} %;")
    print(f"      different answers before {kinds[0]}, after {kinds[1]}")
    if isinstance(norm, torch.nn.GroupNorm):
        assert np.allclose(before, after, atol=0.05), "it keeps GroupNorm no more"
    else:
        each_map = answers(network(torch.nn.LayerNorm([4, 4]), last))
        assert np.allclose(after, each_map, atol=0.05), "it does not normalise each map now"
        assert right[0] > 90 and kinds[1] == 1, "it tells digits apart now"
PYTHON
