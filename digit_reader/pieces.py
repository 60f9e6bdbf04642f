"""Step 4: the ink falls into connected pieces, and specks are left out."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from digit_reader.geometry import Box, bounding_box, stroke_width


class Piece(NamedTuple):
    """A connected component of the ink."""

    mask: Tensor  # (H, W) bool
    mass: float  # the sum of its ink
    box: Box
    width: float  # of its strokes, in pixels

    @property
    def length(self) -> float:
        """How long its strokes are together, in pixels; less if they are pale."""
        return self.mass / self.width


MOST_DOTS = 200  # a digit that is made of dots has fewer pieces ...
MOST_PIECES = 20  # ... and if there are more, in noise or a text, only so many are looked at ...
MOST_ON_PAGE = 300  # ... or so many, if all of the digits are wanted
LEAST_MASS = 0.01  # of the heaviest piece's mass: lighter ones are specks


def find_pieces(ink: Tensor, most: int = MOST_PIECES) -> list[Piece]:
    """Return the pieces of `ink` (H, W) that are no specks: the longest first, flat lines last.

    If there are more than MOST_DOTS, only the `most` heaviest are returned.
    """
    labels = label_components(is_inked(ink))
    masses = labels.flatten().bincount(ink.flatten())
    masses[0] = 0  # what is no ink
    is_heavy = masses > LEAST_MASS * masses.max()
    heavy_labels = masses.argsort(descending=True)[: is_heavy.sum()]
    if len(heavy_labels) > MOST_DOTS:
        heavy_labels = heavy_labels[:most]
    pieces = []
    for label in heavy_labels.tolist():
        pieces.append(make_piece(labels == label, masses[label].item()))
    return sorted(pieces, key=lambda piece: (is_flat(piece.box), -piece.length))


def make_piece(mask: Tensor, mass: float) -> Piece:
    """Return what is true in `mask` (H, W), with ink of this `mass`, as a piece."""
    box = bounding_box(mask)
    return Piece(mask, mass, box, stroke_width(box.crop(mask).float()))


def as_piece(mask: Tensor, ink: Tensor) -> Piece:
    """Return what is true in `mask` (H, W) as a piece of `ink`."""
    return make_piece(mask, ink[mask].sum().item())


PIECE_INK = 0.28  # of the darkest ink: what is darker belongs to a piece
NOISE_INK = 0.02  # of full ink: noise may be as dark
PALE_INK = 0.18  # of the darkest ink: in pale ink, what is darker may belong to one


def is_inked(ink: Tensor) -> Tensor:
    """Tell which pixels (H, W) of `ink` are dark enough to belong to a piece.

    If the ink is so pale that noise would be, too, they hang together with darker ones than noise.
    """
    darkest = ink.max()
    if PIECE_INK * darkest >= NOISE_INK:
        return ink > PIECE_INK * darkest
    labels = label_components(ink > PALE_INK * darkest)
    return torch.isin(labels, labels[ink > NOISE_INK])


def label_components(mask: Tensor) -> Tensor:
    """Give each connected piece of `mask` (H, W) a label above 0; diagonal neighbours connect.

    At first each of its N pixels has a label of its own, 1 to N. Again and again, pixels take the
    largest label around them, until nothing changes.
    """
    pixel_numbers = mask.flatten().cumsum(0).view_as(mask) * mask  # 1 to N, else 0
    padded = F.pad(pixel_numbers, [1] * 4)
    places = padded.flatten().nonzero()  # (N, 1) of the pixels
    step = torch.arange(-1, 2)
    square = (padded.shape[1] * step[:, None] + step).flatten()  # (9,) places, from its middle
    neighbours = padded.flatten()[places + square]  # (N, 9) pixel numbers, 0 for none
    labels = torch.arange(len(neighbours) + 1)  # of pixel number 0 to N
    while True:
        largest = F.pad(labels[neighbours].amax(dim=1), (1, 0))
        if torch.equal(labels, largest):
            return labels[pixel_numbers]
        # A label is also the number of a pixel, which takes the largest label that was seen ...
        labels = labels.scatter_reduce(0, labels, largest, "amax")
        labels = labels[labels]  # ... and all that have its number as their label follow it


def find_largest_hole(inked: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest hole in `inked` (H, W), and all that it encloses, as masks.

    What is inked counts as enclosed. If there is no hole, the first mask is empty.
    """
    free = F.pad(~inked, [1] * 4, value=True)
    labels = label_components(free)
    enclosed = labels != labels[0, 0]
    areas = labels[enclosed].bincount(minlength=1)
    areas[0] = 0  # what is inked is no hole
    hole = free & (labels == areas.argmax())
    return hole[1:-1, 1:-1], enclosed[1:-1, 1:-1]


FLAT = 0.2  # of its longer side: the shorter side of a line is less


def is_flat(box: Box) -> bool:
    """Tell whether what is in `box` is a line from side to side, and no digit."""
    return box.height < FLAT * box.width


def is_line(box: Box) -> bool:
    """Tell whether what is in `box` is a line from side to side, or up and down as a 1 is."""
    return min(box.height, box.width) < FLAT * box.size


SHADE_INK = 0.5  # of full ink: a shade is paler
STRIP = 0.5  # of the picture's width or height: a strip along its border is narrower
AROUND = 0.9  # of the border's pixels: a shade that is darker all round covers more


def is_shade(parts: list[Piece], ink: Tensor) -> bool:
    """Tell whether `parts` of `ink` (H, W) are a pale shade along a whole side, or all round."""
    if ink.max() > SHADE_INK:
        return False
    height, width = ink.shape
    box = joint_box(parts)
    at_side = box.left == 0 or box.right == width
    at_end = box.top == 0 or box.bottom == height
    is_upright = at_side and box.height == height and box.width < STRIP * width
    is_level = at_end and box.width == width and box.height < STRIP * height
    mask = joint_mask(parts)
    border = torch.cat([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    is_around = border.float().mean() > AROUND
    return is_upright or is_level or bool(is_around)


LEAST_SHARE = 0.02  # of the mass of all ink: a digit has at least as much; in noise, no piece has
LEAST_SIZE = 8  # pixels of the grid: the longer side of a digit is at least as long


def stands_out(ink: Tensor, parts: list[Piece]) -> bool:
    """Tell whether these `parts` of `ink` (H, W) can be a digit, and not noise or a shade."""
    if not parts or joint_box(parts).size < LEAST_SIZE or is_shade(parts, ink):
        return False
    mass = sum(part.mass for part in parts)
    return mass >= LEAST_SHARE * ink[is_inked(ink)].sum().item()


def joint_box(pieces: list[Piece]) -> Box:
    """Return the box around all of `pieces`."""
    tops, lefts, bottoms, rights = zip(*(piece.box for piece in pieces), strict=True)
    return Box(min(tops), min(lefts), max(bottoms), max(rights))


def joint_mask(pieces: list[Piece]) -> Tensor:
    """Return where (H, W) any of `pieces` is."""
    return torch.stack([piece.mask for piece in pieces]).any(dim=0)
