"""Step 1: a file is opened and loaded, or refused if it is broken or too large; so is an array."""

import io
import os
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from digit_reader.files import FIRST_BYTES, what_it_is
from mnist_classifier import Failure, one_line


class Array(Protocol):
    """An array of numpy's, known by its protocol, so that numpy itself need not be there."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


@runtime_checkable
class OpenFile(Protocol):
    """What is open for reading bytes, also if it is of a class of its own, as a temporary file."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, /) -> int: ...

    def seekable(self) -> bool: ...


File = str | os.PathLike[str] | OpenFile  # a path, or what is open
FILES = (str, os.PathLike, OpenFile)  # the same for isinstance
Source = File | Image.Image | Tensor | Array  # what may hold a picture
Content = TypeVar("Content")


class Blank(Failure):
    """There is nothing in a picture."""


def from_array(array: Tensor | Array) -> Image.Image:
    """Return the picture that is in `array`: grey values (H, W) or colours (H, W, 3), as uint8.

    Raises TypeError if it is another array, or none.
    """
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
            "a picture is a path, a file open for reading bytes, a picture of Pillow's, or an "
            f"array of uint8 with the shape (H, W) or (H, W, 3), not {found}"
        )
    return Image.fromarray(pixels)


GRID = 256  # the digit is looked for in about GRID x GRID pixels
# A large picture is shrunk to as many pixels as a square has whose side is one to two times this.
LOADED_SIZE = 3 * GRID // 2  # pixels

# What Pillow may read. Not EPS: reading it would execute a program.
FORMATS = ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"]
MAX_JPEG_PIXELS = 100_000_000  # a JPEG is decoded at part of its size
MAX_PIXELS = 40_000_000  # of all others
MAX_BYTES = 250_000_000  # of a file that comes through a pipe, and is kept in memory

NOT_PERMITTED = "cannot be opened: you have no permission to read it"


def open_picture(file: File, size: int = LOADED_SIZE) -> Image.Image:
    """Open the picture in a file; raise Failure if it is none, or too large for the memory.

    A large JPEG is loaded smaller, but with at least `size` pixels in height and width.
    """
    if isinstance(file, io.TextIOBase):
        raise TypeError("a picture's file has to be open for reading bytes, as with 'rb'")
    if isinstance(file, OpenFile):
        file = file if file.seekable() else read_pipe(file)
    elif not os.path.isfile(file):
        raise Failure(what_is_no_file(file))
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # an older Pillow has fewer
    try:
        picture = Image.open(file, formats=formats)  # type: ignore[arg-type]  # IO[bytes] is meant
    except UnidentifiedImageError as error:
        raise Failure(what_it_is(first_bytes(file))) from error
    except PermissionError as error:
        raise Failure(NOT_PERMITTED) from error
    except Image.DecompressionBombError as error:  # more than even a JPEG may have
        raise too_large() from error
    except Exception as error:  # each format has its own ways to be broken
        raise broken(error) from error
    check_size(picture)
    picture.draft("L", (size, size))  # loads a smaller version of a JPEG
    return picture


SUFFIXES = (".heic", ".heif", ".mpo")  # of pictures, besides those of FORMATS


def has_picture_name(path: str) -> bool:
    """Tell whether the name of a file ends like that of a picture."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix in SUFFIXES or Image.registered_extensions().get(suffix) in FORMATS


def what_is_no_file(path: str | os.PathLike[str]) -> str:
    """Return what is wrong with the `path` of no file."""
    try:
        os.listdir(path)
    except NotADirectoryError:
        return "not a file"
    except PermissionError:
        return NOT_PERMITTED
    except (OSError, ValueError):
        return "no such file"
    return "is a folder without a picture: name one, or a folder with pictures"


def read_pipe(pipe: OpenFile) -> io.BytesIO:
    """Return the rest of `pipe` as a file in memory; raise Failure if it is too long."""
    content = io.BytesIO()
    while chunk := pipe.read(MAX_BYTES + 1 - content.tell()):  # it may give a part at a time
        content.write(chunk)
        if content.tell() > MAX_BYTES:
            raise Failure(f"has more than {MAX_BYTES:,} bytes: save a smaller picture")
    content.seek(0)
    return content


def first_bytes(file: File) -> bytes:
    """Return the first bytes of `file`."""
    if isinstance(file, OpenFile):
        file.seek(0)
        return file.read(FIRST_BYTES)
    with open(file, "rb") as opened:
        return opened.read(FIRST_BYTES)


def check_size(picture: Image.Image) -> None:
    """Close `picture` and raise Failure if it is too large for the memory."""
    is_jpeg = picture.format in ("JPEG", "MPO")  # MPO: a phone's JPEG that has a second picture
    limit = MAX_JPEG_PIXELS if is_jpeg else MAX_PIXELS
    if picture.width * picture.height > limit:
        picture.close()
        raise too_large()


def load(picture: Image.Image) -> None:
    """Load the pixels of `picture`; raise Failure if it is broken, or has none."""
    try:
        picture.load()
    except Exception as error:  # each format has its own ways to be broken
        raise broken(error) from error
    if 0 in picture.size:
        raise Blank("blank: it has no pixels")


def broken(error: Exception) -> Failure:
    """Return the failure to read a picture because of `error`."""
    if isinstance(error, MemoryError):
        return Failure("needs more memory than there is: save a smaller picture")
    return Failure(f"cannot be read ({one_line(error)}); save it as JPEG or PNG")


def too_large() -> Failure:
    """Return the failure to read a picture that has too many pixels."""
    return Failure(
        f"has more than {MAX_PIXELS:,} pixels or, as a JPEG, {MAX_JPEG_PIXELS:,}: "
        "save a smaller picture"
    )


MOST_PAGES = 100  # are looked at, the first of a file, ...
MOST_PAGE_PIXELS = 200_000_000  # ... until they have more than this together


def find_on_pages(
    source: Source, find: Callable[[Image.Image], Content], size: int = LOADED_SIZE
) -> tuple[Content, str | None]:
    """Return what `find` finds on the first page of `source` that is not blank, and a note.

    The note says which page that is; it is None if there are no others. A page is blank if `find`
    raises Blank. Frames of an animation are pages. A picture of Pillow's is the page that it shows.
    Raises as `open_picture`, `from_array` and `find` do.
    """
    if not isinstance(source, FILES):
        picture = source if isinstance(source, Image.Image) else from_array(source)
        return find(picture), None
    with open_picture(source, size) as picture:
        count = count_pages(picture)
        number = 1
        pixels = 0
        while True:
            pixels += picture.width * picture.height
            try:
                return find(picture), note_on_page(picture, number, count)
            except Blank:
                number += 1
                if number > min(count, MOST_PAGES) or pixels > MOST_PAGE_PIXELS:
                    raise
            turn_to_page(picture, number)


def note_on_page(picture: Image.Image, number: int, count: int) -> str | None:
    """Return which page of how many `picture` shows, or None if it has no other."""
    kind = "page" if picture.format == "TIFF" else "frame"
    return f"{kind} {number} of {count} is read" if count > 1 else None


def count_pages(picture: Image.Image) -> int:
    """Return how many pages or frames the file of `picture` has, as far as it is whole."""
    if picture.format == "MPO":  # the other picture is not for looking at
        return 1
    try:
        return int(getattr(picture, "n_frames", 1))
    except Exception:  # noqa: BLE001 - a later page is broken, but the first may be whole
        turn_to_page(picture, 1)
        return 1


def turn_to_page(picture: Image.Image, number: int) -> None:
    """Make `picture` show the page with this `number`, from 1; raise Failure if it is broken."""
    try:
        picture.seek(number - 1)
    except Exception as error:  # each format has its own ways to be broken
        raise broken(error) from error
    check_size(picture)


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
