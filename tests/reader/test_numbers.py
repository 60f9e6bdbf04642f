"""Pictures of several digits: what is found, and in what order it is read."""

import io
import itertools
import json
import math
import random
import re
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy
import pytest
import torch
from PIL import Image, ImageChops, ImageOps

from digit_reader import read_digit, read_digits
from digit_reader.__main__ import all_as_json, all_as_row, main, text_of
from digit_reader.drawing import SURE_COLOUR, draw_boxes, is_drawing
from digit_reader.geometry import Box
from digit_reader.gray import to_gray
from digit_reader.lines import in_lines
from digit_reader.page import FINE, PAGE_SIZE, Answer, Digit, draw_digit, find_page, one_or_two
from digit_reader.pieces import as_piece
from digit_reader.reader import is_sure
from mnist_classifier import Failure, predict
from tests.drawn_digits import SegmentReader, draw_digits
from tests.reader.redraw import KINDS, STRANGE_KINDS, disturb, strange
from tests.reader.redraw_numbers import NUMBER_KINDS, distance, draw_page
from tests.reader.sevens import draw, draw_seven, outline

MODEL = SegmentReader()
DIGITS = draw_digits(60, seed=3)


def sevens(*places: tuple[int, int], size: tuple[int, int] = (420, 330)) -> Image.Image:
    """Sevens of 60x80 pixels, so far right and down."""
    picture = Image.new("L", size, 255)
    for right, down in places:
        one = ImageChops.offset(draw_seven(size=size), right - 30, down - 50)
        picture = ImageChops.darker(picture, one)
    return picture


TWO_LINES = sevens((30, 30), (130, 30), (230, 30), (30, 180), (130, 180))


def test_a_page_is_read_line_by_line():
    digits = read_digits(TWO_LINES, MODEL)
    assert text_of(digits) == "777 77"
    assert [digit.line for digit in digits] == [0, 0, 0, 1, 1]
    for digit, (left, top) in zip(digits, ((30, 30), (130, 30), (230, 30)), strict=False):
        expected = (left / 420, top / 330, (left + 60) / 420, (top + 80) / 330)
        assert digit.box == pytest.approx(expected, abs=0.02)
        assert digit.image.shape == (1, 28, 28)
        assert digit.sure


@pytest.mark.parametrize("kind", sorted(set(NUMBER_KINDS) - {"slanted"}))
def test_drawn_numbers_are_read(kind):
    rng = random.Random(1)
    page = draw_page(DIGITS, kind, rng)
    assert distance(text_of(read_digits(page.picture, MODEL)), page.text) <= 1


@pytest.mark.parametrize("degrees", [-10, 0, 10])
def test_lines_may_go_up_or_down(degrees):
    slope = math.tan(math.radians(degrees))
    places = [(row, column) for row in range(3) for column in range(8)]
    boxes = []
    for row, column in places:
        top = round(500 + 60 * row + 50 * column * slope)
        boxes.append(Box(top, 50 * column, top + 40, 50 * column + 30))
    order = random.Random(0).sample(range(24), 24)
    lines = in_lines([boxes[place] for place in order])
    assert [[order[place] for place in line] for line in lines] == [
        list(range(8)),
        list(range(8, 16)),
        list(range(16, 24)),
    ]


SAME_NUMBERS = {
    "specks": draw(TWO_LINES.copy(), "ellipse", (350, 60, 362, 72), 0),
    "a line below": draw(TWO_LINES.copy(), "line", (20, 300, 330, 304), 0, 4),
    "a line across the page": draw(TWO_LINES.copy(), "line", (0, 145, 420, 145), 0, 3),
    "a frame round all": draw(TWO_LINES.copy(), "rectangle", (8, 8, 405, 320), None, 0, 5),
    "a frame round each line": draw(
        draw(TWO_LINES.copy(), "rectangle", (8, 8, 405, 135), None, 0, 5),
        "rectangle",
        (8, 155, 405, 320),
        None,
        0,
        5,
    ),
    "larger": TWO_LINES.resize((1680, 1320)),
}


@pytest.mark.parametrize("kind", SAME_NUMBERS)
def test_what_is_no_digit_is_left_out(kind):
    assert text_of(read_digits(SAME_NUMBERS[kind], MODEL)) == "777 77"


def test_digits_in_outline_are_filled_in():
    solid = read_digits(TWO_LINES, MODEL)
    hollow = read_digits(outline(TWO_LINES, 2), MODEL)
    assert text_of(hollow) == "777 77"
    for one, other in zip(solid, hollow, strict=True):
        assert (one.image - other.image).abs().mean() < 0.08


def test_where_light_and_dark_ink_may_be_confused_no_digit_is_sure(monkeypatch):
    monkeypatch.setattr("digit_reader.ink.polarity_of", lambda pixels: 0.2)
    digits = read_digits(TWO_LINES, MODEL)
    assert text_of(digits) == "777 77"
    assert not any(digit.sure for digit in digits)


def test_if_one_of_several_pages_is_read_each_digit_says_so():
    file = io.BytesIO()
    TWO_LINES.save(file, "TIFF", save_all=True, append_images=[TWO_LINES])
    digits = read_digits(file, MODEL)
    assert text_of(digits) == "777 77"
    assert {digit.note for digit in digits} == {"page 1 of 2 is read"}


def test_more_than_twenty_digits_are_read():
    places = list(itertools.product(range(20, 1000, 100), (20, 140, 260)))
    digits = read_digits(sevens(*places, size=(1020, 380)), MODEL)
    assert text_of(digits) == "7777777777 7777777777 7777777777"


def test_all_digits_are_read_at_once(monkeypatch):
    batches = []

    def watched(model, images):
        batches.append(len(images))
        return predict(model, images)

    monkeypatch.setattr("digit_reader.page.predict", watched)
    read_digits(TWO_LINES, MODEL)
    assert len(batches) == 1


class OneOrTwo(torch.nn.Module):
    """Reads a 1 in what is narrow, and is so sure of an 8 in what is wide."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.odds = 9 * probability / (1 - probability)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        is_wide = (images > 0.4).any(dim=2).sum(dim=(1, 2)) > 10
        logits = torch.zeros(len(images), 10)
        logits[~is_wide, 1] = 20.0
        logits[is_wide, 8] = math.log(self.odds)
        return logits


def touching() -> Image.Image:
    """Two upright strokes, 76 pixels apart and 100 high, with a line from one to the other."""
    picture = draw(Image.new("L", (200, 160), 255), "rectangle", (50, 30, 64, 130), 0)
    picture = draw(picture, "rectangle", (126, 30, 140, 130), 0)
    picture = draw(picture, "rectangle", (64, 76, 126, 83), 0)
    return draw(picture, "rectangle", (92, 70, 98, 78), 255)  # thinnest in the middle


def test_two_digits_that_touch_are_split_if_both_halves_are_sure():
    digits = read_digits(touching(), OneOrTwo(0.6))
    assert text_of(digits) == "11"
    assert all(digit.sure for digit in digits)


def test_if_one_digit_is_as_sure_the_halves_are_not():
    digits = read_digits(touching(), OneOrTwo(0.995))
    assert not all(digit.sure for digit in digits)


def test_small_digits_are_looked_at_on_a_finer_grid():
    picture = ImageOps.expand(TWO_LINES, 600, 255)
    page = find_page(to_gray(picture, PAGE_SIZE))
    assert len(page.digits) == 5
    assert page.height >= 0.8 * FINE


def test_a_digit_is_drawn_without_its_neighbours():
    ink = torch.zeros(60, 60)
    ink[10:50, 10:18] = ink[42:50, 10:40] = 1
    alone = as_piece(ink > 0, ink)
    ink[36:40, 24:40] = 1  # 2 pixels above the foot of the L
    strokes = ink > 0
    assert torch.equal(
        draw_digit(ink, strokes, [alone]), draw_digit(ink * alone.mask, strokes, [alone])
    )


def an_answer(probability: float, width: int, height: int = 100) -> Answer:
    """A digit of this size, read with this probability, where digits are 100 pixels high."""
    return Answer(1, probability, torch.zeros(1, 28, 28), Box(0, 0, height, width))


WHOLE = an_answer(0.995, 100)
HALF = an_answer(0.999, 50)
NO_HALVES = {
    "none": [],
    "one is low": [HALF, an_answer(0.999, 50, height=70)],
    "one is less sure than the whole": [HALF, an_answer(0.991, 50)],
}


@pytest.mark.parametrize("kind", NO_HALVES)
def test_a_thing_stays_whole_if_its_halves_are_no_better(kind):
    assert one_or_two(WHOLE, NO_HALVES[kind], 100) == [WHOLE]


def test_a_thing_becomes_two_if_both_halves_are_sure_and_more_so():
    unsure = an_answer(0.9, 100)
    assert one_or_two(unsure, [HALF, HALF], 100) == [HALF, HALF]
    assert one_or_two(unsure, [HALF, an_answer(0.95, 50)], 100) == [unsure]
    assert not any(
        is_sure(half.probability, half.note) for half in one_or_two(WHOLE, [HALF] * 2, 100)
    )


def test_a_thing_that_is_wider_than_high_has_a_note():
    assert one_or_two(an_answer(0.99, 109), [], 100)[0].note is None
    assert "two digits" in one_or_two(an_answer(0.99, 111), [], 100)[0].note


def test_something_too_wide_is_never_surely_one_digit():
    wide = draw(sevens((30, 30), (130, 30)), "rectangle", (50, 103, 150, 109), 0)
    digits = read_digits(wide, MODEL)
    assert not all(digit.sure for digit in digits)


def test_where_there_is_one_digit_it_is_read_as_without_all():
    rng = random.Random(5)
    pictures = [disturb(DIGITS.images[n].squeeze(), kind, rng) for n, kind in enumerate(KINDS)]
    pictures += [
        strange(DIGITS.images[n].squeeze(), int(DIGITS.labels[n]), kind, rng)
        for n, kind in enumerate(STRANGE_KINDS)
        if kind not in ("in a cell", "over cells", "beside a label")  # which may be read as digits
    ]
    for picture in pictures:
        (digit,) = read_digits(picture, MODEL)
        reading = read_digit(picture, MODEL)
        assert (digit.digit, digit.probability) == (reading.digit, reading.probability)


def test_a_page_without_digits_is_blank():
    with pytest.raises(Failure, match="blank"):
        read_digits(Image.new("L", (300, 200), 255), MODEL)


@pytest.mark.parametrize("is_noise", [False, True])
def test_a_crowded_page_is_not_called_blank(is_noise):
    places = itertools.product(range(20, 2000, 100), range(20, 1850, 120))  # 20 x 16
    digits = sevens(*places, size=(2020, 1960))
    with pytest.raises(Failure, match="shows 300 things or more"):
        read_digits(Image.effect_noise((300, 300), 20) if is_noise else digits, MODEL)


@pytest.fixture
def page(tmp_path, monkeypatch) -> Path:
    """A picture of two lines in the current folder, and a reader that needs no training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("digit_reader.__main__.load_model", lambda path: MODEL)
    TWO_LINES.save("page.png")
    return tmp_path / "page.png"


def test_all_digits_are_a_line_of_the_table(page, capsys):
    assert main(["--all", "page.png"]) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"page\.png\t777 77\t[01]\.\d{4}\t\n", out)
    assert err == ""


def test_a_line_tells_the_least_probability_and_whether_all_are_sure():
    nothing = torch.zeros(1, 28, 28)
    seven = Digit(7, 0.9999, 0, (0, 0, 1, 1), nothing, None)
    one = seven._replace(digit=1, probability=0.8, line=1)
    assert all_as_row("a\tb.png", [seven, one]) == "a?b.png\t7 1\t0.8000\tunsure"
    assert all_as_row("a.png", [seven]) == "a.png\t7\t0.9999\t"
    answer = json.loads(all_as_json("a.png", [seven, one]))
    assert (answer["probability"], answer["sure"]) == (0.8, False)
    assert [digit["sure"] for digit in answer["digits"]] == [True, False]


def test_the_preview_of_standard_input_has_a_name_of_its_own(page, monkeypatch):
    with page.open("rb") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert main(["--all", "--preview", "-"]) == 0
    assert is_drawing(Path("standard input.digits.png"))


def test_all_digits_are_an_object_of_json_with_their_boxes(page, capsys):
    assert main(["--all", "--json", "page.png", "missing.png"]) == 1
    answer, failure = map(json.loads, capsys.readouterr().out.splitlines())
    assert (answer["file"], answer["text"], answer["sure"]) == ("page.png", "777 77", True)
    assert [digit["line"] for digit in answer["digits"]] == [0, 0, 0, 1, 1]
    assert answer["digits"][0]["box"] == pytest.approx(
        [30 / 420, 30 / 330, 90 / 420, 110 / 330], abs=0.02
    )
    assert answer["note"] is None
    assert failure.keys() == answer.keys()
    assert (failure["text"], failure["digits"]) == (None, [])
    assert failure["note"] == "no such file"


def test_the_notes_on_digits_are_those_of_their_picture(page, capsys):
    Image.new("L", (420, 330), 255).save(
        "two.tif", save_all=True, append_images=[Image.open("page.png")]
    )
    assert main(["--all", "--json", "two.tif"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["note"] == "page 2 of 2 is read"
    assert {digit["note"] for digit in answer["digits"]} == {"page 2 of 2 is read"}


def test_the_preview_of_all_digits_is_a_picture_beside_theirs(page, capsys):
    for _ in range(2):  # its own drawing is written over
        assert main(["--all", "--preview", "page.png"]) == 0
    with Image.open("page.png.digits.png") as drawn:
        assert drawn.size == TWO_LINES.size
        green = [pixel for _, pixel in drawn.getcolors(10_000) if pixel[1] > pixel[0] + 50]
    assert green
    capsys.readouterr()
    assert main(["--all", str(page.parent)]) == 0  # which does not read the drawing
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_preview_shows_the_page_that_is_read(page):
    Image.new("L", (500, 100), 255).save(
        "two.tif", save_all=True, append_images=[Image.open("page.png")]
    )
    assert main(["--all", "--preview", "two.tif"]) == 0
    with Image.open("two.tif.digits.png") as drawn:
        assert drawn.size == TWO_LINES.size


def test_the_answer_beside_a_digit_at_the_border_is_drawn_inside():
    pixels = torch.full((100, 60), 255.0)
    digit = Digit(7, 1.0, 0, (0, 0, 1, 1), torch.zeros(1, 28, 28), None)
    drawn = torch.tensor(numpy.asarray(draw_boxes(pixels, [digit])))
    is_coloured = (drawn == torch.tensor(SURE_COLOUR)).all(dim=2)
    for border in (is_coloured[0], is_coloured[-1], is_coloured[:, 0], is_coloured[:, -1]):
        assert border.all()
    assert is_coloured[1:-1, 1:-1].sum() > 20  # the digit's own colour


def test_a_huge_picture_is_no_drawing(page, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert not is_drawing(page)


def test_a_broken_png_is_no_drawing(page, monkeypatch):
    monkeypatch.setattr(Image, "open", Mock(side_effect=ValueError("text is too long")))
    assert not is_drawing(page)


def test_one_line_of_json_stays_one_if_the_preview_cannot_be_written(page, capsys):
    Path("page.png.digits.png").write_bytes(b"somebody's")
    assert main(["--all", "--json", "--preview", "page.png"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["text"] == "777 77"
    assert "move it" in err


@pytest.mark.skipif(sys.platform == "win32", reason="such names do not exist there")
def test_an_error_that_names_a_path_with_a_line_break_is_one_line(page, capsys):
    page.rename("two\nlines.png")
    Path("two\nlines.png.digits.png").touch()
    assert main(["--all", "--preview", "two\nlines.png"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: two?lines.png: two?lines.png.digits.png is no drawing")


def test_the_preview_is_never_written_over_another_file(page, capsys):
    other = Path("page.png.digits.png")
    for content in (b"somebody's", page.read_bytes()):
        other.write_bytes(content)
        assert main(["--all", "--preview", "page.png"]) == 1
        assert "move it" in capsys.readouterr().err
        assert other.read_bytes() == content
