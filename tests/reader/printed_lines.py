"""Digits on printed lines that are as dark as the pen: rules, squared paper, boxes."""

import math
import random

from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from tests.reader.pens import draw_stroke, draw_strokes


def draw_bold(digit: Tensor, rng: random.Random) -> tuple[Image.Image, int]:
    """Ink of `digit` (28, 28) uint8 in a bold pen, and its size of 80 to 250 pixels."""
    size = rng.randint(80, 250)
    return draw_stroke(digit, size, rng.uniform(0.08, 0.3) * 255), size


def put_on_page(ink: Image.Image, room: int, rng: random.Random) -> tuple[Image.Image, int]:
    """Dark `ink` on a light page with so many pixels around it, and its grey."""
    page = Image.new("L", (ink.width + 2 * room, ink.height + 2 * room), rng.randint(190, 250))
    pen = rng.randint(10, 70)
    page.paste(pen, (room, room), ink)
    return page, pen


def choose_thickness(size: int, rng: random.Random) -> int:
    """Width, in pixels, of thin lines through a digit of this size."""
    return max(1, round(rng.uniform(0.01, 0.035) * size))


def crossed_by_lines(digit: Tensor, rng: random.Random) -> Image.Image:
    """A bold digit with one to three thin lines through it, from side to side of the picture."""
    ink, size = draw_bold(digit, rng)
    room = round(rng.uniform(0.1, 0.4) * size)
    page, pen = put_on_page(ink, room, rng)
    thick = choose_thickness(size, rng)
    for _ in range(rng.randint(1, 3)):
        y = rng.randint(room, room + ink.height)
        end = y + rng.uniform(-0.1, 0.1) * size
        ImageDraw.Draw(page).line((0, y, page.width, end), rng.randint(pen, 110), thick)
    return page


def under_short_lines(digit: Tensor, rng: random.Random) -> Image.Image:
    """A bold digit with one to six thin lines through it, which end within the picture."""
    ink, size = draw_bold(digit, rng)
    page, pen = put_on_page(ink, size, rng)
    thick = choose_thickness(size, rng)
    for _ in range(rng.randint(1, 6)):
        x = size + rng.uniform(0.1, 0.9) * ink.width
        y = size + rng.uniform(0.1, 0.9) * ink.height
        angle = rng.uniform(0, math.pi)
        half = rng.uniform(0.2, 0.7) * size
        across = half * math.cos(angle)
        down = half * math.sin(angle)
        ends = (x - across, y - down, x + across, y + down)
        ImageDraw.Draw(page).line(ends, rng.randint(pen, 110), thick)
    return page


def draw_cells(count: int, cell: int, rng: random.Random) -> Image.Image:
    """A sheet of count x count boxes, each in a cell of that many pixels, apart or touching."""
    room = cell // 2
    side = count * cell + 2 * room
    page = Image.new("L", (side, side), rng.randint(215, 255))
    thick = rng.choice((1, 1, 2))
    shade = rng.randint(0, 120)
    box = cell - rng.choice((0, round(0.15 * cell)))
    for top in range(room, side - cell, cell):
        for left in range(room, side - cell, cell):
            corners = (left, top, left + box, top + box)
            ImageDraw.Draw(page).rectangle(corners, None, shade, thick)
    return page


def in_a_cell(digit: Tensor, rng: random.Random) -> Image.Image:
    """A digit in one of 16 to 100 boxes."""
    count = rng.randint(4, 10)
    cell = rng.randint(48, 96)
    page = draw_cells(count, cell, rng)
    size = round(rng.uniform(0.5, 0.7) * cell)
    ink = ImageOps.contain(draw_strokes(digit, rng), (size, size))
    left = cell // 2 + rng.randrange(count) * cell + round(0.42 * cell - ink.width / 2)
    top = cell // 2 + rng.randrange(count) * cell + round(0.42 * cell - ink.height / 2)
    page.paste(rng.randint(0, 80), (left, top), ink)
    return page


def over_cells(digit: Tensor, rng: random.Random) -> Image.Image:
    """A digit over some of 16 to 100 boxes."""
    page = draw_cells(rng.randint(4, 10), rng.randint(24, 48), rng)
    size = rng.uniform(0.35, 0.8) * page.width
    ink = draw_stroke(digit, size, rng.uniform(0.1, 0.5) * 255)
    left = rng.randint(0, page.width - ink.width)
    top = rng.randint(0, page.height - ink.height)
    page.paste(rng.randint(0, 60), (left, top), ink)
    return page


PRINTED_LINES = {
    "crossed by lines": crossed_by_lines,
    "under short lines": under_short_lines,
    "in a cell": in_a_cell,
    "over cells": over_cells,
}
