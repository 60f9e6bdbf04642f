"""Boxes and shapes: what several of the steps need. Nothing here knows of digits."""

import math
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class Box(NamedTuple):
    """A bounding box, in pixels; `bottom` and `right` are just outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Pixels from side to side."""
        return self.right - self.left

    @property
    def size(self) -> int:
        """The longer side."""
        return max(self.height, self.width)

    def is_inside(self, other: "Box") -> bool:
        """Tell whether the other box reaches farther on all sides."""
        is_inside_down = other.top < self.top and self.bottom < other.bottom
        return is_inside_down and other.left < self.left and self.right < other.right

    def crop(self, image: Tensor) -> Tensor:
        """Return what `image` (H, W) has in the box."""
        return image[self.top : self.bottom, self.left : self.right]

    def shares_of(self, image: Tensor) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom as shares of the width and height of `image`."""
        height, width = image.shape
        return self.left / width, self.top / height, self.right / width, self.bottom / height


def bounding_box(mask: Tensor) -> Box:
    """Return the box around what is true in `mask` (H, W)."""
    first, last = mask.nonzero().aminmax(dim=0)
    top, left = first.tolist()
    bottom, right = last.tolist()
    return Box(top, left, bottom + 1, right + 1)


def resize(image: Tensor, size: int) -> Tensor:
    """Scale `image` (H, W) so that the longer side is `size`; averages when it shrinks."""
    shape = [max(1, round(size * side / max(image.shape))) for side in image.shape]
    return F.interpolate(image[None, None], shape, mode="bilinear", antialias=True)[0, 0]


def dilate(image: Tensor, power: int) -> Tensor:
    """Return the largest value of `image` (H, W) around each pixel, in a square 3**power wide."""
    for _ in ("rows", "columns"):
        image = F.pad(image, [3**power // 2] * 2, value=-math.inf)
        for step in range(power):  # three values, then three such threes, and so on: much faster
            image = F.max_pool1d(image, 3, stride=1, dilation=3**step)
        image = image.T
    return image


def erode(image: Tensor, power: int) -> Tensor:
    """Return the smallest value of `image` (H, W) around each pixel, in a square 3**power wide."""
    return -dilate(-image, power)


def stroke_width(ink: Tensor) -> float:
    """Return how wide, in pixels, the strokes of `ink` (H, W) are: twice their area / their edge.

    Changes from pixel to pixel, down and across, add up to 4 / pi times the length of the edge, on
    average over its directions.
    """
    ink = F.pad(ink, [1] * 4)
    changes = ink.diff(dim=0).abs().sum() + ink.diff(dim=1).abs().sum()
    edge = changes.clamp(min=1) / (4 / math.pi)
    return (2 * ink.sum() / edge).item()
