"""Step 10: the strokes of the digit become 28x28 pixels, as MNIST would have them."""

import torch.nn.functional as F
from torch import Tensor

from digit_reader.geometry import bounding_box, dilate, resize, stroke_width
from digit_reader.parts import ALIKE
from digit_reader.pieces import Piece, joint_box, joint_mask
from mnist_classifier import IMAGE_SIZE

DIGIT_SIZE = 19  # pixels: one less than in MNIST, as people's digits are read better so


def to_image(ink: Tensor, parts: list[Piece]) -> Tensor:
    """Return the digit that these `parts` of `ink` (H, W) are, light on black, (1, 28, 28)."""
    digit = close_gaps(cut_out(ink, parts), parts)
    return centre(brighten(resize(thicken(digit), DIGIT_SIZE)))


DARK_INK = 0.9  # of the digit's pixels have less ink than what counts as its dark ink
EDGE_INK = 0.2  # of the digit's dark ink: the soft edge of a stroke begins here ...
FULL_INK = 0.75  # ... and ends here


def cut_out(ink: Tensor, parts: list[Piece]) -> Tensor:
    """Return the strokes of a digit of these `parts` of `ink` (H, W), cut to their box, 0 to 1."""
    strokes = joint_mask(parts)
    ink = ink / ink[strokes].quantile(DARK_INK)  # the digit's dark ink is 1
    ink = ink * dilate(strokes.float(), 2)  # without what is farther away than their soft edges
    digit = joint_box(parts).crop(ink)
    return ((digit - EDGE_INK) / (FULL_INK - EDGE_INK)).clamp(0, 1)


SEGMENTS = range(3, 8)  # so many alike parts may be segments of a display: gaps are closed ...
GAP = 1.6  # ... that are narrower than the first part's strokes, times this


def close_gaps(digit: Tensor, parts: list[Piece]) -> Tensor:
    """Return `digit` (H, W) of these `parts`, with the gaps closed if they may be segments."""
    alike = [part for part in parts if part.mass > ALIKE * parts[0].mass]
    if len(alike) not in SEGMENTS:
        return digit
    reach = round(GAP * parts[0].width / 2)
    width = 2 * reach + 1
    dilated = F.max_pool2d(F.pad(digit, [2 * reach] * 4)[None], width, 1)
    return -F.max_pool2d(-dilated, width, 1)[0]


THIN = 1 / 14  # of the digit's size: narrower strokes would fade when it is scaled ...
THICKENED = 0.1  # ... and are made about as wide as this


def thicken(digit: Tensor) -> Tensor:
    """Return `digit` (H, W) with strokes that do not fade when it is scaled."""
    size = max(digit.shape)
    width = stroke_width(digit)
    if width >= THIN * size:
        return digit
    reach = round((THICKENED * size - width) / 2)
    return F.max_pool2d(F.pad(digit, [reach] * 4)[None], 2 * reach + 1, 1, reach)[0]


BRIGHT = 0.15  # of the pixels in the digit's box: so many become fully bright ...
LEAST_BRIGHT = 0.5  # ... unless they are less bright than this share of the brightest


def brighten(digit: Tensor) -> Tensor:
    """Return `digit` (H, W) with full brightness, which thin strokes lose when they are scaled."""
    full = digit.quantile(1 - BRIGHT).clamp(min=LEAST_BRIGHT * digit.max())
    return (digit / full).clamp(max=1)


def centre(ink: Tensor) -> Tensor:
    """Return `ink` (H, W) with its centre of mass as near as it fits to that of (1, 28, 28)."""
    height, width = ink.shape
    down, across = centre_of_mass(ink)
    top = min(max(0, round(IMAGE_SIZE / 2 - down)), IMAGE_SIZE - height)
    left = min(max(0, round(IMAGE_SIZE / 2 - across)), IMAGE_SIZE - width)
    bottom = IMAGE_SIZE - height - top
    right = IMAGE_SIZE - width - left
    return F.pad(ink, (left, right, top, bottom)).unsqueeze(0)


def centre_of_mass(ink: Tensor) -> tuple[float, float]:
    """Return how far down and how far across the centre of mass of `ink` (H, W) is, in pixels."""
    return centre_of(ink.sum(1).tolist()), centre_of(ink.sum(0).tolist())


def centre_of(masses: list[float]) -> float:
    """Return where the centre of a row of pixels with these `masses` is, in pixels.

    There are few of them, for which plain numbers are faster than a tensor.
    """
    return sum((i + 0.5) * mass for i, mass in enumerate(masses)) / sum(masses)


# A 28x28 picture is left as it is if it is like those of MNIST:
MNIST_BRIGHTEST = 200  # of 255: some pixel is at least as bright
MNIST_EDGE = 10  # of 255: where it is brighter, there is the digit
MNIST_SIZE = 20  # pixels: the longer side of the digit, give or take 1
MNIST_OFF_CENTRE = 1.0  # pixels: its centre of mass is at most as far from the middle


def is_like_mnist(pixels: Tensor) -> bool:
    """Tell whether grey values (H, W), 0 to 255, are an image of MNIST already."""
    is_small = pixels.shape == (IMAGE_SIZE, IMAGE_SIZE)
    if not is_small or pixels.median() > 0 or pixels.max() < MNIST_BRIGHTEST:
        return False
    size = bounding_box(pixels > MNIST_EDGE).size
    has_size = abs(size - MNIST_SIZE) <= 1
    off_centre = max(abs(place - IMAGE_SIZE / 2) for place in centre_of_mass(pixels))
    return has_size and off_centre <= MNIST_OFF_CENTRE
