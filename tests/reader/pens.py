"""Pens, pages and cameras: what all of the drawn pictures of digits are made with."""

import io
import math
import random

import torch
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor


def draw_pen(strokes: Image.Image, blur: float, edge: float) -> Image.Image:
    """Strokes with a clear edge where the blurred ones pass `edge`, a grey: low is a thick pen."""
    blurred = strokes.filter(ImageFilter.GaussianBlur(blur))
    return blurred.point([max(0, min(255, round(4 * (v - edge) + 128))) for v in range(256)])


def as_jpeg(pixels: Tensor, noise: float, rng: random.Random) -> Image.Image:
    """Picture of `pixels` (H, W), 0 to 255, with noise of a standard deviation of up to `noise`."""
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    pixels = pixels + rng.uniform(0, noise) * torch.randn(pixels.shape, generator=generator)
    picture, file = Image.fromarray(pixels.clamp(0, 255).to(torch.uint8).numpy()), io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=rng.randint(50, 95))
    return Image.open(file)


def draw_strokes(digit: Tensor, rng: random.Random) -> Image.Image:
    """Ink of `digit` (28, 28) uint8, cut to its box of 60 to 200 pixels, in any pen."""
    size = rng.randint(60, 200)
    return draw_stroke(digit, size, rng.uniform(0.2, 0.7) * 255)


def draw_stroke(digit: Tensor, size: float, edge: float) -> Image.Image:
    """Ink of `digit` (28, 28) uint8, cut to its box, whose longer side is `size`, in pixels.

    The pen is the one of this `edge`: see draw_pen.
    """
    stroke = Image.fromarray(digit.numpy()).resize((280, 280), Image.Resampling.BICUBIC)
    stroke = draw_pen(stroke, 3.5, edge)
    return ImageOps.contain(stroke.crop(stroke.getbbox()), (round(size), round(size)))


def with_room(ink: Image.Image, width: int, height: int) -> Image.Image:
    """`ink` in the middle of a canvas."""
    canvas = Image.new("L", (width, height))
    canvas.paste(ink, ((width - ink.width) // 2, (height - ink.height) // 2))
    return canvas


def on_page(ink: Image.Image, rng: random.Random) -> Image.Image:
    """Dark `ink` on a light page, with up to 0.4 of its size around it."""
    border = rng.randint(3, 3 + round(0.4 * max(ink.size)))
    size = ink.width + 2 * border, ink.height + 2 * border
    page = Image.new("L", size, rng.randint(170, 250))
    page.paste(rng.randint(10, 80), (border, border), ink)
    return page


def draw_shadow(
    pixels: Tensor,
    size: tuple[int, int],
    box: tuple[int, int, int, int],
    rng: random.Random,
) -> Tensor:
    """Return what to multiply `pixels` (H, W) with: a shadow, soft or hard, through the digit."""
    left, top, right, bottom = box
    width, height = size
    y = torch.linspace(0, height, len(pixels)).unsqueeze(1) - rng.uniform(top, bottom)
    x = torch.linspace(0, width, len(pixels[0])) - rng.uniform(left, right)
    angle = rng.uniform(0, 2 * math.pi)
    soft = rng.uniform(0.1, 0.01 * max(size))
    shade = ((x * math.cos(angle) + y * math.sin(angle)) / soft).sigmoid()
    return 1 - rng.uniform(0.3, 0.65) * shade
