"""Step 3: the ink is told from the paper around it, light or dark, whatever the light."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from digit_reader.geometry import dilate, erode, resize
from digit_reader.picture import GRID

MOST_ELONGATED = 4  # times the side of the grid: a long picture is at most as long


def to_grid(pixels: Tensor, side: int = GRID) -> Tensor:
    """Return grey values (H, W), 0 to 255, scaled to about side x side pixels, with less noise.

    A long picture keeps that area, up to its largest length.
    """
    elongation = max(pixels.shape) / min(pixels.shape)
    pixels = resize(pixels, round(side * min(MOST_ELONGATED, math.sqrt(elongation))))
    return F.avg_pool2d(pixels[None], 3, 1, 1, count_include_pad=False)[0]


def polarity_of(pixels: Tensor) -> float:
    """Return above 0 if the ink in `pixels` (H, W) is dark, below if it is light on dark paper.

    It is 0 if both are equally likely, and about 1 or -1 if it is plain. There is less ink than
    paper, so where the two meet, the average grey of a wide area is nearer to the paper's.
    """
    margin = 3**3 // 2  # half the width of the closing: what ends at the border is to go on
    wide = F.pad(pixels[None, None], [margin] * 4, mode="replicate")
    light = closing(wide[0, 0], 3)
    dark = -closing(-wide[0, 0], 3)
    around = F.adaptive_avg_pool2d(wide, 3)  # the averages of three by three fields
    around = F.interpolate(around, light.shape, mode="bilinear")[0, 0]
    contrast = light - dark
    votes = contrast * (2 * around - light - dark)  # positive where `around` is nearer to `light`
    # A small bias to what most of the picture is. The votes are squares of grey values and this is
    # a difference, so it matters only where there is little contrast, or where votes cancel.
    mostly_light = pixels.median() - pixels.mean()
    return ((votes.mean() + mostly_light) / contrast.square().mean().clamp(min=1)).item()


PLAIN_POLARITY = 0.4  # up or down: if it is less, the ink may be the other one


def with_dark_ink(pixels: Tensor) -> list[Tensor]:
    """Return `pixels` (H, W) as they are or negated, so that their ink is dark.

    If it is not plain whether that is so, what is less likely is returned as well.
    """
    polarity = polarity_of(pixels)
    likelier = pixels if polarity >= 0 else 255 - pixels
    return [likelier] if abs(polarity) >= PLAIN_POLARITY else [likelier, 255 - likelier]


NOISE = 20  # of 255: added to the paper's grey, so that noise in the dark is no ink


def find_ink(pixels: Tensor) -> Tensor:
    """Return how much darker each of `pixels` (H, W) is than the paper around it, 0 to 1.

    The paper is what is left when all that is dark and narrow is filled in; shadows are not narrow.
    """
    paper = closing(pixels, 4)
    ink = (paper - pixels) / (paper + NOISE)
    ink = (ink - ink.median()).clamp(min=0)
    return torch.zeros_like(ink) if is_soft(ink, pixels) else ink


EDGE_DEPTH = 0.35  # of the darkest ink: somewhere at its edge, ink becomes as much darker at once


def is_soft(ink: Tensor, pixels: Tensor) -> bool:
    """Tell whether the `ink` of `pixels` (H, W) has no edges, so that it is but uneven light."""
    lightest = dilate(pixels, 2)
    edges = (lightest - pixels) / (lightest + NOISE)
    return bool(edges.max() < EDGE_DEPTH * ink.max())


def closing(image: Tensor, power: int) -> Tensor:
    """Fill in what is dark in `image` (H, W) and narrower than 3**power pixels."""
    return erode(dilate(image, power), power)
