"""Draw pages of numbers from MNIST-like digits, and count how many digits are read rightly.

python -m tests.reader.redraw_numbers DATA_DIR [WEIGHTS_DIR]     # on the real training set
"""

import random
import sys
from typing import NamedTuple

import torch
from PIL import Image, ImageChops, ImageDraw, ImageOps
from torch import nn
from torchvision.transforms.v2.functional import pil_to_tensor  # type: ignore[import-untyped]

from digit_reader import read_digits
from digit_reader.__main__ import text_of
from mnist_classifier import Digits, load_digits, load_model
from tests.reader.pens import as_jpeg, draw_shadow, draw_stroke

NUMBER_KINDS = ("plain", "light on dark", "slanted", "shadow", "ruled", "squared", "small")
NUMBER_KINDS += ("boxes", "row of boxes", "framed")


class Page(NamedTuple):
    """A drawn picture of numbers, and what is written on it."""

    picture: Image.Image
    text: str  # the digits in reading order, lines separated by spaces


def draw_page(digits: Digits, kind: str, rng: random.Random) -> Page:
    """Return a page of one to four lines of two to ten of `digits`, as `kind` says.

    Of the kind "touching", it is one line of two digits that touch.
    """
    lengths = [rng.randint(2, 10) for _ in range(rng.randint(1, 4))]
    if kind == "touching":
        lengths = [2]
    chosen = [rng.choices(range(len(digits.labels)), k=length) for length in lengths]
    text = " ".join("".join(str(digits.labels[i].item()) for i in row) for row in chosen)
    size = rng.uniform(24, 90)  # pixels
    edge = rng.uniform(0.3, 0.55) * 255  # in other pens, thin strokes break and loops close
    rows = [
        [draw_stroke(digits.images[i].squeeze(), rng.uniform(0.85, 1.15) * size, edge) for i in row]
        for row in chosen
    ]
    return Page(on_paper(write(rows, kind, size, rng), kind, size, rng), text)


def write(rows: list[list[Image.Image]], kind: str, size: float, rng: random.Random) -> Image.Image:
    """Return the ink of all `rows` of digits of about `size` pixels, one below the other."""
    gap = rng.uniform(0.15, 1) * size
    if kind in ("boxes", "row of boxes"):
        gap += 0.3 * size
    lines = [write_line(row, kind, size, gap, rng) for row in rows]
    pitch = round(lines[0].height + rng.uniform(0, 0.7) * size)
    width = max(line.width for line in lines) + round(3 * size)
    ink = Image.new("L", (width, pitch * len(lines)))
    indent = rng.uniform(0, 2) * size
    for number, line in enumerate(lines):
        ink.paste(line, (round(indent + rng.uniform(0, 0.5) * size), number * pitch))
    ink = ink.crop(ink.getbbox())
    if kind == "framed":
        room = round(rng.uniform(0.2, 1) * size)
        ink = ImageOps.expand(ink, room)
        thick = max(2, round(rng.uniform(0.02, 0.08) * size))
        ImageDraw.Draw(ink).rectangle((0, 0, ink.width - 1, ink.height - 1), None, 255, thick)
    return ink


def write_line(
    row: list[Image.Image], kind: str, size: float, gap: float, rng: random.Random
) -> Image.Image:
    """Return the ink of a `row` of digits of about `size` pixels, about `gap` pixels apart."""
    with_boxes = kind in ("boxes", "row of boxes")
    height = round((1.6 if with_boxes else 1.25) * size)
    line = Image.new("L", (round(len(row) * (1.2 * size + 1.8 * gap)), height))
    draw = ImageDraw.Draw(line)
    thick = max(2, round(rng.uniform(0.02, 0.08) * size))
    right = 1.0  # of what is written so far
    for number, stroke in enumerate(row):
        top = (height - stroke.height) // 2 + round(rng.uniform(-0.05, 0.05) * size)
        left = round(right + rng.uniform(0.7, 1.3) * gap)
        if kind == "touching" and number:
            left = touching_place(line, stroke, left, top)
        box = (left, top, left + stroke.width, top + stroke.height)
        line.paste(ImageChops.lighter(stroke, line.crop(box)), box)
        start, right = right, left + stroke.width
        if kind == "boxes":
            room = 0.2 * size
            draw.rectangle((left - room, 0, right + room, height - 1), None, 255, thick)
        if kind == "row of boxes":
            draw.rectangle((start - 1, 0, right + gap / 2, height - 1), None, 255, thick)
            right += gap / 2
    return line


def touching_place(ink: Image.Image, stroke: Image.Image, left: int, top: int) -> int:
    """Return how far left `stroke` has to be to touch what is on `ink` already."""
    while left > 0:
        behind = ink.crop((left, top, left + stroke.width, top + stroke.height))
        if ImageChops.multiply(behind, stroke).getextrema()[1] > 128:
            break
        left -= 1
    return left


def on_paper(ink: Image.Image, kind: str, size: float, rng: random.Random) -> Image.Image:
    """Return a JPEG of `ink` on paper, its digits being about `size` pixels high."""
    angle = rng.uniform(-10, 10) if kind == "slanted" else rng.uniform(-2, 2)
    margin = round((15 if kind == "small" else 2) * size)
    border = margin + round(0.2 * max(ink.size))  # so that no corner is seen after the turn
    ink = ImageOps.expand(ink, border)
    paper = rng.uniform(170, 250)
    pen = rng.uniform(10, 80)
    if kind == "light on dark":
        paper, pen = pen, paper
    page = Image.new("L", ink.size, round(paper))
    if kind in ("ruled", "squared"):
        draw_rules(page, round(paper - rng.uniform(0.1, 0.35) * (paper - pen)), size, kind, rng)
    page.paste(round(pen), mask=ink)
    page = page.rotate(angle, Image.Resampling.BICUBIC)
    box = ink.rotate(angle, Image.Resampling.BICUBIC).getbbox()
    room = [rng.uniform(0.2, 1) * margin for _ in box]
    sides = (box[0] - room[0], box[1] - room[1], box[2] + room[2], box[3] + room[3])
    page = page.crop([round(side) for side in sides])
    pixels = pil_to_tensor(page)[0].float()
    if kind == "shadow":
        pixels = pixels * draw_shadow(pixels, page.size, (0, 0, *page.size), rng)
    return as_jpeg(pixels, 6, rng)


def draw_rules(page: Image.Image, shade: int, size: float, kind: str, rng: random.Random) -> None:
    """Draw lines, or squares, on `page` for digits of about `size` pixels."""
    draw = ImageDraw.Draw(page)
    thick = max(1, round(rng.uniform(0.01, 0.03) * size))
    step = round(rng.uniform(0.5, 1.4) * size)
    for place in range(rng.randrange(step), max(page.size), step):
        draw.line((0, place, page.width, place), shade, thick)
        if kind == "squared":
            draw.line((place, 0, place, page.height), shade, thick)


def distance(one: str, other: str) -> int:
    """Return how many characters to insert, delete or replace, so that `one` becomes `other`."""
    costs = list(range(len(other) + 1))  # of nothing becoming each beginning of `other`
    for i, character in enumerate(one, 1):
        diagonal, costs[0] = costs[0], i
        for j, wanted in enumerate(other, 1):
            replaced = diagonal + (character != wanted)
            diagonal = costs[j]
            costs[j] = min(replaced, costs[j] + 1, costs[j - 1] + 1)
    return costs[-1]


class Counts(NamedTuple):
    """What became of some pages."""

    digits: int
    wrong_digits: int  # to insert, delete or replace
    pages: int
    whole: int
    sure: int
    surely_wrong: int


def count_kind(kind: str, count: int, digits: Digits, model: nn.Module) -> Counts:
    """Return what is read on `count` pages of this kind."""
    rng = random.Random(kind)
    counts = Counts(0, 0, 0, 0, 0, 0)
    for _ in range(count):
        page = draw_page(digits, kind, rng)
        answers = read_digits(page.picture, model)
        text = text_of(answers)
        is_whole = text == page.text
        is_sure = all(answer.sure for answer in answers)
        length = len(page.text.replace(" ", ""))
        wrong = min(length, distance(text.replace(" ", ""), page.text.replace(" ", "")))
        found = (length, wrong, 1, is_whole, is_sure, is_sure and not is_whole)
        counts = Counts(*(one + other for one, other in zip(counts, found, strict=True)))
    return counts


def describe(name: str, counts: Counts) -> str:
    right = 1 - counts.wrong_digits / counts.digits
    return (
        f"{name}: {right:.1%} of {counts.digits} digits right, {counts.whole} of {counts.pages} "
        f"pages whole; of {counts.sure} sure ones {counts.surely_wrong} wrong"
    )


PAGES = 20  # of each kind
LEAST_RIGHT = 0.97  # of the digits, by the fewest changes that make the text right
LEAST_WHOLE = 0.9  # of the pages: the text has no mistake
MOST_SURELY_WRONG = 0.02  # of the pages: there is a mistake, and no digit is marked as unsure


def measure(data_dir: str, weights_dir: str = ".") -> bool:
    """Print how many digits are read rightly of the training set, and return whether enough are."""
    torch.set_num_threads(1)
    model = load_model(weights_dir)
    digits = load_digits(data_dir, "train", torch.device("cpu"))
    results = []
    for kind in NUMBER_KINDS:
        results.append(count_kind(kind, PAGES, digits, model))
        print(describe(kind, results[-1]), flush=True)
    total = Counts(*map(sum, zip(*results, strict=True)))
    is_good = total.wrong_digits <= (1 - LEAST_RIGHT) * total.digits
    is_good = is_good and total.whole >= LEAST_WHOLE * total.pages
    is_good = is_good and total.surely_wrong <= MOST_SURELY_WRONG * total.pages
    print(describe("all", total) + ("" if is_good else " MISSED"))
    print(describe("two digits that touch", count_kind("touching", 60, digits, model)))
    return is_good


if __name__ == "__main__":
    sys.exit(not measure(*sys.argv[1:]))
