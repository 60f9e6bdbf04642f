"""Step 2: a picture of any kind becomes grey values."""

import math
from collections.abc import Callable

import torch
from PIL import Image, ImageChops
from torch import Tensor

from digit_reader.picture import LOADED_SIZE, load, turn_of
from mnist_classifier import Failure

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")
NEARLY_WHITE = 250  # of 255: a picture without anything darker may have white ink


def to_gray(picture: Image.Image, size: int = LOADED_SIZE) -> Tensor:
    """Return grey values (H, W), 0 to 255, of `picture`: upright, on white, not much too large.

    A large picture is shrunk to as many pixels as a square has whose side is one to two times
    `size`.
    Raises Failure if it is broken, or has no pixels, or values that are no colours.
    """
    load(picture)
    if picture.mode not in MODES and not is_deep(picture):
        raise Failure(f"pictures of the mode {picture.mode} are not read: save it as RGB")
    gray = downscale(picture, size, on_white)
    if has_transparency(picture) and as_tensor(gray).min() >= NEARLY_WHITE:
        gray = downscale(picture, size, alpha_as_ink)
    pixels = as_tensor(upright(gray, picture))
    return stretch_contrast(pixels) if is_deep(picture) else pixels


def to_colour_axis(picture: Image.Image) -> Tensor | None:
    """Return how far along a line each colour of `picture` is, (H, W), or None if it has none.

    The line is the one along which the colours differ the most, as from red to green. On that from
    black to white, the values would be 0 to 255. `picture` is one that `to_gray` has taken.
    """
    if picture.mode in ("1", "L", "LA") or is_deep(picture):
        return None

    def channel(name: str) -> Tensor:
        one = downscale(
            picture, LOADED_SIZE, lambda strip: on_white(strip).convert("RGB").getchannel(name)
        )
        return as_tensor(upright(one, picture))

    colours = torch.stack([channel(name) for name in "RGB"])  # (3, H, W)
    differences = colours.flatten(1) - colours.flatten(1).mean(dim=1, keepdim=True)
    directions, _, _ = torch.linalg.svd(differences @ differences.T)
    places: Tensor = directions[:, 0] @ differences / math.sqrt(3)
    return (places - places.min()).view_as(colours[0])


def upright(gray: Image.Image, picture: Image.Image) -> Image.Image:
    """Return `gray`, which was made of `picture`, turned as the camera asks for."""
    turn = turn_of(picture)
    return gray if turn is None else gray.transpose(turn)


STRIP_SIZE = 250_000  # pixels: as many are converted at a time, so that copies are small


def downscale(
    picture: Image.Image, size: int, flatten: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """Return `picture`, made opaque by `flatten`, in floats, shrunk to about `size`."""
    width, height = picture.size
    factor = max(1, math.isqrt(width * height) // size)
    gray = Image.new("F", (math.ceil(width / factor), math.ceil(height / factor)))
    strip_height = factor * max(1, STRIP_SIZE // (width * factor))
    for top in range(0, height, strip_height):
        strip = picture.crop((0, top, width, min(top + strip_height, height)))
        gray.paste(flatten(strip).convert("F").reduce(factor), (0, top // factor))
    return gray


def as_tensor(gray: Image.Image) -> Tensor:
    """Return the values (H, W) of a picture of floats."""
    values = torch.frombuffer(bytearray(gray.tobytes()), dtype=torch.float)
    return values.view(gray.height, gray.width)


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


def is_deep(picture: Image.Image) -> bool:
    """Tell whether `picture` has more than 8 bits for each grey value."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def stretch_contrast(pixels: Tensor) -> Tensor:
    """Return `pixels` (H, W) of any range from 0, the darkest, to 255; NaN, infinity are paper."""
    pixels = pixels.double()
    is_number = pixels.isfinite()
    if not is_number.any():
        return torch.zeros_like(pixels).float()
    pixels = torch.where(is_number, pixels, pixels[is_number].median())
    darkest, lightest = pixels.aminmax()
    return ((pixels - darkest) / (lightest - darkest).clamp(min=1e-9) * 255).float()
