"""Step 5: a digit of which only the outline is drawn is filled in."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from digit_reader.geometry import bounding_box, stroke_width
from digit_reader.pieces import Piece, find_largest_hole, is_inked, label_components

THIN = 0.08  # of its size: the line of an outline is narrower
CELLS = 64  # along the longer side of an outline, which is looked at in this resolution
MOST_ENCLOSED = 0.7  # of its box: an outline with ink in it, as of a 6, encloses less than a frame


def fill_outline(ink: Tensor, outline: Piece) -> Tensor:
    """Return `ink` (H, W) with `outline`, a piece of it, filled in, or `ink` if it is no outline.

    What an outline is drawn around is a hole in it that has the shape of a pen's stroke.
    """
    if outline.width > THIN * outline.box.size:
        return ink
    drawn = outline.box.crop(is_inked(ink)).float()
    scale = min(1, CELLS / outline.box.size)
    shape = [max(1, round(scale * side)) for side in drawn.shape]
    cells = F.adaptive_max_pool2d(drawn[None], shape)[0] > 0  # closed lines stay closed
    hole, enclosed = find_largest_hole(cells)
    if not hole.any() or not is_stroke(hole, scale * outline.width):
        return ink
    areas = label_components(cells).flatten().bincount()  # of the pieces, and of what is no ink
    if areas.count_nonzero() > 2 and enclosed.float().mean() > MOST_ENCLOSED:
        return ink
    with_line = F.max_pool2d(hole.float()[None, None], 3, 1, 1)
    stroke = torch.zeros_like(outline.mask)
    outline.box.crop(stroke)[:] = F.interpolate(with_line, drawn.shape)[0, 0] > 0
    return torch.where(stroke, ink[outline.mask].max(), ink)


LONG = 0.7  # of the outline's size: the stroke in it is at least as long
BENT = 1.25  # times the diagonal of its box: a stroke that is longer is bent
VERY_BENT = 1.35  # times the same: no hole in a 0 is longer, so such a stroke may be uneven
MOST_COVERED = 0.65  # of its box: a bent stroke covers less
EVEN = 1.5  # times its mean width: a stroke that is hardly bent is nowhere as wide
EVEN_BAR = 1.15  # times its mean width: nor is a straight one; the hole in a 0 is (4 / pi)


def is_stroke(hole: Tensor, line_width: float) -> bool:
    """Tell whether `hole` (H, W), cut to the box of its outline, has the shape of a pen's stroke.

    `line_width`, in pixels, is that of the outline.
    """
    width = stroke_width(hole.float())
    box = bounding_box(hole)
    if box.size < LONG * max(hole.shape) or width < line_width:
        return False
    area = hole.sum().item()
    length = area / width / math.hypot(box.height, box.width)  # of the diagonal
    if length > BENT and area > MOST_COVERED * box.height * box.width:
        return False
    if length > VERY_BENT:
        return True
    wide = int((EVEN if length > BENT else EVEN_BAR) * width) + 1
    outside = F.pad(1 - hole.float(), [wide] * 4, value=1)
    # No square of that side fits into the hole:
    return bool((F.max_pool2d(outside[None], wide, 1) == 1).all())
