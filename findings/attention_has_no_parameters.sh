#!/usr/bin/env bash
# Two counters of parameters know no attention layer, and count nothing for it. So a network of
# 23,842 parameters passes for one of 2,818, where fewer than 20,000 are allowed.
#
# Needs PyTorch, a download of some gigabytes on Linux.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  thop==0.1.1.post2209072238 torchsummary==1.5.1 torch==2.14.1 numpy==2.4.6

venv/bin/python - <<'PYTHON'
import contextlib
import io
import re
from importlib.metadata import version

import thop
import torch
import torchsummary
from torch import Tensor, nn

WIDTH = 72


class RowReader(nn.Module):
    """Reads a digit from its 28 rows, which attend to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Linear(28, WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, num_heads=4, batch_first=True)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, images: Tensor) -> Tensor:
        rows = self.rows(images.squeeze(1))  # (N, 28, WIDTH)
        attended, _ = self.attention(rows, rows, rows)
        return self.head(attended.mean(dim=1))


def count_with_thop() -> int:
    """Return the parameters that thop counts."""
    _, count = thop.profile(RowReader(), (torch.zeros(1, 1, 28, 28),), verbose=False)
    return int(count)


def count_with_torchsummary() -> int:
    """Return the parameters that torchsummary prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        torchsummary.summary(RowReader(), (1, 28, 28), device="cpu")
    return int(re.search(r"Total params: ([\d,]+)", printed.getvalue())[1].replace(",", ""))


print("versions:", *(f"{name} {version(name)}" for name in ("thop", "torchsummary", "torch")))
print("guess: all parameters of the network are counted")
all_of_them = sum(parameter.numel() for parameter in RowReader().parameters())
by_thop = count_with_thop()
by_torchsummary = count_with_torchsummary()
print(f"seen: of {all_of_them} parameters, thop {by_thop}, torchsummary {by_torchsummary}")

assert all_of_them == 23_842, "the network has another number of parameters now"
assert by_thop == 2_818, "thop counts others now"
assert by_torchsummary == 2_818, "torchsummary counts others now"
PYTHON
