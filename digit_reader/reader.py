"""The whole way from a picture to an answer, through all of the steps."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from digit_reader.digit import is_like_mnist, to_image
from digit_reader.frames import remove_frames
from digit_reader.gray import to_colour_axis, to_gray
from digit_reader.grids import finer_line_width, may_be_strokes, take_lines_off
from digit_reader.ink import find_ink, to_grid, with_dark_ink
from digit_reader.outlines import fill_outline
from digit_reader.parts import join_parts, note_on
from digit_reader.picture import Blank, Source, find_on_pages
from digit_reader.pieces import Piece, joint_box, stands_out
from digit_reader.sheets import cut_out_sheet, find_sheet
from mnist_classifier import Failure, predict

SURE = 0.99  # answers with a lower probability are unsure


def is_sure(probability: float, note: str | None) -> bool:
    """Tell whether nobody need look at an answer: it is probable, and there is no `note` on it."""
    return probability >= SURE and note is None


class Reading(NamedTuple):
    """The answer to a picture."""

    digit: int
    probability: float
    image: Tensor  # (1, 28, 28), 0 to 1: what the network saw
    note: str | None  # what else the picture shows

    @property
    def sure(self) -> bool:
        """Whether you need not look yourself: it is probable, and nothing else is shown."""
        return is_sure(self.probability, self.note)

    def __repr__(self) -> str:
        return (
            f"Reading(digit={self.digit}, probability={self.probability:.4f}, note={self.note!r})"
        )


class Found(NamedTuple):
    """The digit in a picture."""

    images: list[Tensor]  # (1, 28, 28), 0 to 1: as MNIST would have it; one or two of the digit
    note: str | None  # what else the picture shows


class FoundIn(NamedTuple):
    """What was found in a file or a picture."""

    in_inks: list[Found]  # the digit in the likelier ink, then perhaps what it is in the other one
    note: str | None  # on the page that it is on, if the file has several


class View(NamedTuple):
    """What stands out in a picture, or on a sheet in it."""

    ink: Tensor  # (H, W), 0 to 1
    pieces: list[Piece]  # of it, at least one: the longest first, but flat lines last


def read_digit(source: Source, model: nn.Module) -> Reading:
    """Read the digit in `source` with a network on the CPU; takes and raises what `to_mnist` does.

    A file is opened with the limits and the formats of the command line.
    """
    (reading,) = ask(model, [find_in(source)])
    return reading


BATCH_SIZE = 64  # pictures: the network reads as many at once, ...
LONGEST_WAIT = 0.2  # seconds: ... or those that were found in this time


def read_pictures(sources: Iterable[Source], model: nn.Module) -> Iterator[Reading | Failure]:
    """Yield the Reading of each of `sources`, in their order, or the Failure to read it.

    The answers are those of `read_digit`, several times as fast if the pictures are small.
    Raises TypeError as `read_digit` does: the answers to some sources before it are lost then.
    """
    batch: list[FoundIn | Failure] = []
    start = time.monotonic()
    for source in sources:
        try:
            batch.append(find_in(source))
        except Failure as failure:
            batch.append(failure)
        if len(batch) == BATCH_SIZE or time.monotonic() - start > LONGEST_WAIT:
            yield from answers_to(batch, model)
            batch = []
            start = time.monotonic()
    yield from answers_to(batch, model)


def answers_to(batch: list[FoundIn | Failure], model: nn.Module) -> Iterator[Reading | Failure]:
    """Yield what `model` reads in each picture of `batch`, and each failure as it is."""
    readings = iter(ask(model, [found for found in batch if isinstance(found, FoundIn)]))
    for found in batch:
        yield next(readings) if isinstance(found, FoundIn) else found


def ask(model: nn.Module, batch: list[FoundIn]) -> list[Reading]:
    """Return what `model` reads in each picture of `batch`."""
    if not batch:
        return []
    images = [image for picture in batch for found in picture.in_inks for image in found.images]
    digits, probabilities = predict(model, torch.stack(images))
    answers = zip(probabilities.tolist(), digits.tolist(), images, strict=True)
    readings = []
    for picture in batch:
        of_picture = []
        for found in picture.in_inks:
            of_found = islice(answers, len(found.images))
            probability, digit, image = max(of_found, key=lambda answer: answer[0])
            of_picture.append(Reading(digit, probability, image, found.note))
        chosen = choose(of_picture)
        readings.append(chosen._replace(note=join_notes(picture.note, chosen.note)))
    return readings


def choose(readings: list[Reading]) -> Reading:
    """Return which of `readings` of a picture counts; the first is that of the likelier ink.

    It is the surest of those that are sure, with a note if another is sure of another digit. If
    none is sure, it is the first.
    """
    sure = [reading for reading in readings if reading.sure]
    if not sure:
        return readings[0]
    surest = max(sure, key=lambda reading: reading.probability)
    if any(reading.digit != surest.digit for reading in sure):
        return surest._replace(note="light and dark ink are read as two digits")
    return surest


def to_mnist(source: Source) -> Tensor:
    """Return the digit in `source` as MNIST would have it, (1, 28, 28), 0 to 1, but a bit smaller.

    `source` is a file (its path, or open for reading bytes), a picture of Pillow's, or an array of
    uint8, numpy's or torch's: grey values (H, W) or colours (H, W, 3). If a file has several pages
    or frames, it is the first that is not blank.
    The digit is light on black, fits into 19x19 pixels, and has its centre of mass in the middle.
    A picture of 28x28 pixels that is like those of MNIST already stays as it is.
    Raises Failure if the picture is broken, too large, or has no pixels, or if nothing stands out
    in it, and TypeError if `source` is something else.
    """
    return find_in(source).in_inks[0].images[-1]


def find_in(source: Source) -> FoundIn:
    """Return what `find_digit` finds on the first page of `source` with a digit.

    Raises as `to_mnist` does.
    """
    digits, page_note = find_on_pages(source, find_digit)
    return FoundIn(digits, page_note)


def join_notes(*notes: str | None) -> str | None:
    """Return `notes` as one, or None if there are none."""
    return "; ".join(note for note in notes if note) or None


def find_digit(picture: Image.Image) -> list[Found]:
    """Return the digit in `picture`, and what it is in the other ink if that may be the right one.

    Raises Failure if the picture is broken, or nothing stands out in it.
    """
    pixels = to_gray(picture)
    if is_like_mnist(pixels):
        return [Found([pixels.unsqueeze(0) / 255], None)]
    views = look_at(pixels)
    if not views:  # as a red digit on a green that is as bright
        colours = to_colour_axis(picture)
        pixels = pixels if colours is None else colours
        views = look_at(pixels)
    if not views:
        raise Blank("blank: no digit stands out")
    return [find_in_view(look_into_sheets(pixels, view)) for view in views]


def find_in_view(view: View) -> Found:
    """Return the digit in `view`."""
    parts, others = join_parts(view.pieces)
    note = note_on(others, joint_box(parts))
    versions = [parts]
    widths = [finer_line_width(part) for part in parts]
    if any(widths):
        note = note or "finer lines run through the digit"
        lined = zip(parts, widths, strict=True)
        bold = [take_lines_off(part, view.ink, width) for part, width in lined]
        are_doubtful = any(map(may_be_strokes, widths, bold))
        versions = [parts, bold] if are_doubtful else [bold]
    return Found([to_image(view.ink, version) for version in versions], note)


def look_at(pixels: Tensor) -> list[View]:
    """Return what stands out in grey values (H, W), 0 to 255: in the likelier ink, and the other.

    If nothing does in the likelier one, nothing is returned.
    """
    views = []
    for version in with_dark_ink(to_grid(pixels)):
        view = look_at_dark_ink(version)
        if view is None:
            break
        views.append(view)
    return views


def look_at_dark_ink(pixels: Tensor) -> View | None:
    """Return what stands out in `pixels` (H, W), on the grid, or None if nothing does."""
    ink = find_ink(pixels)
    for layer, pieces in reversed(layers_of(ink)):  # the digit is inside its frames
        if stands_out(layer, join_parts(pieces)[0]):
            return View(layer, pieces)
    return None


def layers_of(ink: Tensor, several: bool = False) -> list[tuple[Tensor, list[Piece]]]:
    """Return what remove_frames makes of `ink` (H, W), with outlined digits in it filled in.

    If there may be `several` digits, each piece may be the outline of one. Else it is the first
    or, in a box or a circle, the second.
    """
    layers = remove_frames(ink, several)
    pieces = layers[0][1]
    filled = ink
    for outline in pieces if several else pieces[:2]:
        filled = fill_outline(filled, outline)
    return layers if filled is ink else remove_frames(filled, several)


MOST_SHEETS = 3  # are looked into, one on the other


def look_into_sheets(pixels: Tensor, view: View) -> View:
    """Return what stands out on the sheet that `view` shows, or `view` if it shows none.

    Such a sheet is cut out of `pixels` (H, W), and treated as a picture of its own, since the ink
    on it is of the other polarity.
    """
    for _ in range(MOST_SHEETS):
        sheet = find_sheet(view.ink, view.pieces[0])
        if sheet is None:
            return view
        pixels = cut_out_sheet(pixels, sheet)
        likelier, *_ = with_dark_ink(to_grid(pixels))
        on_sheet = look_at_dark_ink(likelier)
        if on_sheet is None:
            return view
        view = on_sheet
    return view
