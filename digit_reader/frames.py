"""Step 5: what surrounds the digit or comes from the border is taken off: boxes, ruled lines."""

import torch
from torch import Tensor

from digit_reader.geometry import dilate
from digit_reader.pieces import Piece, heaviest_pieces, is_line

REST_INK = 0.3  # of the darkest ink: if nothing darker remains without a frame, it stays


def remove_frames(ink: Tensor) -> list[tuple[Tensor, list[Piece]]]:
    """Return `ink` (H, W) with its pieces, then the same without its frame, and so on inwards."""
    layers = []
    while True:
        pieces = heaviest_pieces(ink)
        layers.append((ink, pieces))
        frame = find_frame(ink, pieces)
        rest = (ink - dilate(frame, 2)).clamp(min=0)
        if not frame.any() or rest.max() <= REST_INK * ink.max():
            return layers
        ink = rest


def find_frame(ink: Tensor, pieces: list[Piece]) -> Tensor:
    """Return how much to subtract from `ink` (H, W): the frames among `pieces`, 0 elsewhere.

    A box, a circle or axes surround other pieces, and lose everything. The desk, a thumb or ruled
    lines come from the border, and lose as much as their darkest pixel there: what is darker, a
    digit that was written across, stays.
    """
    border = torch.ones_like(ink, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    frame = torch.zeros_like(ink)
    for piece in pieces:
        at_border = piece.mask & border
        if any(surrounds(piece, other) for other in pieces):
            frame[piece.mask] = ink[piece.mask].max()
        elif lies_along_border(piece, at_border) or is_ruled_line(piece, ink, at_border):
            frame[piece.mask] = ink[at_border].max()
    return frame


INSIDE_SIZE = 0.35  # of a frame's size: what it surrounds is at least as large, or just a speck


def surrounds(piece: Piece, other: Piece) -> bool:
    """Tell whether `piece` has ink on all four sides of `other`, which is not just a speck."""
    top, left, bottom, right = other.box
    if other.box.size < INSIDE_SIZE * piece.box.size:
        return False
    beside = piece.mask[top:bottom].any(dim=0)  # (W,)
    above_or_below = piece.mask[:, left:right].any(dim=1)  # (H,)
    sides = (beside[:left], beside[right:], above_or_below[:top], above_or_below[bottom:])
    return all(bool(side.any()) for side in sides)


AT_BORDER = 0.5  # of its size: a desk or a thumb has more pixels at the border


def lies_along_border(piece: Piece, at_border: Tensor) -> bool:
    """Tell whether `piece` lies along the border, where its pixels are `at_border` (H, W)."""
    return bool(at_border.sum() > AT_BORDER * piece.box.size)


WRITTEN = 0.2  # of the mass of a line with a digit on it: the digit is darker by at least as much


def is_ruled_line(piece: Piece, ink: Tensor, at_border: Tensor) -> bool:
    """Tell whether `piece` of `ink` is a line across the picture, alone or with a digit on it.

    Its pixels at the border are `at_border` (H, W).
    """
    if not at_border.any() or piece.box.size < min(ink.shape):
        return False
    if is_line(piece.box):
        return True
    written = (ink[piece.mask] - ink[at_border].max()).clamp(min=0).sum()
    return bool(written > WRITTEN * piece.mass)
