"""The whole way from a picture of numbers to all of its digits."""

import itertools
import math
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from digit_reader.digit import to_image
from digit_reader.geometry import Box
from digit_reader.gray import to_gray
from digit_reader.ink import find_ink, to_grid, with_dark_ink
from digit_reader.lines import cut_in_two, find_digits, in_lines, usual_height
from digit_reader.picture import GRID, Blank, Source, find_on_pages
from digit_reader.pieces import (
    MOST_ON_PAGE,
    Piece,
    as_piece,
    find_pieces,
    joint_box,
    joint_mask,
)
from digit_reader.reader import SURE, is_sure, join_notes, layers_of, read_digit
from mnist_classifier import predict


class Digit(NamedTuple):
    """One of the digits of a picture."""

    digit: int
    probability: float
    line: int  # from 0, the uppermost
    box: tuple[float, float, float, float]  # left, top, right, bottom: shares of width and height
    image: Tensor  # (1, 28, 28), 0 to 1: what the network saw
    note: str | None  # why it may not be one digit

    @property
    def sure(self) -> bool:
        """Whether you need not look yourself."""
        return is_sure(self.probability, self.note)

    def __repr__(self) -> str:
        return (
            f"Digit(digit={self.digit}, probability={self.probability:.4f}, line={self.line}, "
            f"box={self.box}, note={self.note!r})"
        )


class Page(NamedTuple):
    """What is written in a picture."""

    ink: Tensor  # (H, W), 0 to 1
    digits: list[list[Piece]]  # the parts of each, in no order
    height: int  # of most digits, in pixels
    polarity_is_plain: bool  # whether light ink was told from dark beyond doubt
    around: Box  # what of the picture it is, in pixels of that
    scale: float  # pixels of the ink for each of the picture

    def place_of(self, box: Box) -> Box:
        """Return where a `box` on the ink is in the picture."""
        top, left, bottom, right = self.around
        box = Box(*(round(side / self.scale) for side in box))
        return Box(
            max(top, top + box.top),
            max(left, left + box.left),
            min(bottom, top + box.bottom),
            min(right, left + box.right),
        )


class Answer(NamedTuple):
    """What one digit on a page is read as."""

    digit: int
    probability: float
    image: Tensor  # (1, 28, 28), 0 to 1
    box: Box  # in pixels of the page
    note: str | None = None


def read_digits(source: Source, model: nn.Module) -> list[Digit]:
    """Read all digits in `source` with a network on the CPU: line by line, from left to right.

    Takes and raises what `read_digit` does, and answers the same where it finds one digit, but for
    a note if that may be two. (A large JPEG is loaded larger, which may move the probability.)
    """
    digits, _ = read_with_pixels(source, model)
    return digits


def read_with_pixels(source: Source, model: nn.Module) -> tuple[list[Digit], Tensor]:
    """Return all digits in `source`, as `read_digits` does, and what they are in.

    That is the grey values (H, W), 0 to 255, of the page that was read.
    """

    def read(picture: Image.Image) -> tuple[list[Digit], Tensor]:
        pixels = to_gray(picture, PAGE_SIZE)
        return read_picture(picture, pixels, model), pixels

    (digits, pixels), page_note = find_on_pages(source, read, PAGE_SIZE)
    return [digit._replace(note=join_notes(page_note, digit.note)) for digit in digits], pixels


def read_picture(picture: Image.Image, pixels: Tensor, model: nn.Module) -> list[Digit]:
    """Read all digits in `picture`, whose grey values are `pixels` (H, W), in reading order."""
    page = find_page(pixels)
    if page is None:
        try:
            digit, probability, image, note = read_digit(picture, model)
        except Blank as blank:
            raise (Blank(CROWDED) if is_crowded(pixels) else blank) from blank
        return [Digit(digit, probability, 0, (0, 0, 1, 1), image, note)]
    answers = read_page(page, model)
    if len(answers) == 1:
        alone = read_digit(picture, model)
        note = alone.note or answers[0].note
        answers = [Answer(alone.digit, alone.probability, alone.image, answers[0].box, note)]
    digits = []
    for line, places in enumerate(in_lines([answer.box for answer in answers])):
        for answer in [answers[place] for place in places]:
            box = page.place_of(answer.box).shares_of(pixels)
            digits.append(
                Digit(answer.digit, answer.probability, line, box, answer.image, answer.note)
            )
    return digits


CROWDED = f"shows {MOST_ON_PAGE} things or more: noise, or too many digits (crop it then)"


def is_crowded(pixels: Tensor) -> bool:
    """Tell whether grey values (H, W), 0 to 255, show more things than are looked at."""
    likelier, *_ = with_dark_ink(to_grid(pixels))
    return len(find_pieces(find_ink(likelier), MOST_ON_PAGE)) >= MOST_ON_PAGE


WIDE = 0.75  # of the usual height: what is wider is read as two digits that touch as well
HIGH = 0.75  # of the height of both: each of two digits that touch is as high
TOO_WIDE = 1.1  # of the usual height: what is wider is never surely one digit
TRUST_IF_NOT_PLAIN = 0.8  # times the probability, if the ink may be the light or the dark


def read_page(page: Page, model: nn.Module) -> list[Answer]:
    """Return the answers to all digits on `page`, in no order, with two where two touch."""
    things = [[parts, *halves_of(page, parts)] for parts in page.digits]
    flat = [parts for thing in things for parts in thing]
    images = draw_digits(page, flat)
    digits, probabilities = predict(model, images)
    trust = 1 if page.polarity_is_plain else TRUST_IF_NOT_PLAIN
    boxes = [joint_box(parts) for parts in flat]
    answers = map(Answer, digits.tolist(), (trust * probabilities).tolist(), images, boxes)
    result = []
    for thing in things:
        whole, *halves = itertools.islice(answers, len(thing))
        result += one_or_two(whole, halves, page.height)
    return result


def halves_of(page: Page, parts: list[Piece]) -> list[list[Piece]]:
    """Return what may be two digits that touch, or nothing if these `parts` are not so wide."""
    is_wide = joint_box(parts).width > WIDE * page.height
    return cut_in_two(page.ink, parts) if is_wide else []


def one_or_two(whole: Answer, halves: list[Answer], height: int) -> list[Answer]:
    """Return the `halves` of a thing if they are surely two digits, or else the `whole`."""
    probability = min((half.probability for half in halves), default=0.0)
    are_high = all(half.box.height >= HIGH * whole.box.height for half in halves)
    if are_high and probability >= SURE and probability > whole.probability:
        note = "may be one digit" if whole.probability >= SURE else None
        return [half._replace(note=note) for half in halves]
    if whole.box.width > TOO_WIDE * height:
        return [whole._replace(note="may be two digits that touch")]
    return [whole]


# A large picture is shrunk to as many pixels as a square has whose side is one to two times this.
PAGE_SIZE = 4 * GRID  # pixels
FINE = 64  # pixels: digits that are less high are looked at once more, on a finer grid
ROOM = 2.0  # of their height: so far around all digits is looked at then


def find_page(pixels: Tensor) -> Page | None:
    """Return what is written in grey values (H, W), 0 to 255; None if it is nothing, or noise."""
    page = look_at_page(pixels, Box(0, 0, *pixels.shape), GRID)
    if page is None or page.height >= FINE:
        return page
    room = round(ROOM * page.height)
    top, left, bottom, right = joint_box([part for digit in page.digits for part in digit])
    around = page.place_of(Box(top - room, left - room, bottom + room, right + room))
    side = math.isqrt(around.height * around.width) * page.scale * FINE / page.height
    finer = look_at_page(pixels, around, min(PAGE_SIZE, round(side)))
    return finer or page


LEAST_HEIGHT = 5  # pixels of the grid: pieces that are usually less high are noise


def look_at_page(pixels: Tensor, around: Box, side: int) -> Page | None:
    """Return what is written in a box of grey values (H, W) on a grid of about side x side."""
    part = around.crop(pixels)
    grid = to_grid(part, side)
    likelier, *others = with_dark_ink(grid)
    for layer, pieces in reversed(layers_of(find_ink(likelier), several=True)):
        digits = find_digits(pieces)
        height = usual_height([piece for digit in digits for piece in digit])
        are_noise = height < LEAST_HEIGHT or len(pieces) >= MOST_ON_PAGE
        if not are_noise:
            scale = max(grid.shape) / max(part.shape)
            return Page(layer, digits, height, not others, around, scale)
    return None


def draw_digits(page: Page, digits: list[list[Piece]]) -> Tensor:
    """Return the images (N, 1, 28, 28) of `digits` on `page`, each without its neighbours."""
    all_strokes = torch.zeros_like(page.ink, dtype=torch.bool)  # joint_mask takes more memory
    for part in [part for digit in page.digits for part in digit]:
        all_strokes |= part.mask
    return torch.stack([draw_digit(page.ink, all_strokes, digit) for digit in digits])


def draw_digit(ink: Tensor, all_strokes: Tensor, parts: list[Piece]) -> Tensor:
    """Return the image (1, 28, 28) of the digit of these `parts` of `ink` (H, W)."""
    box = joint_box(parts)
    ink = box.crop(ink)
    parts = [as_piece(box.crop(part.mask), ink) for part in parts]
    neighbours = box.crop(all_strokes) & ~joint_mask(parts)
    return to_image(ink * ~neighbours, parts)
