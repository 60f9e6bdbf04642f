"""Redraw MNIST-like digits the way people's pictures look, and count how many are read rightly.

python -m tests.reader.redraw DATA_DIR [WEIGHTS_DIR]     # on the real test set, and numbers
"""

import contextlib
import io
import math
import random
import sys
from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps
from torch import Tensor, nn
from torchvision.transforms.v2.functional import pil_to_tensor  # type: ignore[import-untyped]

from digit_reader import read_digit, to_mnist
from mnist_classifier import Digits, Failure, load_digits, load_model, predict
from tests.reader import redraw_numbers
from tests.reader.odd_strokes import LABELS, ODD_STROKES
from tests.reader.pens import (
    as_jpeg,
    draw_pen,
    draw_shadow,
    draw_stroke,
    draw_strokes,
    on_page,
    with_room,
)
from tests.reader.printed_lines import PRINTED_LINES


def redraw(digit: Tensor, rng: random.Random) -> Image.Image:
    """Picture of `digit` (28, 28) uint8: 60 to 800 pixels wide or high, anywhere on its canvas;
    dark on light or light on dark, thick or thin, blurred, noisy, lit from one side, as a JPEG."""
    stroke = Image.fromarray(digit.numpy())
    stroke = stroke.crop(stroke.getbbox())
    canvas_width, canvas_height = rng.randint(60, 800), rng.randint(60, 800)
    size = rng.uniform(0.4, 0.85) * min(canvas_width, canvas_height)  # of the digit, in pixels
    scale = size / max(stroke.size)
    width, height = (max(1, round(side * scale)) for side in stroke.size)
    stroke = stroke.resize((width, height), Image.Resampling.BICUBIC)
    place = rng.randint(0, canvas_width - width), rng.randint(0, canvas_height - height)
    canvas = Image.new("L", (canvas_width, canvas_height))
    canvas.paste(stroke, place)
    canvas = draw_pen(canvas, 0.35 * scale, rng.uniform(70, 160))
    canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.012) * size))
    ink = pil_to_tensor(canvas)[0] / 255
    paper, pen = rng.uniform(170, 250), rng.uniform(10, 80)
    if rng.random() < 0.5:
        paper, pen = pen, paper
    y = torch.linspace(-1, 1, canvas_height).unsqueeze(1)
    x = torch.linspace(-1, 1, canvas_width)
    angle = rng.uniform(0, 2 * math.pi)
    light = 1 + rng.uniform(0, 0.25) * (x * math.cos(angle) + y * math.sin(angle))
    return as_jpeg((paper + (pen - paper) * ink) * light, 10, rng)


KINDS = ("turned", "cropped", "desk", "shadow", "ruled", "squared", "dots", "text", "thumb")
KINDS += ("title bar",)
TEXTS = ("3)", "Question 1:", "'", "Nr. 7", "a)", "Name: Ann")


def place_ink(digit: Tensor, kind: str, rng: random.Random) -> Image.Image:
    """`digit` (28, 28) uint8 in a thick or a thin pen, turned, on a canvas of 40 to 1200 pixels."""
    coarse = kind in ("turned", "dots", "thumb", "title bar")  # the others need room for details
    longer = round(40 * 25 ** rng.random()) if coarse else rng.randint(250, 1200)
    sides = [longer, round(longer * rng.uniform(0.6, 1))]
    rng.shuffle(sides)
    stroke = Image.fromarray(digit.numpy()).resize((280, 280), Image.Resampling.BICUBIC)
    stroke = stroke.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC)
    stroke = draw_pen(stroke, 3.5, rng.uniform(0.2, 0.7) * 255)
    size = round(rng.uniform(0.25, 0.6) * min(sides))
    stroke = ImageOps.contain(stroke.crop(stroke.getbbox()), (size, size))
    if kind == "cropped":
        return ImageOps.expand(stroke, round(rng.uniform(0, 0.08) * size))
    room = 0.0 if kind == "turned" else 0.12  # between the digit and the border
    places = zip(sides, stroke.size, strict=True)
    place = [rng.uniform(room * side, (1 - room) * side - mine) for side, mine in places]
    ink = Image.new("L", sides)
    ink.paste(stroke, (round(place[0]), round(place[1])))
    return ink


def write_beside(ink: Image.Image, kind: str, rng: random.Random) -> None:
    """Put two dots, or a text, at a fifth of the digit's size from it."""
    left, top, right, bottom = ink.getbbox()
    size, draw = max(right - left, bottom - top), ImageDraw.Draw(ink)
    x, y, gap = (left + right) / 2, (top + bottom) / 2, 0.2 * size
    sides = [(left - gap, y, "rm"), (right + gap, y, "lm")]
    sides += [(x, top - gap, "mb"), (x, bottom + gap, "mt")]
    for x, y, anchor in rng.sample(sides, 2 if kind == "dots" else 1):
        if kind == "dots":
            radius = max(0.7, rng.uniform(0.02, 0.06) * size)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        else:
            font = ImageFont.load_default(max(8, rng.uniform(0.2, 0.4) * size))
            draw.text((x, y), rng.choice(TEXTS), 255, font, anchor)


def disturb(digit: Tensor, kind: str, rng: random.Random, large: bool = False) -> Image.Image:
    """Picture of `digit` (28, 28) uint8 beside what `kind` says; if `large`, of 12 megapixels."""
    ink = place_ink(digit, kind, rng)
    box = ink.getbbox()
    if kind in ("dots", "text"):
        write_beside(ink, kind, rng)
    paper = rng.uniform(170, 250)
    pen = rng.uniform(10, 80)
    if kind in ("turned", "cropped", "dots", "text") and rng.random() < 0.3:
        paper, pen = pen, paper
    page = Image.new("L", ink.size, round(paper))
    if kind in ("ruled", "squared"):
        pale = round(paper - rng.uniform(0.1, 0.35) * (paper - pen))
        draw_lines(page, box, pale, kind == "squared", rng)
    page.paste(round(pen), mask=ink)
    if kind == "desk":
        page = lay_on_desk(page, paper, rng)
    if kind == "thumb":
        draw_thumb(page, paper, rng)
    if kind == "title bar":
        draw_title_bar(page, paper, rng)
    pixels = pil_to_tensor(page.resize((4000, 3000)) if large else page)[0].float()
    if kind == "shadow":
        pixels = pixels * draw_shadow(pixels, ink.size, box, rng)
    return as_jpeg(pixels, 8, rng)


def draw_lines(
    page: Image.Image,
    box: tuple[int, int, int, int],
    shade: int,
    squared: bool,
    rng: random.Random,
) -> None:
    """Rule `page` with lines whose distance and thickness go with the size of the digit's `box`."""
    left, top, right, bottom = box
    size = max(right - left, bottom - top)
    width, height = page.size
    draw = ImageDraw.Draw(page)
    thick = max(1, round(rng.uniform(0.01, 0.03) * size))
    for i in range(0, max(page.size), round(rng.uniform(0.25, 0.8) * size)):
        draw.line((0, i, width, i), shade, thick)
        if squared:
            draw.line((i, 0, i, height), shade, thick)


def lay_on_desk(page: Image.Image, paper: float, rng: random.Random) -> Image.Image:
    """Surround `page` with a darker desk, not quite straight."""
    border = round(rng.uniform(0, 0.2) * max(page.size))
    shade = round(rng.uniform(0.1, 0.6) * paper)
    sheet = ImageOps.expand(page, border, shade)
    return sheet.rotate(rng.uniform(-5, 5), fillcolor=shade).resize(page.size)


def draw_thumb(page: Image.Image, paper: float, rng: random.Random) -> None:
    """Darken a corner of `page`."""
    width, height = page.size
    long = 0.12 * max(page.size)
    x = rng.choice((0, width))
    y = rng.choice((0, height))
    shade = round(rng.uniform(0.3, 0.7) * paper)
    ImageDraw.Draw(page).ellipse((x - long, y - long, x + long, y + long), shade)


def draw_title_bar(page: Image.Image, paper: float, rng: random.Random) -> None:
    """Draw a bar with a title along the upper edge of `page`."""
    width, height = page.size
    draw = ImageDraw.Draw(page)
    bar = max(2, round(0.08 * height))
    draw.rectangle((0, 0, width, bar), round(rng.uniform(0.1, 0.8) * paper))
    font = ImageFont.load_default(max(5, bar / 2))
    draw.text((bar / 3, bar / 2), "Untitled - Paint" if bar > 10 else "", 255, font, "lm")


def in_box(digit: Tensor, rng: random.Random) -> Image.Image:
    ink = draw_strokes(digit, rng)
    size = max(ink.size)
    gap = round(rng.uniform(0.15, 0.6) * size)
    thick = max(2, round(rng.uniform(0.02, 0.08) * size))
    box = with_room(ink, ink.width + 2 * gap, ink.height + 2 * gap)
    ImageDraw.Draw(box).rectangle((0, 0, box.width - 1, box.height - 1), None, 255, thick)
    return on_page(box, rng)


def in_circle(digit: Tensor, rng: random.Random) -> Image.Image:
    ink = draw_strokes(digit, rng)
    size = max(ink.size)
    thick = max(2, round(rng.uniform(0.02, 0.08) * size))
    across = round(math.hypot(*ink.size) + rng.uniform(0.15, 0.6) * size)
    circle = with_room(ink, across, across)
    ImageDraw.Draw(circle).ellipse((0, 0, across - 1, across - 1), None, 255, thick)
    return on_page(circle, rng)


def in_corner(digit: Tensor, rng: random.Random) -> Image.Image:
    """Two sides of a box, which is cut off by the border of the picture."""
    ink = draw_strokes(digit, rng)
    size = max(ink.size)
    gap, room, outside = (round(rng.uniform(0.05, 0.3) * size) for _ in range(3))
    thick = max(2, round(rng.uniform(0.015, 0.05) * size))
    width = outside + gap + ink.width + room
    height = outside + gap + ink.height + room
    left = rng.choice((outside + gap, room))
    top = rng.choice((outside + gap, room))
    box_left = outside if left > room else -width
    box_top = outside if top > room else -height
    box = (box_left, box_top, box_left + 2 * width - outside, box_top + 2 * height - outside)
    page = Image.new("L", (width, height), rng.randint(170, 250))
    pen = rng.randint(10, 80)
    ImageDraw.Draw(page).rectangle(box, None, pen, thick)
    page.paste(pen, (left, top), ink)
    return page


def underlined(digit: Tensor, rng: random.Random) -> Image.Image:
    ink = draw_strokes(digit, rng)
    size = max(ink.size)
    gap = round(rng.uniform(0.08, 0.3) * size)
    thick = max(2, round(rng.uniform(0.02, 0.08) * size))
    room = round(rng.uniform(0.1, 0.4) * size)  # that the line is longer, on either side
    canvas = Image.new("L", (ink.width + 2 * room, ink.height + gap + thick + size // 10))
    canvas.paste(ink, (room, 0))
    y = ink.height + gap
    ImageDraw.Draw(canvas).line((0, y, canvas.width, y + rng.randint(0, size // 12)), 255, thick)
    return on_page(canvas, rng)


def in_axes(digit: Tensor, rng: random.Random) -> Image.Image:
    """The figure of a plotting program, with numbers at its ticks."""
    ink = draw_strokes(digit, rng)
    side = round(max(ink.size) * rng.uniform(1.3, 2))
    shown = with_room(ink, side, side)
    shown = rng.choice((shown, ImageOps.invert(shown)))
    figure = Image.new("L", (round(1.5 * side), round(1.4 * side)), 255)
    left, top = round(0.3 * side), round(0.15 * side)
    figure.paste(shown, (left, top))
    draw, font = ImageDraw.Draw(figure), ImageFont.load_default(max(8, 0.05 * side))
    draw.rectangle((left, top, left + side, top + side), None, 0, max(1, side // 150))
    for tick in range(0, 26, 5):
        place = tick / 28 * side
        draw.text((left - 4, top + place), str(tick), 0, font, "rm")
        draw.text((left + place, top + side + 4), str(tick), 0, font, "mt")
    return figure


def in_screenshot(digit: Tensor, rng: random.Random) -> Image.Image:
    """A page with a black or a white canvas on it, a title and a button."""
    ink = draw_strokes(digit, rng)
    side = round(max(ink.size) * rng.uniform(1.3, 2.5))
    canvas = with_room(ink, side, side)
    ground = rng.randint(200, 255)
    page = Image.new("L", (round(side * rng.uniform(1.3, 4)), 2 * side), ground)
    left, top = (page.width - side) // 2, round(0.4 * side)
    page.paste(canvas, (left, top))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(max(8, 0.12 * side))
    draw.text((page.width / 2, 0.2 * side), "Draw a digit", 255 - ground, font, "mm")
    draw.rectangle((left, 1.5 * side, left + 0.4 * side, 1.65 * side), 128)
    draw.text((left + 0.2 * side, 1.57 * side), "Clear", 255, font, "mm")
    return rng.choice((page, ImageOps.invert(page)))


def in_window(digit: Tensor, rng: random.Random) -> Image.Image:
    """A window on a screen: a page with a title bar, and at times with a thin frame."""
    ink = draw_strokes(digit, rng)
    size = max(ink.size)
    width, height = (round(size * rng.uniform(1.4, 3)) for _ in "wh")
    bar = round(rng.uniform(0.1, 0.25) * size)
    window = Image.new("L", (width, height + bar), rng.randint(225, 255))
    shade = rng.choice((rng.randint(20, 120), rng.randint(180, 245)))
    draw, font = ImageDraw.Draw(window), ImageFont.load_default(max(8, 0.6 * bar))
    draw.rectangle((0, 0, width, bar), shade)
    letters = 255 if shade < 150 else 0
    draw.text((bar / 3, bar / 2), "Untitled", letters, font, "lm")
    draw.text((width - bar / 3, bar / 2), "x", letters, font, "rm")
    place = rng.randint(3, width - ink.width - 3), rng.randint(3, height - ink.height - 3)
    window.paste(rng.randint(0, 60), (place[0], bar + place[1]), ink)
    if rng.random() < 0.5:
        frame = (0, 0, width - 1, height + bar - 1)
        draw.rectangle(frame, None, rng.randint(0, 150), max(1, size // 100))
    around = [round(side * rng.uniform(0.03, 0.5)) for side in window.size]
    screen = Image.new("L", (width + 2 * around[0], window.height + 2 * around[1]))
    screen.paste(rng.choice((rng.randint(10, 120), rng.randint(200, 240))), (0, 0, *screen.size))
    screen.paste(window, tuple(around))
    return screen


def on_small_sheet(digit: Tensor, rng: random.Random) -> Image.Image:
    """A sheet, not quite straight, on a desk of which it covers 0.25 to 0.7 of the shorter side."""
    ink = draw_strokes(digit, rng)
    width, height = (round(max(ink.size) * rng.uniform(1.4, 2.5)) for _ in "wh")
    ink = with_room(ink, width, height)
    paper = rng.randint(170, 250)
    sheet = Image.new("L", ink.size, paper)
    sheet.paste(rng.randint(10, 80), mask=ink)
    angle = rng.uniform(-8, 8)
    cover = Image.new("L", sheet.size, 255).rotate(angle, expand=True)
    sheet = sheet.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    shorter = round(max(sheet.size) / rng.uniform(0.25, 0.7))
    longer = round(rng.uniform(1, 1.4) * shorter)
    desk = Image.new("L", (longer, shorter), round(rng.uniform(0.1, 0.5) * paper))
    place = rng.randint(0, longer - sheet.width), rng.randint(0, shorter - sheet.height)
    desk.paste(sheet, place, cover)
    return desk


def beside_a_label(digit: Tensor, rng: random.Random) -> Image.Image:
    """A digit in a fine pen, and in a corner the label of a program: a word on a solid ground."""
    ink = draw_stroke(digit, rng.randint(80, 250), rng.uniform(0.6, 0.8) * 255)
    size = max(ink.size)
    width = round(size * rng.uniform(0.2, 0.6))
    height = round(width * rng.uniform(0.3, 0.6))
    room = round(size * rng.uniform(0.15, 0.5))
    edge = round(0.03 * size)
    ink = with_room(ink, ink.width + 2 * (width + room), ink.height + 2 * (height + room))
    page = Image.new("L", ink.size, 255)
    page.paste(rng.randint(0, 60), mask=ink)
    left = rng.choice((edge, page.width - width - edge))
    top = rng.choice((edge, page.height - height - edge))
    label = (left, top, left + width, top + height)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(max(5, 0.5 * height))
    draw.rounded_rectangle(label, height / 5, rng.randint(20, 130))
    word = rng.choice(("Pen", "Lite", "Draw"))
    draw.text((left + width / 2, top + height / 2), word, 255, font, "mm")
    return page


def white_on_transparent(digit: Tensor, rng: random.Random) -> Image.Image:
    ink = draw_strokes(digit, rng)
    picture = Image.new("RGBA", (280, 280), "white")
    picture.putalpha(with_room(ink, 280, 280))
    return picture


def dim(digit: Tensor, rng: random.Random) -> Image.Image:
    return Image.fromarray((digit * rng.uniform(0.13, 0.5)).to(torch.uint8).numpy())


def off_centre(digit: Tensor, rng: random.Random) -> Image.Image:
    """A digit of 12 to 28 pixels, anywhere in 28x28."""
    small = Image.fromarray(digit.numpy())
    size = rng.randint(12, 28)
    stroke = ImageOps.contain(small.crop(small.getbbox()), (size, size))
    canvas = Image.new("L", (28, 28))
    canvas.paste(stroke, (rng.randint(0, 28 - stroke.width), rng.randint(0, 28 - stroke.height)))
    return canvas


def pale(digit: Tensor, rng: random.Random) -> Image.Image:
    """Ink that takes 0.03 to 0.08 of the paper's light."""
    ink = draw_strokes(digit, rng)
    ink = ImageOps.expand(ink, rng.randint(10, 10 + round(0.6 * max(ink.size))))
    light = 1 - rng.uniform(0.03, 0.08) * pil_to_tensor(ink)[0] / 255
    return as_jpeg(rng.uniform(170, 250) * light, 1.5, rng)


def bold_and_small(digit: Tensor, rng: random.Random) -> Image.Image:
    """A bold pen that fills a picture of 14 to 45 pixels."""
    size = rng.randint(14, 40)
    ink = draw_stroke(digit, size, rng.uniform(0.05, 0.25) * 255)
    ink = ImageOps.expand(ink, rng.randint(0, max(1, round(0.06 * size))))
    page = Image.new("L", ink.size, rng.randint(170, 250))
    page.paste(rng.randint(10, 80), mask=ink)
    return rng.choice((page, ImageOps.invert(page)))


def coloured(digit: Tensor, rng: random.Random) -> Image.Image:
    """Ink and paper of the same grey, and of another colour."""
    ink = draw_strokes(digit, rng)
    ink = ImageOps.expand(ink, rng.randint(3, 3 + round(0.4 * max(ink.size))))
    gray = rng.randint(70, 180)
    paper = pen = (gray, gray, gray)
    while max(abs(one - other) for one, other in zip(paper, pen, strict=True)) < 60:
        paper, pen = colour_of(gray, rng), colour_of(gray, rng)
    page = Image.new("RGB", ink.size, paper)
    page.paste(pen, mask=ink)
    return page


def colour_of(gray: int, rng: random.Random) -> tuple[int, int, int]:
    """A colour that Pillow turns into this grey."""
    while True:
        colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
        if Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) == gray:
            return colour


PHOTOGRAPHED = {
    "in box": in_box,
    "in circle": in_circle,
    "in a corner": in_corner,
    "underlined": underlined,
    "in axes": in_axes,
    "in screenshot": in_screenshot,
    "in window": in_window,
    "on small sheet": on_small_sheet,
    "beside a label": beside_a_label,
    **PRINTED_LINES,
}
SAVED = {
    "white on transparent": white_on_transparent,
    "dim": dim,
    "off centre": off_centre,
    "pale": pale,
    "bold and small": bold_and_small,
    "coloured": coloured,
}
STRANGE_KINDS = (*PHOTOGRAPHED, *SAVED)


def strange(digit: Tensor, label: int, kind: str, rng: random.Random) -> Image.Image:
    """Picture of `digit` (28, 28) uint8 with this label, of a strange kind, or with odd strokes."""
    if kind in SAVED:
        return SAVED[kind](digit, rng)
    if kind in ODD_STROKES:
        picture = ODD_STROKES[kind](digit, label, rng)
    else:
        picture = PHOTOGRAPHED[kind](digit, rng)
    return as_jpeg(pil_to_tensor(picture)[0].float(), 6, rng)


def read(
    model: nn.Module, digits: Digits, count: int, kinds: Sequence[str] = ()
) -> tuple[Tensor, Tensor]:
    """Whether the answers to `count` of `digits` are sure, and whether they are right.
    Redrawn plainly, or with `kinds` of disturbances in turn, one in 100 with 12 megapixels."""
    rng = random.Random(0)
    answers = []
    labels = digits.labels.tolist()
    drawn = LABELS[kinds[0]] if kinds and kinds[0] in LABELS else range(10)
    indices = [i for i, label in enumerate(labels) if label in drawn]
    for n, i in enumerate(rng.sample(indices, count)):
        digit = digits.images[i].squeeze()
        if kinds and kinds[0] not in KINDS:
            picture = strange(digit, labels[i], kinds[n % len(kinds)], rng)
        elif kinds:
            picture = disturb(digit, kinds[n % len(kinds)], rng, large=n % 100 == 99)
        else:
            picture = redraw(digit, rng)
        try:
            reading = read_digit(picture, model)
            answers.append((reading.sure, reading.digit == labels[i]))
        except Failure:
            answers.append((False, False))
    return tuple(torch.tensor(answers).T)


def as_files(images: Tensor) -> Tensor:
    """What to_mnist makes of `images` (N, 1, 28, 28) uint8 as PNG files."""
    found = []
    for image in images:
        Image.fromarray(image.squeeze().numpy()).save(file := io.BytesIO(), "PNG")
        found.append(to_mnist(Image.open(file)))
    return torch.stack(found)


def blank_paper(rng: random.Random) -> Image.Image:
    """Blank paper of 60 to 900 pixels, lit from one side, by a lamp, or darker at its edges."""
    height, width = (rng.randint(60, 900) for _ in "hw")
    y = torch.linspace(-1, 1, height).unsqueeze(1)
    x = torch.linspace(-1, 1, width)
    angle = rng.uniform(0, 2 * math.pi)
    from_lamp = torch.hypot(x - rng.uniform(-1, 1), y - rng.uniform(-1, 1))
    lights = [
        x,
        y,
        0.7 * (x * math.cos(angle) + y * math.sin(angle)),
        2 * torch.exp(-rng.uniform(0.5, 3) * from_lamp**2) - 1,
        -(x**2 + y**2),
    ]
    light = 1 + rng.uniform(0.02, 0.35) * rng.choice(lights)
    pixels = rng.uniform(90, 245) * light
    return as_jpeg(pixels.expand(height, width), 3, rng)


def random_ink(rng: random.Random) -> Image.Image:
    """Any shapes, on a picture of any size."""
    width, height = (rng.randint(1, 10 ** rng.randint(1, 2)) for _ in "wh")
    picture = Image.effect_noise((width, height), rng.choice((0, 20, 99)))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.randint(0, 6)):
        points = [(rng.randint(-9, width + 9), rng.randint(-9, height + 9)) for _ in range(3)]
        draw.polygon(points, rng.choice((None, rng.randrange(256))), rng.randrange(256))
    return picture.convert(rng.choice(("1", "L", "RGB", "RGBA", "LA", "I;16", "F")))


def crashes(count: int) -> list[str]:
    """What to_mnist raises on `count` pictures of random ink, other than Failure."""
    rng, errors = random.Random(0), []
    for _ in range(count):
        picture = random_ink(rng)
        try:
            to_mnist(picture)
        except Failure:
            pass
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            errors.append(repr(error))
    return errors


class Group(NamedTuple):
    """Pictures that are measured together, and what is wanted of the answers."""

    name: str
    kinds: Sequence[str]  # of disturbances, in turn
    count: int
    least_right: float  # share
    most_surely_wrong: float  # share of all that may be wrong without being marked as unsure


ODD_KINDS = (*STRANGE_KINDS, *ODD_STROKES)
FLOORS = {
    "outlined": (0.86, 10 / 150),
}
# With room for a picture or two that another processor reads differently:
GROUPS = [
    Group("redrawn plainly", (), 1000, 0.988, 0.006),
    Group("redrawn and disturbed", KINDS, 1000, 0.972, 0.006),
    *(Group(kind, (kind,), 150, *FLOORS.get(kind, (0.9, 5 / 150))) for kind in ODD_KINDS),
]


def measure_group(group: Group, model: nn.Module, digits: Digits) -> bool:
    """Print the figures of a group; return whether they are as wanted."""
    is_sure, is_right = read(model, digits, group.count, group.kinds)
    right_share = is_right.float().mean().item()
    surely_wrong = int((is_sure & ~is_right).sum())
    good = right_share >= group.least_right
    good = good and surely_wrong <= group.most_surely_wrong * group.count
    print(
        f"{group.name}: {right_share:.1%} of {group.count} right; "
        f"of {int(is_sure.sum())} sure ones {surely_wrong} wrong{'' if good else ' MISSED'}",
        flush=True,
    )
    return good


def measure_files(model: nn.Module, digits: Digits) -> bool:
    """Print how well MNIST's images are read from PNG files; return whether that is as without."""
    answers, _ = predict(model, as_files(digits.images))
    expected, _ = predict(model, digits.images / 255)
    accuracy = (answers == digits.labels).float().mean()
    good = bool(accuracy >= (expected == digits.labels).float().mean() - 0.0005)
    print(f"28x28 PNG files: {accuracy:.2%} right{'' if good else ' MISSED'}")
    return good


MOST_SURELY_READ = 0.06  # of pieces of blank paper


def measure_blank_paper(model: nn.Module, count: int) -> bool:
    """Print in how many pieces of blank paper a digit is read; return whether they are few."""
    rng = random.Random(0)
    are_sure = []
    for _ in range(count):
        with contextlib.suppress(Failure):
            are_sure.append(read_digit(blank_paper(rng), model).sure)
    good = sum(are_sure) <= MOST_SURELY_READ * count
    print(
        f"blank paper in uneven light: in {len(are_sure)} of {count} a digit is read, "
        f"in {sum(are_sure)} surely{'' if good else ' MISSED'}",
        flush=True,
    )
    return good


def measure_crashes(count: int) -> bool:
    """Print what random ink raises, other than Failure; return whether that is nothing."""
    errors = crashes(count)
    print(f"pictures of random ink: {len(errors)} of {count} raise something", *errors[:3])
    return not errors


def measure(data_dir: str, weights_dir: str = ".") -> bool:
    """Print all figures, on the test set of MNIST; return whether they are as wanted."""
    torch.set_num_threads(1)
    model = load_model(weights_dir)
    digits = load_digits(data_dir, "t10k", torch.device("cpu"))
    results = [measure_group(group, model, digits) for group in GROUPS]
    results += [measure_blank_paper(model, 200), measure_files(model, digits)]
    results += [measure_crashes(500)]
    print("pages of numbers, of training digits:")
    return redraw_numbers.measure(data_dir, weights_dir) and all(results)


if __name__ == "__main__":
    sys.exit(not measure(*sys.argv[1:]))
