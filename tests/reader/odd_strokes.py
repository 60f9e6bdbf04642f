"""Digits whose strokes are unlike those of MNIST: in pieces, or just an outline."""

import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps
from torch import Tensor

from tests.drawn_digits import LIT
from tests.reader.pens import draw_strokes, on_page


def in_two_strokes(digit: Tensor, label: int, rng: random.Random) -> Image.Image:
    """A 4 whose left stroke and stem do not quite touch."""
    size = rng.randint(80, 250)
    pen = max(2, round(rng.uniform(0.03, 0.12) * size))
    gap = rng.uniform(0.02, 0.08) * size
    bar = rng.uniform(0.5, 0.7)  # how far down it is
    stem_top = rng.uniform(0, 0.35)
    stem_foot = rng.uniform(0.5, 0.75)
    slant = rng.uniform(-0.05, 0.15)
    stem_at_bar = stem_foot + slant * (1 - bar)
    left = [
        (rng.uniform(0.05, 0.3), rng.uniform(0, 0.15)),
        (rng.uniform(0, 0.12), bar - rng.uniform(0, 0.06)),
        (stem_at_bar - (gap + pen) / size, bar),
    ]
    stem = [(stem_foot + slant * (1 - stem_top), stem_top), (stem_foot, 1)]
    ink = Image.new("L", (size + 2 * pen, size + 2 * pen))
    draw = ImageDraw.Draw(ink)
    for line in (left, stem):
        points = [(pen + size * x, pen + size * y) for x, y in line]
        draw.line(points, 255, pen, "curve")
        for x, y in points:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), 255)
    return on_page(ink.crop(ink.getbbox()), rng)


BARS = {  # the ends of the segments, in lengths of one
    "a": ((0, 0), (1, 0)),
    "g": ((0, 1), (1, 1)),
    "d": ((0, 2), (1, 2)),
    "f": ((0, 0), (0, 1)),
    "b": ((1, 0), (1, 1)),
    "e": ((0, 1), (0, 2)),
    "c": ((1, 1), (1, 2)),
}


def of_segments(digit: Tensor, label: int, rng: random.Random) -> Image.Image:
    """A digit of a display, with gaps of up to a tenth of its height."""
    length = rng.randint(40, 120)
    pen = rng.uniform(0.12, 0.25)  # all in lengths of a segment, from here
    gap = rng.uniform(0.06, 0.2)
    slant = rng.uniform(0, 0.15)
    point = rng.choice((0, pen / 2))  # how long the pointed end of a segment is
    ink = Image.new("L", (2 * length, 3 * length))
    for segment in LIT[label]:
        (left, top), (right, bottom) = BARS[segment]
        along = right - left, bottom - top
        corners = [
            (gap / 2, 0.0),
            (gap / 2 + point, pen / 2),
            (1 - gap / 2 - point, pen / 2),
            (1 - gap / 2, 0.0),
            (1 - gap / 2 - point, -pen / 2),
            (gap / 2 + point, -pen / 2),
        ]
        outline = []
        for forward, aside in corners:
            x = left + along[0] * forward + along[1] * aside
            y = top + along[1] * forward + along[0] * aside
            outline.append((length * (x + slant * (2 - y) + pen), length * (y + pen)))
        ImageDraw.Draw(ink).polygon(outline, 255)
    return on_page(ink.crop(ink.getbbox()), rng)


def of_dots(digit: Tensor, label: int, rng: random.Random) -> Image.Image:
    """A digit of 8 to 18 rows of dots, printed or stamped, which may touch."""
    rows = rng.randint(8, 18)
    small = Image.fromarray(digit.numpy())
    small = small.crop(small.getbbox())
    small = ImageOps.contain(small, (rows, rows), Image.Resampling.BOX)
    pitch = rng.uniform(5, 16)
    radius = rng.uniform(0.25, 0.45) * pitch
    off = rng.uniform(0, 0.1) * pitch
    ink = Image.new("L", (round(pitch * (small.width + 1)), round(pitch * (small.height + 1))))
    draw = ImageDraw.Draw(ink)
    for row in range(small.height):
        for column in range(small.width):
            if small.getpixel((column, row)) > 100:
                x = (column + 1) * pitch + rng.uniform(-off, off)
                y = (row + 1) * pitch + rng.uniform(-off, off)
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return on_page(ink, rng)


def outlined(digit: Tensor, label: int, rng: random.Random) -> Image.Image:
    """A contour around a digit that was thickened a bit."""
    ink = draw_strokes(digit, rng)
    size = max(ink.size)
    line = max(2, round(rng.uniform(0.01, 0.03) * size))
    more = round(rng.uniform(0, 0.05) * size)
    ink = ImageOps.expand(ink, more + line)
    solid = ink.filter(ImageFilter.MaxFilter(2 * more + 1)).point(lambda value: 255 * (value > 127))
    contour = ImageChops.subtract(solid.filter(ImageFilter.MaxFilter(2 * line + 1)), solid)
    return on_page(contour.crop(contour.getbbox()), rng)


ODD_STROKES = {
    "in two strokes": in_two_strokes,
    "of segments": of_segments,
    "of dots": of_dots,
    "outlined": outlined,
}
LABELS = {"in two strokes": (4,)}  # that are drawn; else all
