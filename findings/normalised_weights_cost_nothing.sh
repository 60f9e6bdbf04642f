#!/usr/bin/env bash
# A convolution whose weights are normalised costs nothing, say two counters of multiplications:
# they look each layer up by its class, and PyTorch gives a layer with a parametrization a class
# of its own. Of a network with 54,168 multiplications, 5,496 are left.
#
# Needs PyTorch, a download of some gigabytes on Linux.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  thop==0.1.1.post2209072238 ptflops==0.7.5 torch==2.14.1 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import ptflops
import thop
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


def network(is_normalised: bool) -> nn.Sequential:
    """Return a network for digits, with the weights of its convolution normalised or not."""
    convolution = nn.Conv2d(1, 8, kernel_size=3)
    return nn.Sequential(
        weight_norm(convolution) if is_normalised else convolution,
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    ).eval()


def count(is_normalised: bool) -> tuple[int, int]:
    """Return the multiplications for one digit that thop and ptflops count."""
    digit = torch.zeros(1, 1, 28, 28)
    by_thop, _ = thop.profile(network(is_normalised), (digit,), verbose=False)
    by_ptflops, _ = ptflops.get_model_complexity_info(
        network(is_normalised),
        (1, 28, 28),
        as_strings=False,
        print_per_layer_stat=False,
    )
    name = "normalised" if is_normalised else "plain"
    print(f"seen: {name}: thop {int(by_thop)}, ptflops {by_ptflops}")
    return int(by_thop), by_ptflops


print("versions:", *(f"{name} {version(name)}" for name in ("thop", "ptflops", "torch")))
print("guess: normalised weights cost as many multiplications as others, or a few more")
plain = count(is_normalised=False)
normalised = count(is_normalised=True)

assert plain == (54_168, 75_802), "the plain network has other numbers now"
assert normalised == (5_496, 21_722), "the normalised convolution has other numbers now"
PYTHON
