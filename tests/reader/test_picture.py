"""Files, pictures of Pillow's and arrays: what the reader takes, and how it refuses the rest."""

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from digit_reader import read_digit, to_mnist
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


def test_a_path_has_the_limits_and_formats_of_the_command_line(tmp_path):
    Image.new("1", (8_000, 5_001)).save(tmp_path / "huge.png")
    draw_seven("RGB").save(tmp_path / "seven.eps")
    with pytest.raises(Failure, match="more than 40,000,000 pixels"):
        read_digit(tmp_path / "huge.png", SegmentReader())
    with pytest.raises(Failure, match="cannot be read"):
        read_digit(tmp_path / "seven.eps", SegmentReader())
    with pytest.raises(Failure, match="no such file"):
        read_digit(tmp_path / "missing.png", SegmentReader())


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
