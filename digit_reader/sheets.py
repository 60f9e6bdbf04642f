"""Step 7: if the first piece is a sheet on a desk, or a canvas, it is cut out of the picture."""

import torch
import torch.nn.functional as F
from torch import Tensor

from digit_reader.geometry import bounding_box, erode, stroke_width
from digit_reader.pieces import Piece, find_largest_hole, is_inked

SHEET_FILL = 0.68  # of its bounding box: a sheet or a canvas covers at least as much


def find_sheet(ink: Tensor, piece: Piece) -> Tensor | None:
    """Return a mask (H, W) of `piece` of `ink`, its holes filled, if it is a sheet, or None.

    On a dark desk, a white sheet is itself the light ink, and the writing on it leaves holes. So a
    sheet, or a canvas, is a piece that fills its box and whose largest hole can be writing.
    """
    sheet = piece.box.crop(piece.mask)
    if sheet.float().mean() < SHEET_FILL:
        return None
    hole, enclosed = find_largest_hole(piece.box.crop(is_inked(ink)))
    if not hole.any() or not is_writing(hole, piece.box.size):
        return None
    mask = torch.zeros_like(piece.mask)
    piece.box.crop(mask)[:] = enclosed
    return mask


WRITING_SIZE = 0.15  # of the sheet's size: what is written on it is larger
WRITING_WIDTH = 0.25  # of its own size: what is written on a sheet has narrower strokes


def is_writing(hole: Tensor, sheet_size: int) -> bool:
    """Tell whether `hole` (H, W) in a sheet of that size can be what is written on it."""
    size = bounding_box(hole).size
    has_strokes = stroke_width(hole.float()) < WRITING_WIDTH * size
    return has_strokes and size > WRITING_SIZE * sheet_size


def cut_out_sheet(pixels: Tensor, sheet: Tensor) -> Tensor:
    """Return `pixels` (H, W) in the box of `sheet`, which is a mask at any resolution.

    What is not on the sheet becomes its median grey: the box of a sheet that is not straight has
    some of the desk in its corners.
    """
    eroded = erode(sheet.float(), 1)  # without its edge, which is soft
    is_on_sheet = F.adaptive_max_pool2d(eroded[None], pixels.shape)[0] > 0  # as large as `pixels`
    paper = pixels[is_on_sheet].median()
    return bounding_box(is_on_sheet).crop(torch.where(is_on_sheet, pixels, paper))
