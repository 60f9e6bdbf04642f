#!/usr/bin/env bash
# torch-pruning leaves a layer whole, without a word, if the share to be pruned leaves it less than
# one channel. So a small network shrinks as the share grows, and from some share on it is large
# again: 8 and 16 channels of which 95 % shall be pruned stay 8 and 16. The same share of a large
# network works.
#
# Needs PyTorch, a download of some gigabytes on Linux.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  torch-pruning==1.6.1 torch==2.14.1 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import torch
import torch_pruning
from torch import nn

DIGIT = torch.zeros(1, 1, 28, 28)


def small_network() -> nn.Sequential:
    """Return a network for digits with 8 and 16 channels, and 1,418 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def channels_after(share: float) -> tuple[int, int]:
    """Return how many channels are left when `share` of them shall be pruned."""
    network = small_network()
    pruner = torch_pruning.pruner.MagnitudePruner(
        network,
        DIGIT,
        importance=torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=share,
        ignored_layers=[network[-1]],
    )
    pruner.step()
    left = network[0].out_channels, network[3].out_channels
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"seen: {share:.1%} to be pruned: {left} channels left, {parameters} parameters")
    return left


print("versions: torch-pruning", version("torch-pruning"), "torch", version("torch"))
print("guess: the more is to be pruned, the fewer channels are left, at least one in each layer")
half, most, more, nearly_all = map(channels_after, (0.5, 0.875, 0.9, 0.95))

assert half == (4, 8), "half of the channels is another number now"
assert most == (1, 2), "the smallest network is another one now"
assert more == (8, 1), "the layer of 8 channels is pruned now"
assert nearly_all == (8, 16), "something is pruned now"
PYTHON
