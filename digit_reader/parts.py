"""Step 8: the pieces that belong to the digit are told from those beside it."""

from digit_reader.geometry import Box
from digit_reader.pieces import Piece, is_flat, joint_box


def join_parts(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Return the first of `pieces` with what belongs to the same digit, and the others."""
    parts = pieces[:1]
    others = pieces[1:]
    while others:
        digit = joint_box(parts)
        belong = [belongs(piece, digit, pieces[0]) for piece in others]
        if not any(belong):
            break
        parts = parts + [piece for piece, joins in zip(others, belong, strict=True) if joins]
        others = [piece for piece, joins in zip(others, belong, strict=True) if not joins]
    return parts, others


WIDEST_BAR = 1.3  # of the digit's size: a longer line, as the bar of a window, is no part
UNDERLINE_GAP = 0.03  # of the digit's size: a longer line below it with a larger gap is no part
RIVAL_HEIGHT = 0.65  # of their height together: what shares more, beside it, is another digit ...
DOT = 2.5  # times the width of its strokes: ... unless it is smaller than that, a dot
NEAR = 0.1  # of the digit's size: parts have a smaller gap between them
ALIKE = 0.3  # of the first piece's mass: what has more, as a dot or a segment among others, ...
NEAR_STROKE = 1.5  # ... may have a gap so many times as wide as the thinner one's strokes
STACKED_GAP = 0.25  # of the sum of their sizes: ... or, below a bar, a smaller one than this ...
STACKED_SIZE = 0.3  # ... if the part is larger than this share of the digit's size


def belongs(piece: Piece, digit: Box, first: Piece) -> bool:
    """Tell whether `piece` is part of the digit that has this box so far, and `first` in it."""
    is_bar = is_flat(piece.box)
    if is_bar and piece.box.width > WIDEST_BAR * digit.size:
        return False
    down, across = gaps(digit, piece.box)
    is_below = piece.box.top >= digit.bottom
    if is_bar and is_below and piece.box.width > digit.width:
        return across < 0 and down < UNDERLINE_GAP * digit.size
    is_dot = piece.box.size < DOT * piece.width
    if across >= 0 and shared_height(digit, piece.box) > RIVAL_HEIGHT and not is_dot:
        return False  # another digit, beside this one
    is_alike = piece.mass > ALIKE * first.mass
    near = NEAR_STROKE * min(piece.width, first.width) if is_alike else 0
    if max(down, across) < max(NEAR * digit.size, near):
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


def shared_height(one: Box, other: Box) -> float:
    """Return how much of the height from the upper top to the lower bottom two boxes share.

    It is 1 if they are equally high, and negative if one is below the other.
    """
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared / (max(one.bottom, other.bottom) - min(one.top, other.top))


LARGE = 0.6  # of the digit's height: a note says that there are higher things


def note_on(others: list[Piece], digit: Box) -> str | None:
    """Return a note if some of `others` are about as high as the digit in this box, or None."""
    least_height = LARGE * digit.height
    rivals = [p for p in others if not is_flat(p.box) and p.box.height > least_height]
    if not rivals:
        return None
    return f"{len(rivals) + 1} things are as large as a digit; one is read"
