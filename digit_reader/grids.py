"""For step 6 and reader.py: printed lines are told from what a bolder pen wrote across them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from digit_reader.geometry import dilate, stroke_width
from digit_reader.pieces import Piece, as_piece

LINE = 0.07  # of its size: the lines of a grid are narrower, and so are those across a picture
MANY = 6  # holes make a grid, or as many boxes


def is_grid(piece: Piece) -> bool:
    """Tell whether `piece` is a grid of lines: squared paper, or boxes that touch."""
    is_thin = piece.width < LINE * piece.box.size
    return is_thin and count_holes(piece.box.crop(piece.mask)) >= MANY


def count_holes(mask: Tensor) -> int:
    """Return how many holes, at least 9 pixels wide, what is connected in `mask` (H, W) has.

    That is 1 - V + E - F for the corners V, the sides E and the squares F of its pixels, once the
    smaller holes are filled: Euler's formula.
    """
    squares = F.pad(dilate(mask.float(), 2), [1] * 4)[None]
    sides = F.max_pool2d(squares, (1, 2), 1).sum() + F.max_pool2d(squares, (2, 1), 1).sum()
    corners = F.max_pool2d(squares, 2, 1).sum()
    return int(1 - corners + sides - squares.sum())


BOX_LINE = 0.2  # of its size: the line of a box is narrower
SAME = 0.1  # of their size: the sides of printed boxes differ by less


def printed_boxes(pieces: list[Piece]) -> list[Piece]:
    """Return those of `pieces` that are printed boxes, apart and all alike, if they are many."""
    thin = [piece for piece in pieces if piece.width < BOX_LINE * piece.box.size]
    if len(thin) < MANY:
        return []
    usual = sorted(thin, key=lambda piece: piece.box.size)[len(thin) // 2].box
    boxes = []
    for piece in thin:
        higher = abs(piece.box.height - usual.height)
        wider = abs(piece.box.width - usual.width)
        is_alike = max(higher, wider) < SAME * usual.size
        if is_alike and count_holes(piece.box.crop(piece.mask)) == 1:
            boxes.append(piece)
    return boxes if len(boxes) >= MANY else []


def crossing_width(at_border: Tensor) -> float | None:
    """Return how wide lines from side to side, or from top to bottom, are where they end, or None.

    `at_border` (H, W) is where they are at the border of the picture.
    """
    top, bottom, left, right = at_border[0], at_border[-1], at_border[:, 0], at_border[:, -1]
    if not (left.any() and right.any()) and not (top.any() and bottom.any()):
        return None
    ends = torch.cat([F.pad(side, [1, 0]) for side in (top, bottom, left, right)]).int()
    count = ends.diff().clamp(min=0).sum()
    width = (ends.sum() / count).item()
    return width if width < LINE * max(at_border.shape) else None


BOLD = 1.5  # times the width of lines, and a pixel: what is written across them is wider


def find_bold(piece: Piece, line_width: float) -> Tensor:
    """Return where (H, W) `piece` is bolder than lines of this width, in pixels."""
    side = round(BOLD * line_width) + 1
    mask = F.pad(piece.box.crop(piece.mask), [side - 1] * 4)
    fits = sums_of_squares(mask, side) == side**2  # a square of that side, from here on
    bold = torch.zeros_like(piece.mask)
    if fits.any():
        piece.box.crop(bold)[:] = sums_of_squares(fits, side) > 0
    return bold


def sums_of_squares(mask: Tensor, side: int) -> Tensor:
    """Return how much of each square of that side within `mask` (H, W) is true."""
    sums = F.pad(mask.int().cumsum(0).cumsum(1), [1, 0, 1, 0])  # of all above and to the left
    rows = sums[side:] - sums[:-side]
    return rows[:, side:] - rows[:, :-side]


FINE = 0.4  # of the width of a digit's strokes: lines that it is written across are narrower


def is_finer(line_width: float, bold: Tensor) -> bool:
    """Tell whether lines of this width, in pixels, are much finer than the strokes `bold` (H, W)."""
    return line_width < FINE * stroke_width(bold.float())


def finer_line_width(piece: Piece) -> float:
    """Return how wide lines through `piece` are, in pixels, if much finer than its strokes, else 0.

    They are so many that its strokes are bolder than the average of both.
    """
    bold = find_bold(piece, piece.width)
    if not bold.any():
        return 0
    line_width = stroke_width((piece.mask & ~bold).float())
    return line_width if is_finer(line_width, bold) else 0


def take_lines_off(piece: Piece, ink: Tensor, line_width: float) -> Piece:
    """Return `piece` of `ink` (H, W) without lines of this width, in pixels; 0 is for no lines."""
    return as_piece(find_bold(piece, line_width), ink) if line_width else piece


SURELY_FINE = 1 / 3  # of the width of a digit's strokes: none of its own is as narrow


def may_be_strokes(line_width: float, bold: Piece) -> bool:
    """Tell whether what was taken off `bold`, lines of this width, may be strokes of the digit."""
    return line_width >= SURELY_FINE * bold.width
