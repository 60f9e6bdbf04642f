"""Files, pictures of Pillow's and arrays: what the reader takes, and how it refuses the rest."""

import gc
import io
import tempfile
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image, ImageOps

from digit_reader import read_digit, to_mnist
from digit_reader.gray import to_gray
from digit_reader.picture import open_picture
from mnist_classifier import Failure
from tests.drawn_digits import SegmentReader
from tests.reader.sevens import draw_seven

GREY = numpy.asarray(draw_seven())
COLOURS = numpy.asarray(draw_seven("RGB", (240, 230, 220), (20, 30, 90)))
UPSIDE_DOWN = GREY[::-1].copy()
ARRAYS = {
    "numpy, grey": GREY,
    "numpy, colours": COLOURS,
    "numpy, a view with negative strides": UPSIDE_DOWN[::-1],
    "torch, grey": torch.tensor(GREY),
    "torch, colours": torch.tensor(COLOURS),
    "torch, a transposed view": torch.tensor(GREY.T.copy()).T,
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_is_read_like_the_picture_that_it_holds(kind):
    picture = draw_seven() if ARRAYS[kind].ndim == 2 else Image.fromarray(COLOURS)
    assert read_digit(ARRAYS[kind], SegmentReader()).digit == 7
    assert torch.equal(to_mnist(ARRAYS[kind]), to_mnist(picture))


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read_like_the_picture_in_the_file(kind, tmp_path):
    draw_seven().save(tmp_path / "seven.png")
    source = kind(tmp_path / "seven.png")
    assert read_digit(source, SegmentReader()).digit == 7
    assert torch.equal(to_mnist(source), to_mnist(draw_seven()))


class Pipe(io.BytesIO):
    """What can be read only once, from its beginning to its end."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_what_is_open_for_reading_bytes_is_read_like_a_file(kind):
    draw_seven().save(file := io.BytesIO(), "PNG")
    assert torch.equal(to_mnist(kind(file.getvalue())), to_mnist(draw_seven()))
    with pytest.raises(Failure, match="is empty"):
        to_mnist(kind(b""))


def test_temporary_and_unbuffered_files_are_read_as_well(tmp_path):
    draw_seven().save(tmp_path / "seven.png")
    content = (tmp_path / "seven.png").read_bytes()
    expected = to_mnist(draw_seven())
    for open_temporary in (tempfile.NamedTemporaryFile, tempfile.SpooledTemporaryFile):
        with open_temporary() as file:
            file.write(content)
            file.seek(0)
            assert torch.equal(to_mnist(file), expected)
    with open(tmp_path / "seven.png", "rb", buffering=0) as file:
        assert torch.equal(to_mnist(file), expected)


def test_an_unbuffered_pipe_is_read_to_its_end():
    draw_seven().save(file := io.BytesIO(), "PNG")

    class Unbuffered(Pipe):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(100, size))  # only what is there, not all that is wanted

    assert torch.equal(to_mnist(Unbuffered(file.getvalue())), to_mnist(draw_seven()))


def test_a_file_that_is_open_for_reading_text_is_refused(tmp_path):
    draw_seven().save(tmp_path / "seven.png")
    with open(tmp_path / "seven.png") as file, pytest.raises(TypeError, match="'rb'"):
        to_mnist(file)


def test_a_pipe_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("digit_reader.picture.MAX_BYTES", 1000)
    with pytest.raises(Failure, match="has only zeros"):
        to_mnist(Pipe(bytes(1000)))
    pipe = Pipe(bytes(5000))
    with pytest.raises(Failure, match="more than 1,000 bytes"):
        to_mnist(pipe)
    assert pipe.tell() == 1001  # no more is kept in memory


def test_a_path_has_the_limits_and_formats_of_the_command_line(tmp_path):
    Image.new("1", (8_000, 5_001)).save(tmp_path / "huge.png")
    draw_seven("RGB").save(tmp_path / "seven.eps")
    with pytest.raises(Failure, match="more than 40,000,000 pixels"):
        read_digit(tmp_path / "huge.png", SegmentReader())
    with pytest.raises(Failure, match="is a PostScript file"):
        read_digit(tmp_path / "seven.eps", SegmentReader())
    with pytest.raises(Failure, match="no such file"):
        read_digit(tmp_path / "missing.png", SegmentReader())


def test_a_size_that_pillow_itself_refuses_is_too_large():
    limits = "has more than 40,000,000 pixels or, as a JPEG, 100,000,000"
    with pytest.raises(Failure, match=f"{limits}: save a smaller picture"):
        to_mnist(io.BytesIO(b"P6 50000 50000 255\n"))


def test_a_large_jpeg_is_loaded_smaller_but_not_too_small():
    draw_seven(size=(2000, 1600)).save(file := io.BytesIO(), "JPEG")
    with open_picture(file, 384) as picture:
        assert picture.size == (500, 400)


def test_a_phones_jpeg_may_be_as_large_as_any_jpeg(monkeypatch):
    file = save_pages("MPO", SEVEN, WHITE)
    monkeypatch.setattr("digit_reader.picture.MAX_PIXELS", 1)
    assert read_digit(file, SegmentReader()).digit == 7


def test_a_file_that_is_too_large_is_closed(tmp_path, monkeypatch, recwarn):
    SEVEN.save(tmp_path / "seven.png")
    monkeypatch.setattr("digit_reader.picture.MAX_PIXELS", 1)
    with pytest.raises(Failure, match="more than 1 pixels"):
        to_mnist(tmp_path / "seven.png")
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (5, 0, 3)])
def test_an_array_without_pixels_is_blank(shape):
    with pytest.raises(Failure, match="blank"):
        read_digit(numpy.zeros(shape, numpy.uint8), SegmentReader())


NO_PICTURES = {  # and what the message calls them
    "NoneType": None,
    "int": 5,
    "bytes": b"\x89PNG",
    "list": GREY.tolist(),
    "ndarray of float64 (160, 200)": GREY / 255,
    "ndarray of bool (160, 200)": GREY > 0,
    "ndarray of uint8 (3, 160, 200)": COLOURS.transpose(2, 0, 1),
    "ndarray of uint8 (160, 200, 4)": numpy.dstack([COLOURS, GREY]),
    "ndarray of uint8 (784,)": GREY.flatten()[:784],
    "ndarray of uint8 (2, 160, 200, 3)": numpy.stack([COLOURS, COLOURS]),
    "Tensor of torch.float32 (160, 200)": torch.tensor(GREY) / 255,
    "Tensor of torch.uint8 (1, 160, 200)": torch.tensor(GREY)[None],
    "Tensor of torch.bfloat16 (28, 28)": torch.zeros(28, 28, dtype=torch.bfloat16),
}


@pytest.mark.parametrize("found", NO_PICTURES)
def test_anything_else_is_a_type_error_that_says_what_is_wanted_and_what_came(found):
    for function in (to_mnist, lambda source: read_digit(source, SegmentReader())):
        with pytest.raises(
            TypeError, match=r"uint8 with the shape \(H, W\) or \(H, W, 3\)"
        ) as error:
            function(NO_PICTURES[found])
        assert str(error.value).endswith(f", not {found}")


def box(brand: bytes, *others: bytes) -> bytes:
    """The beginning of a file of boxes: the first has this brand, and those that it is like."""
    brands = brand + bytes(4) + b"".join(others)
    return (8 + len(brands)).to_bytes(4) + b"ftyp" + brands


WHAT_FILES_ARE = {
    b"": "is empty: copy or download it again",
    bytes(500): "has only zeros: copy or download it again",
    box(b"more", b"most", b"heic") + bytes(500): "is a HEIC photo: save it as JPEG or PNG",
    box(b"more", b"most") + b"heic": (
        "cannot be read: it is damaged or of another kind; save it as JPEG or PNG"
    ),
    box(b"avif"): "is an AVIF picture that cannot be read here: save it as JPEG or PNG",
    b"\n <!DOCTYPE HTML>\n<svg></svg>": "is a web page: download the picture itself",
    b"\xef\xbb\xbf<html lang='en'>": "is a web page: download the picture itself",
    b"<?xml version='1.0'?>\n<svg xmlns='x'/>": "is an SVG drawing: save it as PNG",
    b"%PDF-1.7\n": "is a PDF: save its page as PNG",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n": (
        "is a pointer of Git LFS: get the picture with git lfs pull"
    ),
    b"five <html %PDF": "cannot be read: it is damaged or of another kind; save it as JPEG or PNG",
    b"\x89PNG\r\n": "cannot be read: it is damaged or of another kind; save it as JPEG or PNG",
}


@pytest.mark.parametrize("content", WHAT_FILES_ARE, ids=range(len(WHAT_FILES_ARE)))
def test_what_a_file_is_instead_of_a_picture_is_told_from_its_first_bytes(content, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(Failure) as failure:
        to_mnist(tmp_path / "photo.jpg")
    assert str(failure.value) == WHAT_FILES_ARE[content]


KINDS = {  # beginnings of files, and what kind they are called
    b"%PDF-1.7": "PDF",
    b"%!PS-Adobe-3.0": "PostScript",
    b"8BPS": "Photoshop",
    b"PK\x03\x04": "ZIP",
    b"\x00\x05\x16\x07": "a Mac's note",
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL \r\n": "JPEG XL",
    b"version https://git-lfs": "Git LFS",
    box(b"avif"): "AVIF",
    box(b"heic"): "HEIC",
    box(b"heix"): "HEIC",
    box(b"mif1"): "HEIF",
    box(b"isom"): "video",
    box(b"mp42"): "video",
    box(b"qt  "): "video",
    b"<html>": "web page",
    b"<!doctype html>": "web page",
    b"<svg>": "SVG",
}


def test_every_kind_of_file_is_called_by_its_name():
    for content, kind in KINDS.items():
        with pytest.raises(Failure, match=f"^is .*{kind}.*: "):
            to_mnist(io.BytesIO(content + bytes(500)))


def test_a_file_that_must_not_be_read_is_called_so(tmp_path, monkeypatch):
    draw_seven().save(tmp_path / "secret.png")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("PIL.Image.open", refuse)  # the root user may read everything
    with pytest.raises(Failure, match="no permission to read it"):
        to_mnist(tmp_path / "secret.png")


def save_pages(kind: str, *pages: Image.Image) -> io.BytesIO:
    first, *others = (page.copy() for page in pages)
    first.save(file := io.BytesIO(), kind, save_all=True, append_images=others)
    return file


WHITE = Image.new("L", (200, 160), 255)
SEVEN = draw_seven()
PAGES = {  # the file, and the note
    "a scan of two pages": (save_pages("TIFF", SEVEN, WHITE), "page 1 of 2 is read"),
    "behind a blank page": (save_pages("TIFF", WHITE, SEVEN, WHITE), "page 2 of 3 is read"),
    "a drawing that begins empty": (save_pages("GIF", WHITE, SEVEN), "frame 2 of 2 is read"),
    "an animated PNG": (save_pages("PNG", WHITE, SEVEN), "frame 2 of 2 is read"),
    "a single page": (save_pages("TIFF", SEVEN), None),
    "a phone's JPEG with a second picture": (save_pages("MPO", SEVEN, WHITE), None),
}


@pytest.mark.parametrize("kind", PAGES)
def test_the_first_page_that_is_not_blank_is_read_and_a_note_says_which(kind):
    file, note = PAGES[kind]
    reading = read_digit(file, SegmentReader())
    assert (reading.digit, reading.note) == (7, note)
    assert reading.sure == (note is None)


def test_pages_that_are_all_blank_are_blank_and_not_too_many_are_looked_at(monkeypatch):
    with pytest.raises(Failure, match="blank"):
        to_mnist(save_pages("TIFF", WHITE, WHITE))
    file = save_pages("TIFF", WHITE, WHITE, SEVEN)
    for limit, most in (("MOST_PAGES", 3), ("MOST_PAGE_PIXELS", 2 * 200 * 160)):
        with monkeypatch.context() as patch:
            patch.setattr(f"digit_reader.picture.{limit}", most)
            to_mnist(file)
            patch.setattr(f"digit_reader.picture.{limit}", most - 1)
            with pytest.raises(Failure, match="blank"):
                to_mnist(file)


def test_a_later_page_has_the_same_limit_of_pixels(monkeypatch):
    file = save_pages("TIFF", WHITE, SEVEN.resize((400, 320)))
    monkeypatch.setattr("digit_reader.picture.MAX_PIXELS", 200 * 160)
    with pytest.raises(Failure, match="more than 32,000 pixels"):
        to_mnist(file)


def test_the_page_before_one_that_is_cut_off_is_read():
    content = save_pages("GIF", SEVEN, Image.effect_noise((200, 160), 90)).getvalue()
    beginning = content.index(b"\x2c", content.index(b"\x2c") + 1)  # of the second frame
    assert read_digit(io.BytesIO(content[: beginning + 5]), SegmentReader()).digit == 7


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_the_first_page_of_a_scan_that_is_cut_off_is_read():
    content = save_pages("TIFF", SEVEN, SEVEN.resize((300, 240)), WHITE).getvalue()
    for share in (0.3, 0.5, 0.7, 0.9):
        cut = io.BytesIO(content[: round(share * len(content))])
        assert read_digit(cut, SegmentReader()).digit == 7


def test_a_page_that_cannot_be_turned_to_is_one_line(monkeypatch):
    def refuse(*_: object) -> None:
        raise SyntaxError("not a TIFF file")  # Pillow's for a broken page

    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.seek", refuse)
    with pytest.raises(Failure, match=r"cannot be read \(not a TIFF file\)"):
        to_mnist(save_pages("TIFF", WHITE, SEVEN))


def test_a_page_that_a_program_chose_itself_is_read():
    picture = Image.open(save_pages("TIFF", WHITE, SEVEN))
    picture.seek(1)
    reading = read_digit(picture, SegmentReader())
    assert (reading.digit, reading.note, picture.tell()) == (7, None, 1)


# --- grey values ---
@pytest.mark.parametrize("orientation", range(1, 10))
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_is_turned_and_mirrored_as_the_camera_asks_for(orientation, mode):
    picture = draw_seven(mode)
    picture.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(picture)
    assert torch.equal(to_gray(picture), to_gray(upright))
    assert to_gray(picture).shape == ((200, 160) if 5 <= orientation <= 8 else (160, 200))


def test_a_large_picture_keeps_its_last_rows_and_columns():
    gray = to_gray(Image.new("L", (803, 905)), size=100)  # an eighth
    assert gray.shape == (114, 101)


def test_where_there_is_ink_transparency_is_none():
    card = Image.new("RGBA", (300, 300), (255, 255, 255, 0))
    card.paste(draw_seven("RGBA", (255, 255, 255, 255), (0, 0, 0, 255)), (50, 70))
    on_white = Image.new("L", card.size, 255)
    on_white.paste(draw_seven("L"), (50, 70))
    assert torch.equal(to_gray(card), to_gray(on_white))
