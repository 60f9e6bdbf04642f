#!/usr/bin/env bash
# torchscan shows a receptive field for each layer of a network, and calls it complete. It is the
# layer's own window, as if the layer were the first one: 3 for a third convolution that sees 18
# of the picture's 28 rows. The stride that it calls effective is the layer's own one, too. Version
# 0.1.2 took the layers together: 3, 4, 8, 10 and 18. A single layer is right.
#
# Downloads PyTorch.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torchscan==0.2.0 torch==2.14.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from torch import nn
from torchscan import crawl_module

torch.manual_seed(0)
SIZE = 28


def rows_seen(network: nn.Module) -> int:
    """Return how many rows of a picture change the middle output of `network`, by gradients."""
    picture = torch.rand(1, 1, SIZE, SIZE, requires_grad=True)
    output = network(picture)
    output[0, :, output.shape[2] // 2, output.shape[3] // 2].sum().backward()
    rows = picture.grad[0, 0].abs().sum(dim=1).nonzero()
    return int(rows.max() - rows.min() + 1)


def by_torchscan(network: nn.Module, name: str) -> list[float]:
    """Return what torchscan says of the layers of `network`."""
    layers = crawl_module(network, (1, SIZE, SIZE))["layers"][1:]  # the first is the network
    results = [layer["metrics"][name] for layer in layers]
    assert all(result["status"] == "complete" for result in results), "it is not complete now"
    return [result["value"] for result in results]


convolutions = [nn.Conv2d(a, b, 3, bias=False) for a, b in ((1, 8), (8, 16), (16, 16))]
pool = nn.AvgPool2d
layers = [convolutions[0], pool(2), convolutions[1], pool(2), convolutions[2]]

print("versions: torchscan", version("torchscan"), "torch", version("torch"))
print("guess: the receptive field of a layer is the part of the picture that it sees")
right = [rows_seen(nn.Sequential(*layers[: end + 1])) for end in range(len(layers))]
seen = by_torchscan(nn.Sequential(*layers), "receptive_field")
strides = by_torchscan(nn.Sequential(*layers), "effective_stride")
print("seen: rows that the layers see, by gradients:", right)
print("seen: receptive fields by torchscan:         ", seen)
print("seen: effective strides by torchscan:        ", strides, "instead of [1, 2, 2, 4, 4]")
assert right == [3, 4, 8, 10, 18], "the gradients reach other rows now"
assert seen == [3, 2, 3, 2, 3], "it sees other rows now"
assert strides == [1, 2, 1, 2, 1], "it counts other strides now"

wide = nn.Sequential(nn.Conv2d(1, 8, 3, dilation=4, bias=False))
alone = by_torchscan(wide, "receptive_field")
print("seen: a single layer with holes: by gradients", rows_seen(wide), "by torchscan", alone[0])
assert alone == [rows_seen(wide)] == [9], "it reads a single layer otherwise now"
PYTHON
