"""Step 7: the pieces that belong to the digit are told from those beside it."""

from digit_reader.geometry import Box
from digit_reader.pieces import Piece, is_flat, joint_box


def join_parts(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Return the first of `pieces` with what belongs to the same digit, and the others."""
    parts = pieces[:1]
    others = pieces[1:]
    while True:
        box = joint_box(parts)
        more = [piece for piece in others if belongs(piece, box)]
        if not more:
            return parts, others
        parts = parts + more
        others = [piece for piece in others if not belongs(piece, box)]


UNDERLINE_GAP = 0.03  # of the digit's size: a line below it with a larger gap is no part
RIVAL_SIZE = 0.6  # of the digit's size: a larger thing beside it is another digit
NEAR = 0.1  # of the digit's size: parts have a smaller gap between them ...
STACKED_GAP = 0.25  # ... or, below a bar, one smaller than this share of the sum of their sizes
STACKED_SIZE = 0.3  # of the digit's size: parts with such a gap are larger


def belongs(piece: Piece, digit: Box) -> bool:
    """Tell whether `piece` is part of the digit that has this box so far."""
    down, across = gaps(digit, piece.box)
    is_below = piece.box.top >= digit.bottom
    if is_flat(piece.box) and is_below:
        return across < 0 and down < UNDERLINE_GAP * digit.size
    if across >= 0 and piece.box.size > RIVAL_SIZE * digit.size:
        return False  # another digit, beside this one
    if max(down, across) < NEAR * digit.size:
        return True
    upper = piece.box if piece.box.top < digit.top else digit
    is_stacked = across < 0 and down < STACKED_GAP * (digit.size + piece.box.size)
    has_bar = upper.width > upper.height  # as a 5 whose bar lies apart
    return is_stacked and has_bar and piece.box.size > STACKED_SIZE * digit.size


def gaps(one: Box, other: Box) -> tuple[int, int]:
    """Return the pixels between two boxes, down and across; negative where they overlap."""
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    across = max(one.left, other.left) - min(one.right, other.right)
    return down, across


def note_on(others: list[Piece], digit: Box) -> str | None:
    """Return a note if some of `others` are about as large as the digit in this box, or None."""
    least_size = RIVAL_SIZE * digit.size
    rivals = [p for p in others if not is_flat(p.box) and p.box.size > least_size]
    if not rivals:
        return None
    return f"{len(rivals) + 1} things are as large as a digit; one is read"
