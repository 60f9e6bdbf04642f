"""Step 1: a file is opened and loaded, or refused if it is broken or too large; so is an array."""

import os
from typing import Any, Protocol

import torch
from PIL import ExifTags, Image
from torch import Tensor

from mnist_classifier import Failure, one_line


class Array(Protocol):
    """An array of numpy's, known by its protocol, so that numpy itself need not be there."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


Source = str | os.PathLike[str] | Image.Image | Tensor | Array  # what may hold a picture


def load_picture(source: Source) -> Image.Image:
    """Return the picture in `source`, loaded: a file, a picture of Pillow's, or an array.

    A file is named by its path. An array, of numpy or of torch, has grey values (H, W) or colours
    (H, W, 3) as uint8. Raises TypeError for anything else, and Failure if the picture is broken,
    has no pixels, or is too large for the memory.
    """
    if isinstance(source, str | os.PathLike):
        with open_picture(source) as picture:
            load(picture)
        return picture
    picture = source if isinstance(source, Image.Image) else from_array(source)
    load(picture)
    return picture


def from_array(array: Tensor | Array) -> Image.Image:
    """Return the picture that is in `array`; raise TypeError if it cannot be one."""
    found = type(array).__name__
    if hasattr(array, "dtype") and hasattr(array, "shape"):
        found += f" of {array.dtype} {tuple(array.shape)}"
    pixels: Any = array
    if isinstance(array, Tensor) and array.dtype == torch.uint8:
        pixels = array.numpy(force=True)  # from a GPU as well
    interface = getattr(pixels, "__array_interface__", {})
    shape = interface.get("shape", ())
    if interface.get("typestr") != "|u1" or not (len(shape) == 2 or shape[2:] == (3,)):
        raise TypeError(
            "a picture is a path, a picture of Pillow's, or an array of uint8 with the shape "
            f"(H, W) or (H, W, 3), not {found}"
        )
    return Image.fromarray(pixels)


GRID = 256  # the digit is looked for in about GRID x GRID pixels
LOADED_SIZE = 3 * GRID // 2  # a large picture is shrunk to one to two times this height and width

# What Pillow may read. Not EPS: reading it would execute a program.
FORMATS = ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"]
MAX_JPEG_PIXELS = 100_000_000  # a JPEG is decoded at part of its size
MAX_PIXELS = 40_000_000  # of all others


def open_picture(path: str | os.PathLike[str]) -> Image.Image:
    """Open the picture in a file; raise Failure if it is none, or too large for the memory."""
    if not os.path.isfile(path):
        raise Failure("not a file" if os.path.exists(path) else "no such file")
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # an older Pillow has fewer
    try:
        picture = Image.open(path, formats=formats)
    except Exception as error:  # each format has its own ways to be broken
        raise broken(error) from error
    is_jpeg = picture.format in ("JPEG", "MPO")  # MPO: a phone's JPEG that has a second picture
    limit = MAX_JPEG_PIXELS if is_jpeg else MAX_PIXELS
    if picture.width * picture.height > limit:
        picture.close()
        raise Failure(f"has more than {limit:,} pixels: save a smaller picture")
    picture.draft("L", (LOADED_SIZE, LOADED_SIZE))  # loads a smaller version of a JPEG
    return picture


def load(picture: Image.Image) -> None:
    """Load the pixels of `picture`; raise Failure if it is broken, or has none."""
    try:
        picture.load()
    except Exception as error:  # each format has its own ways to be broken
        raise broken(error) from error
    if 0 in picture.size:
        raise Failure("blank: it has no pixels")


def broken(error: Exception) -> Failure:
    """Return the failure to read a picture because of `error`."""
    return Failure(f"cannot be read ({one_line(error)}); save it as JPEG or PNG")


TURNS = {  # what the orientation in a camera's EXIF data asks for
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turn_of(picture: Image.Image) -> Image.Transpose | None:
    """Return what to do with `picture` so that it is upright, or None if that is nothing."""
    try:
        orientation = int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - there are many ways for it to be broken, and none matters
        return None
    return TURNS.get(orientation)
