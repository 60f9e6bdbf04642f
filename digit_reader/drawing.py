"""A picture with a box around each of its digits, and the answer beside it."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from digit_reader.page import Digit
from mnist_classifier import Failure, write_files

SUFFIX = ".digits.png"  # comes after the name of the picture
SOFTWARE = "digit_reader"  # what such a file says that it was written by
FONT_SIZE = 0.4  # of a digit's height
SURE_COLOUR = (0, 130, 0)
UNSURE_COLOUR = (220, 0, 0)


def draw_boxes(pixels: Tensor, digits: Sequence[Digit]) -> Image.Image:
    """Return grey `pixels` (H, W), 0 to 255, with `digits`, green where they are sure, else red."""
    gray = Image.fromarray(pixels.clamp(0, 255).to(torch.uint8).numpy())
    drawn = gray.convert("RGB")
    draw = ImageDraw.Draw(drawn)
    for digit in digits:
        left, right = (round(share * (drawn.width - 1)) for share in digit.box[::2])
        top, bottom = (round(share * (drawn.height - 1)) for share in digit.box[1::2])
        colour = SURE_COLOUR if digit.sure else UNSURE_COLOUR
        draw.rectangle((left, top, right, bottom), outline=colour)
        font = ImageFont.load_default(max(10, FONT_SIZE * (bottom - top)))
        answer = str(digit.digit)
        rightmost = drawn.width - font.getlength(answer)  # so that it does not leave the picture
        draw.text((min(right, rightmost), bottom), answer, colour, font, anchor="ld")
    return drawn


def write_drawing(drawn: Image.Image, path: Path) -> None:
    """Write a drawing as a PNG file; raise Failure if there is a file that is no drawing."""
    if os.path.lexists(path) and not is_drawing(path):
        raise Failure(f"{path} is no drawing of this program: move it, so that one can be written")
    mark = PngInfo()
    mark.add_text("Software", SOFTWARE)
    file = io.BytesIO()
    drawn.save(file, "PNG", pnginfo=mark)
    write_files(path.parent, {path.name: file.getvalue()})


def is_drawing(path: Path) -> bool:
    """Tell whether a file is a drawing that this program wrote."""
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return picture.info.get("Software") == SOFTWARE
    except Exception:  # noqa: BLE001 - of another format, no file, huge, or broken in some way
        return False
