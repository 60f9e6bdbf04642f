# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.10", "torchvision>=0.25", "pillow>=10.1", "tqdm>=4.66"]
# ///
"""Read the handwritten digits in your own pictures with the network of mnist_classifier.py.

    python digit_reader.py photo.jpg scan.png    # file, digit, probability, "unsure" or nothing
    python digit_reader.py --preview photo.jpg   # draw as well what the network sees

A picture shows one digit, light or dark, anywhere in it. The digit is found by its ink, cut out,
and made to look like MNIST's. README.md tells how well that works.
"""

import argparse
import glob
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageChops
from torch import Tensor, nn

from mnist_classifier import (
    IMAGE_SIZE,
    Failure,
    exit_code,
    find_weights,
    load_model,
    one_line,
    predict,
    prepare_streams,
)

SURE = 0.95  # answers with a lower probability are marked
CLOSE_VOTE = 0.25  # of a clear vote on dark or light ink: both are possible below it ...
RIGHT_IF_UNCLEAR = 0.8  # ... and this share of the answers is right
GRID = 256  # the digit is looked for in about GRID x GRID pixels, more in a long picture
LOADED_SIZE = 3 * GRID // 2  # a picture is loaded with about this height and width, or more
DIGIT_SIZE = 20  # pixels: the longer side of MNIST's digits
MNIST_OFF_CENTRE = 1.0  # pixels: its centres of mass are as near to the middle of the image
MNIST_BRIGHTEST = 200  # of 255: its digits have a pixel as bright
MNIST_EDGE = 10  # of 255: its digits are DIGIT_SIZE long where they are brighter than this

# The formats that Pillow is asked for. EPS is not among them: it is a program, to be run.
FORMATS = ["AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "TGA"]
FORMATS += ["TIFF", "WEBP"]
MAX_JPEG_PIXELS = 100_000_000  # a JPEG is decoded at part of its size
MAX_PIXELS = 40_000_000  # of all others

# What counts as ink, as a share of the darkest ink in the picture.
PIECE_INK = 0.33  # and more belongs to a piece
REST_INK = 0.35  # what is left without a frame has some that is darker, or is nothing
EDGE_INK = 0.2  # the soft edge of a stroke begins here ...
FULL_INK = 0.75  # ... and ends here; of the digit's own dark ink, not the picture's
THIN = 1 / 14  # of the digit's size: thinner strokes ...
WIDENED = 0.1  # ... are made as wide as this
FAINTEST = 0.12  # ink that is less dark than this, relative to the paper, is none

# What is a digit, and what belongs to it.
MOST_PIECES = 20  # the heaviest ones are looked at ...
LEAST_MASS = 0.01  # ... that have this share of the heaviest one's mass
LEAST_SHARE = 0.02  # a digit has this share of the mass of all pieces; in noise, none has
LEAST_SIZE = 8  # pixels, the longer side of a digit
NEAR = 0.1  # of the digit's size: a gap to another part of it
STACKED_GAP = 0.25  # of the size of both: a gap to what lies above or below, as the bar of a 5
STACKED_SIZE = 0.3  # of the digit's size: the bar is at least as large
UNDERLINE_GAP = 0.03  # of the digit's size: a line below it is not nearer
WRITTEN = 0.2  # of the ink of a line and a digit across it: the digit is as much darker
FLAT = 0.2  # of its width: a line is not as high
SHEET_FILL = 0.68  # of its box: a sheet covers as much, or a canvas
WRITING_SIZE = 0.15  # of the sheet's size: what is written on it is larger
HOLE_WIDTH = 0.25  # of their length: its strokes, holes in the sheet, are narrower
MOST_SHEETS = 3  # that lie on each other
INSIDE_SIZE = 0.35  # of its size: what a box, a circle or a desk surrounds is as large
RIVAL_SIZE = 0.6  # of the digit's size: a thing as large is worth a note

Box = tuple[int, int, int, int]  # top, left, bottom, right; the last two are just outside


class Piece(NamedTuple):
    """A connected piece of ink."""

    mask: Tensor  # (H, W) bool
    mass: float  # the sum of its ink
    box: Box


class View(NamedTuple):
    """What stands out in a picture, or on a sheet in it."""

    ink: Tensor  # (H, W), 0 to 1
    pieces: list[Piece]  # of it, the heaviest first; at least one
    is_clear: bool  # whether the ink is dark, or light


class Found(NamedTuple):
    """The digit in a picture."""

    image: Tensor  # (1, 28, 28), 0 to 1: as MNIST would have it
    note: str | None  # what else the picture shows
    is_clear: bool  # whether its ink was told from its paper beyond doubt


class Reading(NamedTuple):
    """The answer to a picture."""

    digit: int
    probability: float  # below SURE, the answer is marked as unsure
    image: Tensor  # (1, 28, 28), 0 to 1: what the network saw
    note: str | None  # what else the picture shows


def read_digit(picture: Image.Image, model: nn.Module) -> Reading:
    """Read the digit in `picture` with a network on the CPU; raise Failure if nothing stands out."""
    found = find_digit(picture)
    digits, probabilities = predict(model, found.image.unsqueeze(0))
    probability = float(probabilities)
    if not found.is_clear:
        probability *= RIGHT_IF_UNCLEAR
    return Reading(int(digits), probability, found.image, found.note)


def to_mnist(picture: Image.Image) -> Tensor:
    """Return what MNIST would have made of the digit in `picture`: (1, 28, 28), 0 to 1.

    The digit is light on black, fits into 20x20 pixels, and has its centre of mass in the middle.
    Raises Failure if nothing stands out.
    """
    return find_digit(picture).image


def find_digit(picture: Image.Image) -> Found:
    """Return the digit in `picture` as to_mnist does, and what else is to be said about it."""
    pixels = to_gray(picture)
    if is_like_mnist(pixels):
        return Found(pixels.unsqueeze(0) / 255, None, True)
    view = look_at(pixels)
    for _ in range(MOST_SHEETS):
        sheet = find_sheet(view.ink, view.pieces[0])
        if sheet is None:
            break
        pixels = cut_out_sheet(pixels, sheet)
        view = look_at(pixels)
    parts, others = join_parts(view.pieces)
    digit = cut_out_strokes(view.ink, parts)
    note = note_on(others, size_of(box_around(parts)))
    return Found(centre(fit(digit, DIGIT_SIZE)), note, view.is_clear)


def look_at(pixels: Tensor) -> View:
    """Return what stands out in `pixels` (H, W); raise Failure if nothing does."""
    pixels = F.avg_pool2d(shrink(pixels)[None], 3, 1, 1, count_include_pad=False)[0]
    vote = vote_on_dark_ink(pixels)
    ink, pieces = choose_layer(find_ink(pixels if vote >= 0 else 255 - pixels))
    return View(ink, pieces, abs(vote) > CLOSE_VOTE)


def shrink(pixels: Tensor) -> Tensor:
    """Return `pixels` (H, W) in the size in which the digit is looked for."""
    elongation = max(pixels.shape) / min(pixels.shape)
    return fit(pixels, round(GRID * min(4, math.sqrt(elongation))))


def is_like_mnist(pixels: Tensor) -> bool:
    """Tell whether grey values (H, W), 0 to 255, are an image of MNIST already."""
    is_small = pixels.shape == (IMAGE_SIZE, IMAGE_SIZE)
    if not is_small or pixels.median() > 0 or pixels.max() < MNIST_BRIGHTEST:
        return False
    size = size_of(box_of(pixels > MNIST_EDGE))
    has_size = abs(size - DIGIT_SIZE) <= 1
    off_centre = max(abs(place - IMAGE_SIZE / 2) for place in centre_of_mass(pixels))
    return has_size and off_centre <= MNIST_OFF_CENTRE


def centre_of_mass(ink: Tensor) -> tuple[float, float]:
    """Return how far down and how far across the centre of mass of `ink` (H, W) is, in pixels."""
    height, width = ink.shape
    down = ink.sum(1) @ (torch.arange(height) + 0.5) / ink.sum()
    across = ink.sum(0) @ (torch.arange(width) + 0.5) / ink.sum()
    return down.item(), across.item()


def centre(ink: Tensor) -> Tensor:
    """Return `ink` (H, W) with its centre of mass in the middle of (1, 28, 28)."""
    darkest = ink.quantile(0.95).clamp(min=0.5 * ink.max())
    ink = (ink / darkest).clamp(max=1)  # thin strokes have faded when the digit was scaled
    height, width = ink.shape
    row, column = centre_of_mass(ink)
    top = min(max(0, round(IMAGE_SIZE / 2 - row)), IMAGE_SIZE - height)
    left = min(max(0, round(IMAGE_SIZE / 2 - column)), IMAGE_SIZE - width)
    bottom = IMAGE_SIZE - height - top
    right = IMAGE_SIZE - width - left
    return F.pad(ink, (left, right, top, bottom)).unsqueeze(0)


# --- grey values ---
READ_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")
TURNS = {  # what the orientation in a camera's EXIF data asks for
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_gray(picture: Image.Image) -> Tensor:
    """Return grey values (H, W), 0 to 255, of `picture`: upright, on white, shrunk to about GRID.

    Raises Failure if it has no pixels, or values that are no colours.
    """
    picture.load()  # which may turn it
    width, height = picture.size
    if width == 0 or height == 0:
        raise Failure("blank: it has no pixels")
    if picture.mode not in READ_MODES and not is_deep(picture):
        raise Failure(f"pictures of the mode {picture.mode} are not read: save it as RGB")
    gray = reduce(picture, on_white)
    is_blank = gray.getextrema() == (255, 255)
    if is_blank and picture.has_transparency_data:
        gray = reduce(picture, alpha_as_ink)
    turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    if turn is not None:
        gray = gray.transpose(turn)
    pixels = torch.frombuffer(bytearray(gray.tobytes()), dtype=torch.float)
    pixels = pixels.view(gray.height, gray.width)
    return spread(pixels) if is_deep(picture) else pixels


def reduce(picture: Image.Image, flatten: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Return `picture`, made opaque by `flatten`, in floats and shrunk to about LOADED_SIZE."""
    width, height = picture.size
    factor = max(1, math.isqrt(width * height) // LOADED_SIZE)
    gray = Image.new("F", (math.ceil(width / factor), math.ceil(height / factor)))
    strip_height = factor * max(1, 250_000 // (width * factor))
    for top in range(0, height, strip_height):  # strip by strip, so that copies are small
        strip = picture.crop((0, top, width, min(top + strip_height, height)))
        gray.paste(flatten(strip).convert("F").reduce(factor), (0, top // factor))
    return gray


def is_deep(picture: Image.Image) -> bool:
    """Tell whether `picture` has more than 8 bits for each grey value."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def on_white(picture: Image.Image) -> Image.Image:
    """Lay what is transparent in `picture` on white."""
    if is_deep(picture) or not picture.has_transparency_data:
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA"))


def alpha_as_ink(picture: Image.Image) -> Image.Image:
    """Return how clear `picture` is at each pixel, 0 to 255: white ink is dark then."""
    return ImageChops.invert(picture.convert("RGBA").getchannel("A"))


def spread(pixels: Tensor) -> Tensor:
    """Return `pixels` (H, W) of any range from 0, the darkest, to 255."""
    pixels = pixels.nan_to_num(0, 0, 0)
    darkest, lightest = pixels.aminmax()
    return (pixels - darkest) / (lightest - darkest).clamp(min=1e-9) * 255


def fit(image: Tensor, size: int) -> Tensor:
    """Scale `image` (H, W) so that the longer side is `size`; averages when it shrinks."""
    shape = [max(1, round(size * side / max(image.shape))) for side in image.shape]
    return F.interpolate(image[None, None], shape, mode="bilinear", antialias=True)[0, 0]


# --- ink ---
def find_ink(pixels: Tensor) -> Tensor:
    """Return how much darker each of `pixels` (H, W) is than the paper around it, 0 to 1.

    The paper is what is left when all that is dark and narrow is filled in; shadows are not narrow.
    """
    paper = fill_dark(pixels, 4)
    ink = (paper - pixels) / (paper + 20)  # 20: in the dark, noise is no ink
    return (ink - ink.median()).clamp(min=0)


def vote_on_dark_ink(pixels: Tensor) -> float:
    """Return how clearly the ink in `pixels` (H, W) is dark: below 0 it is light, on dark paper.

    Ink is what there is less of. Where dark and light meet, what is around is nearer to the paper.
    """
    wide = F.pad(pixels[None, None], [13] * 4, mode="replicate")  # what ends at the border goes on
    light = fill_dark(wide[0, 0], 3)
    dark = -fill_dark(-wide[0, 0], 3)
    around = F.adaptive_avg_pool2d(wide, 3)  # the averages of three by three fields
    around = F.interpolate(around, light.shape, mode="bilinear")[0, 0]
    contrast = light - dark
    votes = contrast * (2 * around - light - dark)  # positive where `around` is nearer to `light`
    tie_break = pixels.median() - pixels.mean()  # positive if most of the picture is light
    return ((votes.mean() + tie_break) / contrast.square().mean().clamp(min=1)).item()


def fill_dark(image: Tensor, power: int) -> Tensor:
    """Fill in what is dark in `image` (H, W) and narrower than 3**power pixels (a closing)."""
    return -dilate(-dilate(image, power), power)


def dilate(image: Tensor, power: int) -> Tensor:
    """Return the largest value of `image` (H, W) in the square of 3**power pixels around each."""
    for _ in ("rows", "columns"):
        image = F.pad(image, [3**power // 2] * 2, value=-math.inf)
        for step in range(power):  # three values, then three such threes, ...
            image = F.max_pool1d(image, 3, stride=1, dilation=3**step)
        image = image.T
    return image


# --- pieces of ink ---
def number_pieces(mask: Tensor) -> Tensor:
    """Give each connected piece of `mask` (H, W) a number above 0; diagonal neighbours connect."""
    numbers = mask.flatten().cumsum(0).view_as(mask) * mask  # of its pixels, 1 to N
    neighbours = F.unfold(numbers[None, None].float(), 3, padding=1)[0].T[mask.flatten()].long()
    piece_of = torch.arange(len(neighbours) + 1)  # each of the N a piece of its own; 0 none
    while True:
        nearby = F.pad(piece_of[neighbours].amax(dim=1), (1, 0))  # the largest number around each
        if torch.equal(piece_of, nearby):
            return piece_of[numbers]
        piece_of = piece_of.scatter_reduce(0, piece_of, nearby, "amax")  # join those that touch ...
        piece_of = piece_of[piece_of]  # ... to what those were joined to


def heaviest_pieces(ink: Tensor) -> list[Piece]:
    """Return the connected pieces of `ink` (H, W) with the most ink, the heaviest first."""
    numbers = number_pieces(is_inked(ink))
    masses = numbers.flatten().bincount(ink.flatten() * (numbers.flatten() > 0))
    pieces = []
    for number in masses.argsort(descending=True)[:MOST_PIECES].tolist():
        mass = masses[number].item()
        if mass > LEAST_MASS * masses.max():
            mask = numbers == number
            pieces.append(Piece(mask, mass, box_of(mask)))
    return sorted(pieces, key=lambda piece: is_flat(piece.box))  # lines last: they are no digits


def is_inked(ink: Tensor) -> Tensor:
    """Tell which pixels (H, W) of `ink` are dark enough to belong to a piece."""
    return ink > PIECE_INK * ink.max().clamp(min=FAINTEST)


def box_of(mask: Tensor) -> Box:
    """Return the box around what is true in `mask` (H, W)."""
    first, last = mask.nonzero().aminmax(dim=0)
    top, left = first.tolist()
    bottom, right = last.tolist()
    return top, left, bottom + 1, right + 1


def size_of(box: Box) -> int:
    """Return the longer side of `box`."""
    top, left, bottom, right = box
    return max(bottom - top, right - left)


def box_around(pieces: list[Piece]) -> Box:
    """Return the box around all of `pieces`."""
    tops, lefts, bottoms, rights = zip(*(piece.box for piece in pieces), strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def gaps(one: Box, other: Box) -> tuple[int, int]:
    """Return the pixels between two boxes, down and across; negative where they overlap."""
    down = max(one[0], other[0]) - min(one[2], other[2])
    across = max(one[1], other[1]) - min(one[3], other[3])
    return down, across


# --- from ink to the digit ---
def choose_layer(ink: Tensor) -> tuple[Tensor, list[Piece]]:
    """Return the innermost layer of `ink` (H, W) where something stands out, and its pieces.

    Raises Failure if nothing does. All thresholds were tuned on training digits.
    """
    for layer, pieces in reversed(peel(ink)):
        if stands_out(layer, pieces):
            return layer, pieces
    raise Failure("blank: no digit stands out")


def find_sheet(ink: Tensor, piece: Piece) -> Tensor | None:
    """Return where (H, W) `piece` of `ink` and its holes are if it is written on, or None.

    It fills its box, as a sheet or a canvas does, and a hole in it is as thin as a stroke.
    """
    top, left, bottom, right = piece.box
    sheet = piece.mask[top:bottom, left:right]
    if sheet.float().mean() < SHEET_FILL:
        return None
    empty = F.pad(~is_inked(ink)[top:bottom, left:right], [1] * 4, value=True)
    numbers = number_pieces(empty)
    outside = numbers[0, 0]
    areas = numbers[(numbers > 0) & (numbers != outside)].bincount()
    if len(areas) == 0 or not is_stroke(numbers == areas.argmax(), size_of(piece.box)):
        return None
    found = torch.zeros_like(piece.mask)
    found[top:bottom, left:right] = (numbers != outside)[1:-1, 1:-1]
    return found


def is_stroke(hole: Tensor, sheet_size: int) -> bool:
    """Tell whether `hole` (H, W) in a sheet of that size can be what is written on it."""
    size = size_of(box_of(hole))
    return size > WRITING_SIZE * sheet_size and stroke_width(hole.float()) < HOLE_WIDTH * size


def cut_out_sheet(pixels: Tensor, sheet: Tensor) -> Tensor:
    """Return `pixels` (H, W) cut to the box of `sheet`, a mask of any size; outside it, its paper.

    A sheet that is not straight does not bring the desk in the corners of its box along.
    """
    inner = -dilate(-sheet.float(), 1)  # without its edge, which is soft
    covered = F.adaptive_max_pool2d(inner[None], pixels.shape)[0] > 0
    top, left, bottom, right = box_of(covered)
    paper = pixels[covered].median()
    return torch.where(covered, pixels, paper)[top:bottom, left:right]


def peel(ink: Tensor) -> list[tuple[Tensor, list[Piece]]]:
    """Return `ink` (H, W) with its pieces, then what it is without its frame, and so on inwards."""
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
    """Return how dark (H, W) those of `pieces` are that frame others, or come from the border.

    They are a box, a circle, the desk, a thumb, ruled lines. What comes from the border is as dark
    as it is there: what is darker is a digit that was written across it.
    """
    border = torch.ones_like(ink, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    frame = torch.zeros_like(ink)
    for piece in pieces:
        at_border = piece.mask & border
        if any(surrounds(piece, other) for other in pieces):
            frame[piece.mask] = ink[piece.mask].max()
        elif at_border.sum() > size_of(piece.box) / 2 or is_ruled(piece, ink, at_border):
            frame[piece.mask] = ink[at_border].max()
    return frame


def is_ruled(piece: Piece, ink: Tensor, at_border: Tensor) -> bool:
    """Tell whether `piece` of `ink` is a line across the picture, alone or with a digit on it."""
    spans = bool(at_border.any()) and size_of(piece.box) >= min(ink.shape)
    if not spans or is_line(piece.box):
        return spans
    written = (ink[piece.mask] - ink[at_border].max()).clamp(min=0).sum()
    return bool(written > WRITTEN * piece.mass)


def surrounds(piece: Piece, other: Piece) -> bool:
    """Tell whether `piece` has ink on all four sides of `other`, and `other` is not just a speck."""
    top, left, bottom, right = other.box
    if size_of(other.box) < INSIDE_SIZE * size_of(piece.box):
        return False
    beside = piece.mask[top:bottom].any(dim=0)  # (W,)
    above_or_below = piece.mask[:, left:right].any(dim=1)  # (H,)
    sides = (beside[:left], beside[right:], above_or_below[:top], above_or_below[bottom:])
    return all(bool(side.any()) for side in sides)


def stands_out(ink: Tensor, pieces: list[Piece]) -> bool:
    """Tell whether the heaviest of the `pieces` of `ink` (H, W) can be a digit, and not noise."""
    if not pieces:
        return False
    is_large = size_of(pieces[0].box) >= LEAST_SIZE
    return is_large and pieces[0].mass >= LEAST_SHARE * ink[is_inked(ink)].sum().item()


def join_parts(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Return the heaviest of `pieces` with what belongs to the same digit, and the others."""
    parts = pieces[:1]
    others = pieces[1:]
    while True:
        box = box_around(parts)
        joins = [belongs(piece, box) for piece in others]
        if not any(joins):
            return parts, others
        parts = parts + [piece for piece, is_part in zip(others, joins, strict=True) if is_part]
        others = [piece for piece, is_part in zip(others, joins, strict=True) if not is_part]


def belongs(piece: Piece, box: Box) -> bool:
    """Tell whether `piece` is part of the digit that has this `box` so far."""
    down, across = gaps(box, piece.box)
    if is_flat(piece.box) and piece.box[0] >= box[2]:
        return down < UNDERLINE_GAP * size_of(box)
    is_near = max(down, across) < NEAR * size_of(box)
    is_stacked = across < 0 and down < STACKED_GAP * (size_of(box) + size_of(piece.box))
    is_large = size_of(piece.box) > STACKED_SIZE * size_of(box)
    top, left, bottom, right = min(box, piece.box)  # the upper one
    has_bar = right - left > bottom - top
    return is_near or (is_stacked and is_large and has_bar)


def is_flat(box: Box) -> bool:
    """Tell whether what is in `box` is a line from side to side, and no digit."""
    top, left, bottom, right = box
    return bottom - top < FLAT * (right - left)


def is_line(box: Box) -> bool:
    """Tell whether what is in `box` is a line from side to side, or up and down as a 1 is."""
    top, left, bottom, right = box
    return min(bottom - top, right - left) < FLAT * size_of(box)


def note_on(others: list[Piece], digit_size: int) -> str | None:
    """Return a note if some of `others` are as large as the digit, or None."""
    rivals = sum(
        size_of(piece.box) > RIVAL_SIZE * digit_size and not is_flat(piece.box) for piece in others
    )
    return f"{rivals + 1} things are as large as a digit; one is read" if rivals else None


def cut_out_strokes(ink: Tensor, parts: list[Piece]) -> Tensor:
    """Return the strokes of a digit of these `parts`, cut to their box, 0 to 1."""
    strokes = torch.stack([part.mask for part in parts]).any(dim=0)
    ink = ink / ink[strokes].quantile(0.9)
    ink = ink * dilate(strokes.float(), 2)  # with their soft edges, without what is farther away
    top, left, bottom, right = box_around(parts)
    digit = ink[top:bottom, left:right]
    return widen(((digit - EDGE_INK) / (FULL_INK - EDGE_INK)).clamp(0, 1))


def widen(digit: Tensor) -> Tensor:
    """Return `digit` (H, W) with strokes that do not fade when it is scaled to 20 pixels."""
    size = max(digit.shape)
    width = stroke_width(digit)
    if width >= THIN * size:
        return digit
    reach = round((WIDENED * size - width) / 2)
    return F.max_pool2d(F.pad(digit, [reach] * 4)[None], 2 * reach + 1, 1, reach)[0]


def stroke_width(ink: Tensor) -> float:
    """Return how wide, in pixels, the strokes of `ink` (H, W) are: twice their area by their edge.

    The edge is the change from pixel to pixel, down and across: 4 / pi as much as its length.
    """
    ink = F.pad(ink, [1] * 4)
    edge = ink.diff(dim=0).abs().sum() + ink.diff(dim=1).abs().sum()
    return (2 * 4 / math.pi * ink.sum() / edge.clamp(min=1)).item()


# --- command line ---
def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = argparse.ArgumentParser(
        description="Read the handwritten digit in each of your own pictures.",
        usage=argparse.SUPPRESS,  # so that an error is one line
    )
    parser.add_argument("pictures", nargs="+", metavar="IMAGE", help="files, or patterns: *.png")
    parser.add_argument("--preview", action="store_true", help="draw what the network sees")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="of the network; else final_model.pth, here or beside this file",
    )
    return parser.parse_args(argv)


def expand(pattern: str) -> list[str]:
    """Return the files that a pattern such as *.png means, which the shells of Windows leave to us.

    What is the name of a file means that file; what means nothing is returned as it is.
    """
    if os.path.exists(pattern):
        return [pattern]
    return sorted(glob.glob(pattern)) or [pattern]


def load_picture(path: str) -> Image.Image:
    """Return the picture in a file; raise Failure if it is none, or too large for the memory."""
    if not os.path.isfile(path):
        raise Failure("not a file" if os.path.exists(path) else "no such file")
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # an older Pillow has fewer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about odd files that it reads all the same
        try:
            picture = Image.open(path, formats=formats)
            limit = MAX_JPEG_PIXELS if picture.format in ("JPEG", "MPO") else MAX_PIXELS
            is_too_large = picture.width * picture.height > limit
            if not is_too_large:
                picture.draft("L", (LOADED_SIZE, LOADED_SIZE))  # of a JPEG, a smaller version
                picture.load()
        except Exception as error:  # each format has its own ways to be broken
            reason = one_line(error)
            raise Failure(f"cannot be read ({reason}); save it as JPEG or PNG") from error
    if is_too_large:
        raise Failure(f"has more than {limit:,} pixels: save a smaller picture")
    return picture


def preview(image: Tensor) -> Iterator[str]:
    """Yield the lines of a drawing of `image` (1, 28, 28); characters are twice as high as wide."""
    levels = (F.avg_pool2d(image, (2, 1))[0] * 9).round().int()
    for row in levels.tolist():
        yield "".join(" .:-=+*#%@"[level] for level in row)


def run(args: argparse.Namespace) -> int:
    """Print a line for each picture, or say what is wrong with it; return the exit code."""
    torch.set_num_threads(1)  # pictures are small: threads would mostly wait for each other
    model = load_model(args.weights or find_weights())
    code = 0
    for path in [path for pattern in args.pictures for path in expand(pattern)]:
        name = "".join(c if c.isprintable() else "?" for c in path)
        try:
            reading = read_digit(load_picture(path), model)
        except Failure as failure:
            print(f"error: {name}: {failure}", file=sys.stderr)
            code = 1
            continue
        if reading.note:
            print(f"note: {name}: {reading.note}", file=sys.stderr)
        mark = "" if reading.probability >= SURE else "unsure"
        print(f"{name}\t{reading.digit}\t{reading.probability:.4f}\t{mark}")
        if args.preview:
            print(f"{name}:", *preview(reading.image), sep="\n", file=sys.stderr)
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    prepare_streams()
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
