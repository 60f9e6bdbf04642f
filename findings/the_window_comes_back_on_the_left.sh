#!/usr/bin/env bash
# zennit explains a network by showing it one window of the picture after another. A window that
# leaves the picture at the right comes back at the left, and one that leaves it at the bottom
# comes back at the top. 28 pixels are not a multiple of 8, its default: the heatmap says that ink
# at the right edge lies at the left edge as well. A step that is shorter than the window, as in
# its guide, does the same in every picture. Windows of 7 pixels, side by side, are right.
#
# Downloads PyTorch. zennit 1.0.0, which needs Python 3.11.11, has the same line.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    zennit==0.5.1 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from zennit.attribution import Occlusion


class Ink(torch.nn.Module):
    """A network whose one output is the sum of all pixels."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.sum(dim=(1, 2, 3))[:, None]


def by_hand(picture: torch.Tensor, window: int, stride: int) -> torch.Tensor:
    """Return the ink of each window, added up at its pixels; windows end where the picture does."""
    heatmap = torch.zeros_like(picture)
    size = picture.shape[-1]
    for top in range(0, size, stride):
        for left in range(0, size, stride):
            place = (..., slice(top, top + window), slice(left, left + window))
            heatmap[place] += picture[place].sum()
    return heatmap


def columns(heatmap: torch.Tensor) -> list[int]:
    """Return the columns of a heatmap that are not 0."""
    return heatmap[0, 0].abs().sum(dim=0).nonzero().ravel().tolist()


print("versions: zennit", version("zennit"), "torch", version("torch"))
print("guess: a window that leaves the picture ends at its edge")
for size, options, is_right in (
    (28, {}, False),
    (28, {"window": 8, "stride": 4}, False),
    (32, {"window": 8, "stride": 4}, False),
    (28, {"window": 7, "stride": 7}, True),
    (32, {}, True),
):
    picture = torch.zeros(1, 1, size, size)
    picture[..., 8:20, size - 3 : size - 1] = 1  # a 1 at the right edge
    with Occlusion(Ink(), **options) as explain:
        seen = explain(picture)[1]
    right = by_hand(picture, options.get("window", 8), options.get("stride", 8))
    print(f"seen: {size} pixels, {options or 'no options'}: columns that are not 0")
    print("  by hand:  ", columns(right))
    print("  by zennit:", columns(seen))
    assert torch.equal(seen, right) == is_right, "its windows end elsewhere now"
    assert (columns(seen)[0] == 0) != is_right, "the left edge is another one now"
PYTHON
