"""Step 9: if all of the digits are wanted, each gets its pieces, and they are put in lines."""

import math
from typing import NamedTuple

from torch import Tensor

from digit_reader.geometry import Box
from digit_reader.parts import gaps, join_parts
from digit_reader.pieces import Piece, as_piece, is_flat, joint_box, joint_mask


def find_digits(pieces: list[Piece]) -> list[list[Piece]]:
    """Return the parts of each digit among `pieces`: things of about one size, in no order.

    A piece of that size is a digit, with the smaller ones that belong to it and to no nearer one.
    """
    height = usual_height(pieces)
    bodies = [piece for piece in pieces if has_size_of_digit(piece.box, height)]
    rest = [piece for piece in without(pieces, bodies) if piece.box.size < LARGEST_PART * height]
    near = near_parts(bodies, rest)
    digits = []
    while bodies:
        mine = [body for body in bodies if overlap(body.box, bodies[0].box)]
        some = [part for body in mine for part in near[id(body)]]
        parts, _ = join_parts([bodies[0], *without(mine, bodies[:1]), *some])
        digits.append(parts)
        bodies = without(bodies, parts)
    rest = without(rest, [part for digit in digits for part in digit])
    while rest:  # digits in fragments
        parts, rest = join_parts(rest)
        if has_size_of_digit(joint_box(parts), height):
            digits.append(parts)
    return digits


def without(pieces: list[Piece], some: list[Piece]) -> list[Piece]:
    """Return those of `pieces` that are not among `some`."""
    left_out = set(map(id, some))
    return [piece for piece in pieces if id(piece) not in left_out]


def near_parts(bodies: list[Piece], rest: list[Piece]) -> dict[int, list[Piece]]:
    """Return, by the id of each of `bodies`, those of the `rest` to which no other is nearer."""
    near: dict[int, list[Piece]] = {id(body): [] for body in bodies}
    for piece in rest if bodies else []:
        nearest = min(bodies, key=lambda body: max(gaps(body.box, piece.box)))
        near[id(nearest)].append(piece)
    return near


def usual_height(pieces: list[Piece]) -> int:
    """Return the height of `pieces`, in pixels: half of their ink is in higher ones, or as high."""
    things = [piece for piece in pieces if not is_flat(piece.box)]
    half = sum(piece.mass for piece in things) / 2
    for piece in sorted(things, key=lambda piece: piece.box.height):
        half -= piece.mass
        if half <= 0:
            return piece.box.height
    return 0


LEAST_HEIGHT = 0.4  # of the usual height: a digit is at least as high ...
LEAST_SIDE = 0.6  # ... and its longer side at least as long
MOST_HEIGHT = 2.2  # of the usual height: what is higher is no digit
LARGEST_PART = 1.3  # of the usual height: a part of a digit, as the bar of a 5, is smaller


def has_size_of_digit(box: Box, height: int) -> bool:
    """Tell whether a digit can have this box, where digits usually have this height."""
    is_high = LEAST_HEIGHT * height <= box.height <= MOST_HEIGHT * height
    return is_high and box.size >= LEAST_SIDE * height


SHARED_WIDTH = 0.5  # of the narrower one's width: strokes of one digit, as of a 4, share as much
SHARED_HEIGHT = 0.3  # of the lower one's height: and as much of this


def overlap(one: Box, other: Box) -> bool:
    """Tell whether two boxes overlap so far that both may be strokes of one digit."""
    down, across = gaps(one, other)
    shares_width = -across > SHARED_WIDTH * min(one.width, other.width)
    return shares_width and -down > SHARED_HEIGHT * min(one.height, other.height)


CUT_FROM = 0.25  # of its width: two digits that touch are cut at least as far from each end


def cut_in_two(ink: Tensor, parts: list[Piece]) -> list[list[Piece]]:
    """Return these `parts` of `ink` (H, W) left and right of where they are thinnest.

    That is one column of pixels. If it goes through more than one stroke, nothing is returned.
    """
    box = joint_box(parts)
    mask = joint_mask(parts)
    start = box.left + round(CUT_FROM * box.width)
    end = box.right - round(CUT_FROM * box.width)
    cut = start + int((ink * mask)[:, start:end].sum(dim=0).argmin())
    strokes = mask[:, cut].int().diff().clamp(min=0).sum()
    if strokes != 1:
        return []
    left = mask.clone()
    left[:, cut:] = False
    right = mask & ~left
    return [[as_piece(left, ink)], [as_piece(right, ink)]]


class Line(NamedTuple):
    """Digits that stand in a line, once it is turned to be level."""

    top: float  # pixels
    bottom: float
    places: list[int]  # of its digits in a list of boxes


STEEPEST = 12  # degrees: a line goes up or down by at most as much


def in_lines(boxes: list[Box]) -> list[list[int]]:
    """Return the places of `boxes` in their list, line by line, in reading order.

    All lines have the same slant: the one at which they are the least high together.
    """
    angles = sorted(range(-STEEPEST, STEEPEST + 1), key=abs)
    options = [lines_at(math.tan(math.radians(angle)), boxes) for angle in angles]
    lines = min(options, key=lambda lines: sum(line.bottom - line.top for line in lines))
    return [sorted(line.places, key=lambda place: boxes[place].left) for line in lines]


IN_LINE = 0.4  # of the lower one's height: a digit shares as much with those in its line


def lines_at(slope: float, boxes: list[Box]) -> list[Line]:
    """Return the lines of `boxes`, from top to bottom, if they go down by `slope` per pixel."""
    spans = []
    for place, box in enumerate(boxes):
        shift = slope * (box.left + box.right) / 2
        spans.append(Line(box.top - shift, box.bottom - shift, [place]))
    lines: list[Line] = []
    for span in sorted(spans, key=lambda span: span.top + span.bottom):
        if lines and is_in_line(span, lines[-1]):
            top = min(span.top, lines[-1].top)
            bottom = max(span.bottom, lines[-1].bottom)
            lines[-1] = Line(top, bottom, lines[-1].places + span.places)
        else:
            lines.append(span)
    return lines


def is_in_line(span: Line, line: Line) -> bool:
    """Tell whether a digit, as a line of its own, is beside those of `line`."""
    shared = min(span.bottom, line.bottom) - max(span.top, line.top)
    return shared > IN_LINE * min(span.bottom - span.top, line.bottom - line.top)
