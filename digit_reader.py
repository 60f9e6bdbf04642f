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

SURE = 0.975  # answers with a lower probability are marked as unsure
GRID = 256  # the digit is looked for in about GRID x GRID pixels
LOADED_SIZE = 3 * GRID // 2  # a large picture is shrunk to one to two times this height and width

# What Pillow may read. Not EPS: reading it would execute a program.
FORMATS = ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"]
MAX_JPEG_PIXELS = 100_000_000  # a JPEG is decoded at part of its size
MAX_PIXELS = 40_000_000  # of all others
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")

# All thresholds below were tuned on training digits that were redrawn as people's pictures look,
# and on real pictures.

# A 28x28 picture is left as it is if it is like those of MNIST:
MNIST_SIZE = 20  # pixels: the longer side of its digits
MNIST_BRIGHTEST = 200  # of 255: some pixel is at least as bright
MNIST_EDGE = 10  # of 255: where it is brighter, the digit is MNIST_SIZE long, give or take 1
MNIST_OFF_CENTRE = 1.0  # pixels: its centre of mass is at most as far from the middle

# Light ink or dark? The polarity is 0 if both are equally likely, and about 1 or -1 if it is plain.
CLOSE_POLARITY = 0.25  # at most as much, up or down: the polarity is a guess
RIGHT_IF_CLOSE = 0.8  # share of the answers that are right then

# Ink is how much darker a pixel is than the paper around it, 0 to 1.
FAINTEST = 0.12  # if the darkest ink is less dark, it is taken to be as dark as this
PIECE_INK = 0.28  # of the darkest ink: what is darker belongs to a piece
REST_INK = 0.3  # of the darkest ink: if nothing darker remains without a frame, it stays
EDGE_INK = 0.2  # of the digit's dark ink: the soft edge of a stroke begins here ...
FULL_INK = 0.75  # ... and ends here

# Pieces are the connected components of the ink. Sizes are longer sides of bounding boxes.
MOST_PIECES = 20  # only so many are looked at
LEAST_MASS = 0.01  # of the heaviest piece's mass: lighter ones are specks
LEAST_SHARE = 0.02  # of the mass of all ink: a digit has at least as much; in noise, no piece has
LEAST_SIZE = 8  # pixels of the grid: a digit is at least as large
FLAT = 0.2  # of its longer side: the shorter side of a line is less

# What frames the digit, or carries it:
INSIDE_SIZE = 0.35  # of a frame's size: what it surrounds is at least as large, or just a speck
WRITTEN = 0.2  # of a line's mass: a digit across it is darker by at least as much
SHEET_FILL = 0.68  # of its bounding box: a sheet or a canvas covers at least as much
WRITING_SIZE = 0.15  # of the sheet's size: what is written on it is larger
WRITING_WIDTH = 0.25  # of its size: what is written on a sheet has narrower strokes
MOST_SHEETS = 3  # are looked into, one after the other

# What belongs to the digit:
NEAR = 0.1  # of the digit's size: parts have a smaller gap between them ...
STACKED_GAP = 0.25  # ... or, below a bar, one smaller than this share of the sum of their sizes
STACKED_SIZE = 0.3  # of the digit's size: parts with such a gap are larger
UNDERLINE_GAP = 0.03  # of the digit's size: a line below it with a larger gap is no part
RIVAL_SIZE = 0.6  # of the digit's size: a larger thing beside it is another digit
THIN = 1 / 14  # of the digit's size: narrower strokes would fade when it is scaled ...
THICKENED = 0.1  # ... and are made about as wide as this

# What the network gets:
DIGIT_SIZE = 19  # pixels: one less than in MNIST, as people's digits are read better so
BRIGHT = 0.15  # of the pixels in the digit's box: so many become fully bright


class Box(NamedTuple):
    """A bounding box, in pixels; `bottom` and `right` are just outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Pixels from side to side."""
        return self.right - self.left

    @property
    def size(self) -> int:
        """The longer side."""
        return max(self.height, self.width)

    def crop(self, image: Tensor) -> Tensor:
        """Return what `image` (H, W) has in the box."""
        return image[self.top : self.bottom, self.left : self.right]


class Piece(NamedTuple):
    """A connected component of the ink."""

    mask: Tensor  # (H, W) bool
    mass: float  # the sum of its ink
    box: Box


class View(NamedTuple):
    """What stands out in a picture, or on a sheet in it."""

    ink: Tensor  # (H, W), 0 to 1
    pieces: list[Piece]  # of it, at least one: the heaviest first, but flat lines last
    polarity_is_sure: bool  # whether its ink was told from its paper beyond doubt


class Found(NamedTuple):
    """The digit in a picture."""

    image: Tensor  # (1, 28, 28), 0 to 1: as MNIST would have it
    note: str | None  # what else the picture shows
    polarity_is_sure: bool


class Reading(NamedTuple):
    """The answer to a picture."""

    digit: int
    probability: float  # below SURE, the answer is marked as unsure
    image: Tensor  # (1, 28, 28), 0 to 1: what the network saw
    note: str | None  # what else the picture shows


def read_digit(picture: Image.Image, model: nn.Module) -> Reading:
    """Read the digit in `picture` with a network on the CPU; raise Failure as `to_mnist` does."""
    found = find_digit(picture)
    digits, probabilities = predict(model, found.image.unsqueeze(0))
    probability = float(probabilities)
    if not found.polarity_is_sure:
        probability *= RIGHT_IF_CLOSE
    return Reading(int(digits), probability, found.image, found.note)


def to_mnist(picture: Image.Image) -> Tensor:
    """Return the digit in `picture` as MNIST would have it, (1, 28, 28), 0 to 1, but a bit smaller.

    The digit is light on black, fits into 19x19 pixels, and has its centre of mass in the middle.
    Raises Failure if the picture is broken, or if nothing stands out in it.
    """
    return find_digit(picture).image


def find_digit(picture: Image.Image) -> Found:
    """Return the digit in `picture`; raise Failure as `to_mnist` does."""
    pixels = to_gray(picture)
    if is_like_mnist(pixels):
        return Found(pixels.unsqueeze(0) / 255, None, True)
    view = look_at(pixels)
    if view is None:
        raise Failure("blank: no digit stands out")
    # If it is a sheet, look there again: the ink on it is of the other polarity.
    for _ in range(MOST_SHEETS):
        sheet = find_sheet(view.ink, view.pieces[0])
        if sheet is None:
            break
        pixels = cut_out_sheet(pixels, sheet)
        on_sheet = look_at(pixels)
        if on_sheet is None:
            break
        view = on_sheet
    parts, others = join_parts(view.pieces)
    digit = resize(cut_out_strokes(view.ink, parts), DIGIT_SIZE)
    note = note_on(others, joint_box(parts).size)
    return Found(centre(brighten(digit)), note, view.polarity_is_sure)


def look_at(pixels: Tensor) -> View | None:
    """Return what stands out in grey values (H, W), 0 to 255, or None if nothing does."""
    # A long picture keeps its area of GRID x GRID, up to a length of 4 GRID.
    elongation = max(pixels.shape) / min(pixels.shape)
    pixels = resize(pixels, round(GRID * min(4, math.sqrt(elongation))))
    pixels = F.avg_pool2d(pixels[None], 3, 1, 1, count_include_pad=False)[0]  # less noise
    polarity = polarity_of(pixels)
    ink = find_ink(pixels if polarity >= 0 else 255 - pixels)
    for layer, pieces in reversed(remove_frames(ink)):  # the digit is inside its frames
        if stands_out(layer, pieces):
            return View(layer, pieces, abs(polarity) > CLOSE_POLARITY)
    return None


def is_like_mnist(pixels: Tensor) -> bool:
    """Tell whether grey values (H, W), 0 to 255, are an image of MNIST already."""
    is_small = pixels.shape == (IMAGE_SIZE, IMAGE_SIZE)
    if not is_small or pixels.median() > 0 or pixels.max() < MNIST_BRIGHTEST:
        return False
    size = bounding_box(pixels > MNIST_EDGE).size
    has_size = abs(size - MNIST_SIZE) <= 1
    off_centre = max(abs(place - IMAGE_SIZE / 2) for place in centre_of_mass(pixels))
    return has_size and off_centre <= MNIST_OFF_CENTRE


# --- geometry ---
def resize(image: Tensor, size: int) -> Tensor:
    """Scale `image` (H, W) so that the longer side is `size`; averages when it shrinks."""
    shape = [max(1, round(size * side / max(image.shape))) for side in image.shape]
    return F.interpolate(image[None, None], shape, mode="bilinear", antialias=True)[0, 0]


def bounding_box(mask: Tensor) -> Box:
    """Return the box around what is true in `mask` (H, W)."""
    first, last = mask.nonzero().aminmax(dim=0)
    top, left = first.tolist()
    bottom, right = last.tolist()
    return Box(top, left, bottom + 1, right + 1)


def joint_box(pieces: list[Piece]) -> Box:
    """Return the box around all of `pieces`."""
    tops, lefts, bottoms, rights = zip(*(piece.box for piece in pieces), strict=True)
    return Box(min(tops), min(lefts), max(bottoms), max(rights))


def gaps(one: Box, other: Box) -> tuple[int, int]:
    """Return the pixels between two boxes, down and across; negative where they overlap."""
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    across = max(one.left, other.left) - min(one.right, other.right)
    return down, across


def centre_of_mass(ink: Tensor) -> tuple[float, float]:
    """Return how far down and how far across the centre of mass of `ink` (H, W) is, in pixels."""
    height, width = ink.shape
    down = ink.sum(1) @ (torch.arange(height) + 0.5) / ink.sum()
    across = ink.sum(0) @ (torch.arange(width) + 0.5) / ink.sum()
    return down.item(), across.item()


def centre(ink: Tensor) -> Tensor:
    """Return `ink` (H, W) with its centre of mass as near as it fits to that of (1, 28, 28)."""
    height, width = ink.shape
    down, across = centre_of_mass(ink)
    top = min(max(0, round(IMAGE_SIZE / 2 - down)), IMAGE_SIZE - height)
    left = min(max(0, round(IMAGE_SIZE / 2 - across)), IMAGE_SIZE - width)
    bottom = IMAGE_SIZE - height - top
    right = IMAGE_SIZE - width - left
    return F.pad(ink, (left, right, top, bottom)).unsqueeze(0)


# --- grey values ---
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
    """Return grey values (H, W), 0 to 255, of `picture`: upright, on white, not much too large.

    Raises Failure if it is broken, or has no pixels, or values that are no colours.
    """
    load(picture)
    if 0 in picture.size:
        raise Failure("blank: it has no pixels")
    if picture.mode not in MODES and not is_deep(picture):
        raise Failure(f"pictures of the mode {picture.mode} are not read: save it as RGB")
    gray = downscale(picture, on_white)
    if has_transparency(picture) and as_tensor(gray).min() >= 250:  # white ink, if any
        gray = downscale(picture, alpha_as_ink)
    turn = TURNS.get(orientation_of(picture))
    if turn is not None:
        gray = gray.transpose(turn)
    return stretch_contrast(as_tensor(gray)) if is_deep(picture) else as_tensor(gray)


def as_tensor(gray: Image.Image) -> Tensor:
    """Return the values (H, W) of a picture of floats."""
    values = torch.frombuffer(bytearray(gray.tobytes()), dtype=torch.float)
    return values.view(gray.height, gray.width)


def load(picture: Image.Image) -> None:
    """Load the pixels of `picture`; raise Failure if it is broken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about odd files that it reads all the same
        try:
            picture.load()
        except Exception as error:  # each format has its own ways to be broken
            raise broken(error) from error


def broken(error: Exception) -> Failure:
    """Return the failure to read a picture because of `error`."""
    return Failure(f"cannot be read ({one_line(error)}); save it as JPEG or PNG")


def orientation_of(picture: Image.Image) -> int:
    """Return the orientation in the EXIF data of `picture`, or 1, upright, without readable data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
        except Exception:  # noqa: BLE001 - there are many ways for it to be broken, and none matters
            return 1


def downscale(picture: Image.Image, flatten: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Return `picture`, made opaque by `flatten`, in floats, shrunk to about LOADED_SIZE."""
    width, height = picture.size
    factor = max(1, math.isqrt(width * height) // LOADED_SIZE)
    gray = Image.new("F", (math.ceil(width / factor), math.ceil(height / factor)))
    strip_height = factor * max(1, 250_000 // (width * factor))  # of about 250,000 pixels
    for top in range(0, height, strip_height):  # strip by strip, so that copies are small
        strip = picture.crop((0, top, width, min(top + strip_height, height)))
        gray.paste(flatten(strip).convert("F").reduce(factor), (0, top // factor))
    return gray


def is_deep(picture: Image.Image) -> bool:
    """Tell whether `picture` has more than 8 bits for each grey value."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def has_transparency(picture: Image.Image) -> bool:
    """Tell whether some of `picture` may be transparent."""
    return picture.has_transparency_data and not is_deep(picture)


def on_white(picture: Image.Image) -> Image.Image:
    """Lay what is transparent in `picture` on white."""
    if not has_transparency(picture):
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA"))


def alpha_as_ink(picture: Image.Image) -> Image.Image:
    """Return how transparent `picture` is at each pixel, 0 to 255: white ink is dark then."""
    return ImageChops.invert(picture.convert("RGBA").getchannel("A"))


def stretch_contrast(pixels: Tensor) -> Tensor:
    """Return `pixels` (H, W) of any range from 0, the darkest, to 255; NaN and infinity are paper."""
    pixels = pixels.double()
    is_number = pixels.isfinite()
    if not is_number.any():
        return torch.zeros_like(pixels).float()
    pixels = torch.where(is_number, pixels, pixels[is_number].median())
    darkest, lightest = pixels.aminmax()
    return ((pixels - darkest) / (lightest - darkest).clamp(min=1e-9) * 255).float()


# --- ink ---
def find_ink(pixels: Tensor) -> Tensor:
    """Return how much darker each of `pixels` (H, W) is than the paper around it, 0 to 1.

    The paper is what is left when all that is dark and narrow is filled in; shadows are not narrow.
    """
    paper = closing(pixels, 4)
    ink = (paper - pixels) / (paper + 20)  # 20: in the dark, noise is no ink
    return (ink - ink.median()).clamp(min=0)


def polarity_of(pixels: Tensor) -> float:
    """Return above 0 if the ink in `pixels` (H, W) is dark, below if it is light on dark paper.

    There is less ink than paper, so where the two meet, the average grey of a wide area is nearer
    to the paper's.
    """
    margin = 13  # half the width of the closing: what ends at the border is thought to go on
    wide = F.pad(pixels[None, None], [margin] * 4, mode="replicate")
    light = closing(wide[0, 0], 3)
    dark = -closing(-wide[0, 0], 3)
    around = F.adaptive_avg_pool2d(wide, 3)  # the averages of three by three fields
    around = F.interpolate(around, light.shape, mode="bilinear")[0, 0]
    contrast = light - dark
    votes = contrast * (2 * around - light - dark)  # positive where `around` is nearer to `light`
    # A small bias to what most of the picture is. The votes are squares of grey values and this is
    # a difference, so it matters only where there is little contrast, or where votes cancel.
    mostly_light = pixels.median() - pixels.mean()
    return ((votes.mean() + mostly_light) / contrast.square().mean().clamp(min=1)).item()


def closing(image: Tensor, power: int) -> Tensor:
    """Fill in what is dark in `image` (H, W) and narrower than 3**power pixels."""
    return -dilate(-dilate(image, power), power)


def dilate(image: Tensor, power: int) -> Tensor:
    """Return the largest value of `image` (H, W) around each pixel, in a square 3**power wide."""
    for _ in ("rows", "columns"):
        image = F.pad(image, [3**power // 2] * 2, value=-math.inf)
        for step in range(power):  # three values, then three such threes, and so on: much faster
            image = F.max_pool1d(image, 3, stride=1, dilation=3**step)
        image = image.T
    return image


# --- pieces of ink ---
def label_components(mask: Tensor) -> Tensor:
    """Give each connected piece of `mask` (H, W) a label above 0; diagonal neighbours connect.

    At first each of its N pixels has a label of its own, 1 to N. Again and again, pixels take the
    largest label around them, until nothing changes.
    """
    pixel_numbers = mask.flatten().cumsum(0).view_as(mask) * mask  # 1 to N, else 0
    squares = F.unfold(pixel_numbers[None, None].float(), 3, padding=1)[0].T  # (H * W, 9)
    neighbours = squares[mask.flatten()].long()  # (N, 9) pixel numbers, 0 for none
    labels = torch.arange(len(neighbours) + 1)  # of pixel number 0 to N
    while True:
        largest = F.pad(labels[neighbours].amax(dim=1), (1, 0))
        if torch.equal(labels, largest):
            return labels[pixel_numbers]
        # A label is also the number of a pixel, which takes the largest label that was seen ...
        labels = labels.scatter_reduce(0, labels, largest, "amax")
        labels = labels[labels]  # ... and all that have its number as their label follow it


def heaviest_pieces(ink: Tensor) -> list[Piece]:
    """Return the pieces of `ink` (H, W) with the most ink: the heaviest first, flat lines last."""
    labels = label_components(is_inked(ink))
    masses = labels.flatten().bincount(ink.flatten())
    masses[0] = 0  # what is no ink
    pieces = []
    for label in masses.argsort(descending=True)[:MOST_PIECES].tolist():
        mass = masses[label].item()
        if mass > LEAST_MASS * masses.max():
            mask = labels == label
            pieces.append(Piece(mask, mass, bounding_box(mask)))
    return sorted(pieces, key=lambda piece: is_flat(piece.box))  # keeps the order otherwise


def is_inked(ink: Tensor) -> Tensor:
    """Tell which pixels (H, W) of `ink` are dark enough to belong to a piece."""
    return ink > PIECE_INK * ink.max().clamp(min=FAINTEST)


def is_flat(box: Box) -> bool:
    """Tell whether what is in `box` is a line from side to side, and no digit."""
    return box.height < FLAT * box.width


def is_line(box: Box) -> bool:
    """Tell whether what is in `box` is a line from side to side, or up and down as a 1 is."""
    return min(box.height, box.width) < FLAT * box.size


def stands_out(ink: Tensor, pieces: list[Piece]) -> bool:
    """Tell whether the first of the `pieces` of `ink` (H, W) can be a digit, and not noise."""
    if not pieces:
        return False
    is_large = pieces[0].box.size >= LEAST_SIZE
    return is_large and pieces[0].mass >= LEAST_SHARE * ink[is_inked(ink)].sum().item()


# --- what frames the digit, or carries it ---
def remove_frames(ink: Tensor) -> list[tuple[Tensor, list[Piece]]]:
    """Return `ink` (H, W) with its pieces, then the same without its frame, and so on inwards."""
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
    """Return how much to subtract from `ink` (H, W): the frames among `pieces`, 0 elsewhere.

    A box, a circle or axes surround other pieces, and lose everything. The desk, a thumb or ruled
    lines come from the border, and lose as much as their darkest pixel there: what is darker, a
    digit that was written across, stays.
    """
    border = torch.ones_like(ink, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    frame = torch.zeros_like(ink)
    for piece in pieces:
        at_border = piece.mask & border
        if any(surrounds(piece, other) for other in pieces):
            frame[piece.mask] = ink[piece.mask].max()
        elif at_border.sum() > piece.box.size / 2 or is_ruled_line(piece, ink, at_border):
            frame[piece.mask] = ink[at_border].max()
    return frame


def surrounds(piece: Piece, other: Piece) -> bool:
    """Tell whether `piece` has ink on all four sides of `other`, and `other` is not just a speck."""
    top, left, bottom, right = other.box
    if other.box.size < INSIDE_SIZE * piece.box.size:
        return False
    beside = piece.mask[top:bottom].any(dim=0)  # (W,)
    above_or_below = piece.mask[:, left:right].any(dim=1)  # (H,)
    sides = (beside[:left], beside[right:], above_or_below[:top], above_or_below[bottom:])
    return all(bool(side.any()) for side in sides)


def is_ruled_line(piece: Piece, ink: Tensor, at_border: Tensor) -> bool:
    """Tell whether `piece` of `ink` is a line across the picture, alone or with a digit on it."""
    if not at_border.any() or piece.box.size < min(ink.shape):
        return False
    if is_line(piece.box):
        return True
    written = (ink[piece.mask] - ink[at_border].max()).clamp(min=0).sum()
    return bool(written > WRITTEN * piece.mass)


def find_sheet(ink: Tensor, piece: Piece) -> Tensor | None:
    """Return a mask (H, W) of `piece` of `ink`, its holes filled, if it is a sheet, or None.

    On a dark desk, a white sheet is itself the light ink, and the writing on it leaves holes. So a
    sheet, or a canvas, is a piece that fills its box and whose largest hole can be writing.
    """
    sheet = piece.box.crop(piece.mask)
    if sheet.float().mean() < SHEET_FILL:
        return None
    free = F.pad(~piece.box.crop(is_inked(ink)), [1] * 4, value=True)
    labels = label_components(free)
    outside = labels[0, 0]
    areas = labels[(labels > 0) & (labels != outside)].bincount()
    if len(areas) == 0 or not is_writing(labels == areas.argmax(), piece.box.size):
        return None
    mask = torch.zeros_like(piece.mask)
    piece.box.crop(mask)[:] = (labels != outside)[1:-1, 1:-1]
    return mask


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
    eroded = -dilate(-sheet.float(), 1)  # without its edge, which is soft
    is_on_sheet = F.adaptive_max_pool2d(eroded[None], pixels.shape)[0] > 0  # as large as `pixels`
    paper = pixels[is_on_sheet].median()
    return bounding_box(is_on_sheet).crop(torch.where(is_on_sheet, pixels, paper))


# --- from pieces to the digit ---
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


def note_on(others: list[Piece], digit_size: int) -> str | None:
    """Return a note if some of `others` are about as large as the digit, or None."""
    rivals = [p for p in others if not is_flat(p.box) and p.box.size > RIVAL_SIZE * digit_size]
    if not rivals:
        return None
    return f"{len(rivals) + 1} things are as large as a digit; one is read"


def cut_out_strokes(ink: Tensor, parts: list[Piece]) -> Tensor:
    """Return the strokes of a digit of these `parts`, cut to their box, 0 to 1."""
    strokes = torch.stack([part.mask for part in parts]).any(dim=0)
    ink = ink / ink[strokes].quantile(0.9)  # the digit's dark ink is 1
    ink = ink * dilate(strokes.float(), 2)  # without what is farther away than their soft edges
    digit = joint_box(parts).crop(ink)
    return thicken(((digit - EDGE_INK) / (FULL_INK - EDGE_INK)).clamp(0, 1))


def thicken(digit: Tensor) -> Tensor:
    """Return `digit` (H, W) with strokes that do not fade when it is scaled."""
    size = max(digit.shape)
    width = stroke_width(digit)
    if width >= THIN * size:
        return digit
    reach = round((THICKENED * size - width) / 2)
    return F.max_pool2d(F.pad(digit, [reach] * 4)[None], 2 * reach + 1, 1, reach)[0]


def stroke_width(ink: Tensor) -> float:
    """Return how wide, in pixels, the strokes of `ink` (H, W) are: twice their area / their edge.

    Changes from pixel to pixel, down and across, add up to 4 / pi times the length of the edge, on
    average over its directions.
    """
    ink = F.pad(ink, [1] * 4)
    changes = ink.diff(dim=0).abs().sum() + ink.diff(dim=1).abs().sum()
    edge = changes.clamp(min=1) / (4 / math.pi)
    return (2 * ink.sum() / edge).item()


def brighten(digit: Tensor) -> Tensor:
    """Return `digit` (H, W) with full brightness, which thin strokes lose when they are scaled."""
    full = digit.quantile(1 - BRIGHT).clamp(min=0.5 * digit.max())
    return (digit / full).clamp(max=1)


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
    """Return the files that match `pattern`, such as *.png: the shells of Windows do not.

    An existing file is returned as it is, and so is a pattern that matches nothing.
    """
    if os.path.exists(pattern):
        return [pattern]
    return sorted(glob.glob(pattern)) or [pattern]


def open_picture(path: str) -> Image.Image:
    """Open the picture in a file; raise Failure if it is none, or too large for the memory."""
    if not os.path.isfile(path):
        raise Failure("not a file" if os.path.exists(path) else "no such file")
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # an older Pillow has fewer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = Image.open(path, formats=formats)
        except Exception as error:  # each format has its own ways to be broken
            raise broken(error) from error
    limit = MAX_JPEG_PIXELS if picture.format in ("JPEG", "MPO") else MAX_PIXELS
    if picture.width * picture.height > limit:
        picture.close()
        raise Failure(f"has more than {limit:,} pixels: save a smaller picture")
    picture.draft("L", (LOADED_SIZE, LOADED_SIZE))  # loads a smaller version of a JPEG
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
            with open_picture(path) as picture:
                reading = read_digit(picture, model)
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
