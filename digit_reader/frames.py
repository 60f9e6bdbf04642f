"""Step 6: what surrounds the digit or comes from the border is taken off: boxes, ruled lines."""

import torch
from torch import Tensor

from digit_reader.geometry import dilate
from digit_reader.grids import (
    SAME,
    crossing_width,
    find_bold,
    is_finer,
    is_grid,
    printed_boxes,
)
from digit_reader.pieces import MOST_ON_PAGE, MOST_PIECES, Piece, find_pieces, is_line

REST_INK = 0.3  # of the darkest ink: if nothing darker remains without a frame, it stays


def remove_frames(ink: Tensor, several: bool = False) -> list[tuple[Tensor, list[Piece]]]:
    """Return `ink` (H, W) with its pieces, then the same without its frame, and so on inwards.

    If there may be `several` digits, more pieces are looked at, and a frame may be round them all.
    """
    most = MOST_ON_PAGE if several else MOST_PIECES
    layers = []
    while True:
        pieces = find_pieces(ink, most)
        layers.append((ink, pieces))
        frame = find_frame(ink, pieces, several)
        rest = (ink - frame).clamp(min=0)
        if not frame.any() or rest.max() <= REST_INK * ink.max():
            return layers
        ink = rest


def find_frame(ink: Tensor, pieces: list[Piece], several: bool) -> Tensor:
    """Return how much to subtract from `ink` (H, W): the frames among `pieces`, 0 elsewhere.

    A box, a circle or axes surround other pieces, and lose everything. The desk, a thumb or ruled
    lines come from the border, and lose as much as their darkest pixel there: what is darker, a
    digit that was written across, stays. So does what is bolder than lines across the picture, or
    than those of a grid.
    """
    border = torch.ones_like(ink, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    frame = torch.zeros_like(ink)
    bold = torch.zeros_like(border)
    boxes = [] if several else printed_boxes(pieces)
    for piece in pieces:
        at_border = piece.mask & border
        is_cut_off = bool(at_border.any())
        is_frame = surrounds(piece, pieces, is_cut_off)
        if is_frame or (several and surrounds_several(piece, pieces)):
            frame[piece.mask] = ink[piece.mask].max()
            continue
        written = None if several else written_across(piece, ink, at_border, boxes)
        if written is not None:
            bold |= written
            lines = piece.mask & ~written
            frame[lines] = (ink * lines).max()
        elif lies_along_border(piece, at_border) or is_ruled_line(piece, ink, at_border):
            frame[piece.mask] = ink[at_border].max()
    return torch.where(bold, 0, dilate(frame, 2))


WRITTEN = 0.2  # of the mass of lines with a digit across them: what is bolder has more


def written_across(
    piece: Piece, ink: Tensor, at_border: Tensor, boxes: list[Piece]
) -> Tensor | None:
    """Return where (H, W) `piece` of `ink` is bolder than the printed lines in it, or None.

    It is None if they are neither a grid, nor some of the printed `boxes`, nor lines from border to
    border with a digit across them.
    """
    if boxes and piece.box.size >= (1 - SAME) * boxes[0].box.size:
        return find_bold(piece, boxes[0].width)
    if is_grid(piece):
        return find_bold(piece, piece.width)
    line_width = crossing_width(at_border)
    if line_width is None:
        return None
    bold = find_bold(piece, line_width)
    lines_are_finer = is_finer(line_width, bold)
    return bold if lines_are_finer and ink[bold].sum() > WRITTEN * piece.mass else None


INSIDE_SIZE = 0.35  # of a frame's size: what it surrounds is at least as large, or just a speck
MANY = 3  # or so many are together as large, as the dots of a digit; an outlined 8 has two inside


def surrounds(piece: Piece, pieces: list[Piece], is_cut_off: bool) -> bool:
    """Tell whether `piece` is around one of `pieces`, or around many, which are not just specks."""
    least_size = INSIDE_SIZE * piece.box.size
    large = [other for other in pieces if other.box.size >= least_size]
    if any(is_around(piece, other, is_cut_off) for other in large):
        return True
    sizes = [other.box.size for other in pieces if is_around(piece, other)]
    return len(sizes) >= MANY and sum(sizes) >= least_size


SEVERAL_SIZE = 0.1  # of the shorter side of a frame round several things: each is at least as large


def surrounds_several(piece: Piece, pieces: list[Piece]) -> bool:
    """Tell whether `piece` has ink on all four sides of at least two of `pieces`, not specks."""
    shorter = min(piece.box.height, piece.box.width)
    things = [other for other in pieces if other.box.size >= SEVERAL_SIZE * shorter]
    return sum(is_around(piece, other) for other in things) >= 2


def is_around(piece: Piece, other: Piece, is_cut_off: bool = False) -> bool:
    """Tell whether `piece` has ink on all four sides of `other`.

    If it is cut off by the border of the picture, it may also be just a corner: on one side, and
    either above or below.
    """
    if not is_cut_off and not other.box.is_inside(piece.box):
        return False
    top, left, bottom, right = other.box
    beside = piece.mask[top:bottom].any(dim=0)  # (W,)
    above_or_below = piece.mask[:, left:right].any(dim=1)  # (H,)
    sides = int(beside[:left].any()) + int(beside[right:].any())
    ends = int(above_or_below[:top].any()) + int(above_or_below[bottom:].any())
    return sides == ends == 2 or (is_cut_off and sides == ends == 1)


AT_BORDER = 0.5  # of its size: a desk or a thumb has more pixels at the border


def lies_along_border(piece: Piece, at_border: Tensor) -> bool:
    """Tell whether `piece` lies along the border, where its pixels are `at_border` (H, W)."""
    return bool(at_border.sum() > AT_BORDER * piece.box.size)


def is_ruled_line(piece: Piece, ink: Tensor, at_border: Tensor) -> bool:
    """Tell whether `piece` of `ink` is a line across the picture.

    Its pixels at the border are `at_border` (H, W).
    """
    return bool(at_border.any()) and piece.box.size >= min(ink.shape) and is_line(piece.box)
