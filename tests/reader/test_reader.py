"""People's pictures: what is found in them, and what the reader answers."""

import io
import itertools

import pytest
import torch
from PIL import Image, ImageChops, ImageFont, ImageOps
from torch import nn
from torchvision.transforms.v2.functional import pil_to_tensor  # type: ignore[import-untyped]

from digit_reader import SURE, Reading, read_digit, read_pictures, to_mnist
from digit_reader.frames import find_frame, written_across
from digit_reader.geometry import dilate
from digit_reader.gray import to_gray
from digit_reader.grids import count_holes, finer_line_width, is_grid, printed_boxes
from digit_reader.ink import find_ink, to_grid, with_dark_ink
from digit_reader.outlines import fill_outline
from digit_reader.parts import join_parts
from digit_reader.pieces import Piece, find_pieces, label_components
from digit_reader.reader import Found, FoundIn, ask, choose, find_digit, join_notes, look_at
from mnist_classifier import Failure
from tests.drawn_digits import LIT, SegmentReader, draw_digits
from tests.reader.odd_strokes import BARS
from tests.reader.redraw import KINDS, STRANGE_KINDS, as_files, crashes, read
from tests.reader.sevens import TWO_SEVENS, draw, draw_seven, outline

FONT = ImageFont.load_default(16)


def on(paper: torch.Tensor) -> Image.Image:
    """A dark seven on paper of these grey values."""
    picture = Image.fromarray(paper.expand(160, 200).to(torch.uint8).numpy())
    return ImageChops.multiply(draw_seven(ink=60), picture)


def turned_seven() -> Image.Image:
    right = ImageChops.offset(draw_seven(), 100, 0)
    picture = right.rotate(90, expand=True)  # as a phone that is held sideways stores it
    picture.getexif()[0x0112] = 6  # "turn it clockwise by a quarter to see it"
    return picture


def turned_tiff() -> Image.Image:
    """The same as a file that is not loaded yet."""
    seven = turned_seven()
    seven.save(file := io.BytesIO(), "TIFF", compression="tiff_lzw", exif=seven.getexif())
    return Image.open(file)


def on_desk(sheet: Image.Image, desk: int) -> Image.Image:
    """`sheet` on a desk of this grey, of which it covers about a quarter of each side."""
    return ImageOps.expand(sheet, 250, desk)


def touching_seven() -> Image.Image:
    """A seven from the left border to the lower one, and a speck that does not touch it."""
    return draw(draw_seven().crop((30, 46, 93, 130)), "ellipse", (20, 50, 26, 56), 0)


def across(picture: Image.Image, *rows: int) -> Image.Image:
    """`picture` with thin lines from side to side at these rows, as dark as the pen."""
    for row in rows:
        draw(picture, "line", (0, row, picture.width, row), 0, 3)
    return picture


def in_cells(picture: Image.Image, cell: int, box: int) -> Image.Image:
    """`picture` with a box, as dark as the pen, in each cell of that many pixels."""
    for top in range(12, picture.height - cell, cell):
        for left in range(12, picture.width - cell, cell):
            draw(picture, "rectangle", (left, top, left + box, top + box), None, 0, 2)
    return picture


DEEP = draw_seven("I;16", 59_110, 25_700)
DEEP.info["transparency"] = 7  # none of them, as a PNG file says it
DOWN, ACROSS = torch.arange(160).view(160, 1), torch.arange(200)
SQUARES = (DOWN % 24 == 8) | (ACROSS % 24 == 8)
WHITE = Image.new("L", (200, 160), 255)
SAME_SEVENS = {
    "light on dark": draw_seven("L", 30, 220),
    "faint": draw_seven("L", 200, 160),
    "hardly visible": draw_seven("L", 250, 236),
    "colours": draw_seven("RGB", (250, 240, 200), (20, 40, 160)),
    "cmyk": draw_seven("CMYK", (0, 0, 0, 0), (200, 200, 0, 100)),
    "one bit": draw_seven("1", 1, 0),
    "palette": draw_seven("RGB", (240, 230, 220), (20, 30, 90)).quantize(4),
    "black on transparent": draw_seven("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)),
    "grey and alpha": draw_seven("LA", (0, 0), (0, 255)),
    "16 bits": draw_seven("I;16", 60_000, 20_000),
    "16 bits, one shade transparent": DEEP,
    "light in 16 bits": draw_seven("I;16", 2_000, 60_000),
    "32 bits": draw_seven("I", 2_000_000, 7),
    "floats": draw_seven("F", 1.0, 0.25),
    "no number": draw(draw_seven("F", 1.0, 0.25), "point", (85, 60), float("nan")),
    "turned by the camera": turned_seven(),
    "a turned TIFF": turned_tiff(),
    "lit from one side": on(150 + DOWN / 2),
    "a hard shadow": on(torch.where(DOWN > 90 - 0.3 * ACROSS, 128, 255)),
    "a sheet on a dark desk": ImageOps.expand(draw_seven(), 50, 70),
    "a pale pen on a black desk": ImageOps.expand(draw_seven("L", 240, 120), 30, 0),
    "across a dark line": draw(draw_seven(), "rectangle", (0, 95, 199, 97), 150),
    "ruled paper": on(torch.where(DOWN % 24 == 8, 190, 240)),
    "squared paper": on(torch.where(SQUARES, 190, 240)),
    "cropped tightly": draw_seven().crop((28, 48, 92, 132)),
    "light, cropped tightly": ImageOps.invert(draw_seven().crop((25, 45, 95, 135))),
    "touching the upper edge": draw_seven().crop((26, 50, 94, 134)),
    "touching the edge beside a speck": draw(
        draw_seven().crop((26, 50, 94, 134)), "point", (20, 50), 0
    ),
    "in a corner of a large picture": draw_seven(size=(390, 400)),
    "a dot to the left": draw(draw_seven(), "ellipse", (8, 80, 14, 86), 0),
    "a dot to the right": draw(draw_seven(), "ellipse", (101, 120, 107, 126), 0),
    "a smudge beside its stem": draw(draw_seven(), "rectangle", (34, 70, 68, 124), 190),
    "a thumb in the corner": draw(draw_seven(), "ellipse", (150, 110, 260, 220), 0),
    "a title bar": draw(draw_seven(), "rectangle", (0, 0, 200, 14), 0),
    "the title bar of a window": draw(draw_seven(), "rectangle", (6, 30, 190, 42), 0),
    "a bar that hangs in the air": draw(draw_seven(), "rectangle", (78, 62, 89, 67), 255),
    "no numbers in the paper": draw(
        draw_seven("F", 1.0, 0.25), "rectangle", (120, 60, 160, 120), float("nan")
    ),
    "a line close below": draw(draw_seven(), "rectangle", (26, 135, 98, 137), 0),
    "a spot below": draw(draw_seven(), "ellipse", (66, 140, 92, 158), 0),
    "a gap in the bar": draw(draw_seven(), "rectangle", (60, 50, 62, 61), 255),
    "in a box": draw(draw_seven(), "rectangle", (12, 32, 108, 148), None, 0, 4),
    "in the corner of a box": draw(draw_seven(), "line", [(0, 140), (100, 140), (100, 0)], 0, 4),
    "pale in a dark box": draw(
        draw_seven("L", 255, 172), "rectangle", (12, 32, 108, 148), None, 0, 4
    ),
    "in a circle": draw(
        ImageOps.expand(draw_seven(), 20, 255), "ellipse", (10, 40, 150, 180), None, 0, 4
    ),
    "underlined": draw(draw_seven(), "line", (15, 142, 110, 145), 0, 5),
    "across rules as dark": across(draw_seven(), 70, 95, 110),
    "across upright rules as dark": across(
        draw_seven().transpose(Image.Transpose.ROTATE_90), 120, 150
    ).transpose(Image.Transpose.ROTATE_270),
    "over a grid": in_cells(draw_seven(), 24, 24),
    "over boxes": in_cells(draw_seven(), 24, 20),
    "in a box among boxes": in_cells(draw_seven(size=(600, 500)), 120, 110),
    "a small sheet on a dark desk": on_desk(draw_seven("L", 230, 40), 60),
    "a black canvas in a white page": on_desk(draw_seven("L", 0, 255), 250),
    "a sheet on a sheet": on_desk(on_desk(draw_seven("L", 230, 40), 60), 250),
    "white on transparent": draw_seven("RGBA", (255, 255, 255, 0), (255, 255, 255, 255)),
    "touching two borders beside a speck": touching_seven(),
    "large": draw_seven().resize((1600, 1280)),
    "small": draw_seven().resize((75, 60), Image.Resampling.BOX),
} | {
    f"{text} at {where}": draw(draw_seven(), "text", where, text, 0, FONT)
    for where in ((30, 8), (4, 80), (40, 142))
    for text in ("3)", "'", "1:")
}
SAME_SEVENS |= {
    f"{name} as bright": ImageOps.colorize(draw_seven(), ink, paper)
    for name, ink, paper in (
        ("red on green", (230, 20, 20), (20, 125, 30)),
        ("blue on red", (60, 90, 220), (200, 50, 30)),
        ("green on grey", (20, 125, 30), (83, 83, 83)),
    )
}
SEVEN = to_mnist(draw_seven())
TOLERANCES = {
    "small": 0.03,
    "a bar that hangs in the air": 0.08,
    "in a box among boxes": 0.03,
    "touching two borders beside a speck": 0.03,
}


def difference_from_seven(digit: torch.Tensor) -> torch.Tensor:
    """How much the pixels of `digit` differ from those of SEVEN, shifted by up to a pixel: the
    centre of mass is moved to the middle by whole pixels, and half a one may be rounded up or down.
    """
    shifts = itertools.product((-1, 0, 1), repeat=2)
    differences = [(digit.roll(shift, (1, 2)) - SEVEN).abs() for shift in shifts]
    return min(differences, key=torch.mean)


@pytest.mark.parametrize("kind", SAME_SEVENS)
def test_the_digit_is_found_in_all_kinds_of_pictures_and_beside_other_things(kind):
    (digit,), note = find_digit(SAME_SEVENS[kind])[0]
    assert note is None
    tolerance = TOLERANCES.get(kind, 0.015)
    assert digit.shape == (1, 28, 28)
    assert difference_from_seven(digit).mean() < tolerance
    assert difference_from_seven(digit).max() < 40 * tolerance


def flood(mask: torch.Tensor, start: tuple[int, int]) -> torch.Tensor:
    """What is connected to `start` in `mask`."""
    covered = torch.zeros(mask.shape)
    covered[start] = 1
    while True:
        wider = dilate(covered, 1) * mask
        if torch.equal(covered, wider):
            return covered > 0
        covered = wider


def test_pieces_are_what_a_flood_covers():
    for _ in range(20):
        mask = torch.rand(40, 50) < 0.4
        pieces = label_components(mask)
        assert torch.equal(pieces > 0, mask)
        for number in pieces[mask].unique():
            piece = pieces == number
            start = tuple(piece.nonzero()[0].tolist())
            assert torch.equal(flood(mask, start), piece)
    assert not label_components(torch.zeros(3, 4) > 0).any()


def test_a_picture_becomes_a_light_digit_of_19_pixels_centred_by_its_mass():
    rows, columns = (torch.nonzero(SEVEN[0].amax(dim) > 0.1).flatten() for dim in (1, 0))
    assert rows[-1] - rows[0] + 1 == 19
    assert 13 <= columns[-1] - columns[0] + 1 <= 15
    assert (SEVEN.min(), SEVEN.max()) == (0, 1)
    masses = SEVEN[0].sum(1), SEVEN[0].sum(0)  # of the rows and the columns
    centre = [float(mass @ (torch.arange(28) + 0.5) / mass.sum()) for mass in masses]
    assert centre == pytest.approx([14, 14], abs=0.51)


def test_a_thin_pen_leaves_no_gaps_and_does_not_fade():
    line = [(50, 40), (250, 40), (120, 340)]
    digit = to_mnist(draw(Image.new("L", (300, 380), 255), "line", line, 0, 5))[0]
    inked = digit > 0.25
    assert inked.any(dim=1).sum() == 19
    assert inked.sum(dim=1).max() >= 12  # the bar
    assert (digit == 1).sum() >= 0.14 * 19 * inked.any(dim=0).sum()


@pytest.mark.parametrize("quarters", range(4))
def test_ink_of_any_shape_fits_the_frame(quarters):
    picture = draw(WHITE.copy(), "line", (100, 10, 100, 150), 0, 3)  # a 1 ...
    picture = draw(picture, "line", (40, 143, 160, 143), 0, 14)  # ... with its mass down there
    inked = to_mnist(picture.rotate(90 * quarters, expand=True))[0] > 0.1
    assert max(inked.any(dim=0).sum(), inked.any(dim=1).sum()) == 19  # nothing is cut off


def test_mnist_images_go_through_files_unharmed():
    drawn = [Image.fromarray(image.numpy()) for image in draw_digits(20, seed=8).images[:, 0]]
    images = (255 * torch.stack([to_mnist(picture) for picture in drawn])).to(torch.uint8)
    assert torch.equal(as_files(images), images / 255)


def as_picture(image: torch.Tensor) -> Image.Image:
    return Image.fromarray((255 * image[0]).to(torch.uint8).numpy())


SMALL_SEVENS = {
    "dim": as_picture(0.15 * SEVEN),
    "in a corner": as_picture(SEVEN.roll((-3, -3), (1, 2))),
    "small": ImageOps.expand(as_picture(SEVEN).resize((14, 14), Image.Resampling.BOX), 7),
    "filling the picture": as_picture(SEVEN[:, 4:24, 4:24]).resize((28, 28)),
}


@pytest.mark.parametrize("kind", SMALL_SEVENS)
def test_a_28x28_picture_that_is_not_like_mnist_is_made_so(kind):
    assert SMALL_SEVENS[kind].size == (28, 28)
    assert (to_mnist(SMALL_SEVENS[kind]) - SEVEN).abs().mean() < 0.05


def test_a_thin_pen_is_widened_to_a_tenth_of_the_digit():
    line = [(50, 40), (250, 40), (120, 340)]
    digits = [to_mnist(draw(Image.new("L", (300, 380), 255), "line", line, 0, i)) for i in (3, 30)]
    thin, thick = (digit.sum() for digit in digits)
    assert thin > 0.8 * thick


def test_a_thin_digit_is_read_beside_something_small_and_solid():
    seven = draw(Image.new("L", (300, 300), 255), "line", [(60, 80), (160, 80), (90, 250)], 0, 3)
    beside = draw(seven.copy(), "rectangle", (210, 20, 289, 59), 0)
    assert (to_mnist(beside) - to_mnist(seven)).abs().max() < 0.01


def test_a_part_is_joined_that_is_near_only_to_a_lighter_part():
    picture = draw(WHITE.copy(), "rectangle", (40, 20, 49, 80), 0)
    picture = draw(picture, "rectangle", (54, 74, 64, 80), 0)
    picture = draw(picture, "rectangle", (69, 50, 77, 80), 0)
    pieces = look_at(to_gray(picture))[0].pieces
    assert [len(some) for some in join_parts(pieces)] == [3, 0]


@pytest.mark.parametrize(("length", "is_part"), [(120, True), (140, False)])
def test_a_bar_above_belongs_to_a_digit_unless_it_is_much_longer(length, is_part):
    picture = draw(Image.new("L", (200, 160), 255), "rectangle", (90, 40, 109, 139), 0)
    draw(picture, "rectangle", (100 - length // 2, 22, 99 + length // 2, 33), 0)
    digit, others = join_parts(pieces_of(picture))
    assert [len(digit), len(others)] == ([2, 0] if is_part else [1, 1])


def seven_with_stem(paper: int, bar: int, stem: int) -> Image.Image:
    """A seven whose stem is of another grey than its bar."""
    return draw(draw_seven("L", paper, bar), "rectangle", (78, 62, 89, 129), stem)


FADING = {
    "dark": seven_with_stem(255, 0, 178),
    "pale": seven_with_stem(250, 240, 244),
    "very pale": seven_with_stem(250, 242, 246),
    "pale and uneven": seven_with_stem(250, 234, 246),
    "down to the border": seven_with_stem(255, 0, 128).crop((25, 45, 95, 127)),
}


@pytest.mark.parametrize("kind", FADING)
def test_a_stroke_that_fades_belongs_to_the_digit(kind):
    (piece,) = look_at(to_gray(FADING[kind]))[0].pieces
    assert piece.box.height > 1.2 * piece.box.width


@pytest.mark.parametrize("gap", [3, 25])
def test_digits_side_by_side_are_not_joined(gap):
    picture = ImageChops.darker(draw_seven(), ImageChops.offset(draw_seven(), 60 + gap, 0))
    (digit,), note = find_digit(picture)[0]
    assert difference_from_seven(digit).mean() < 0.015
    assert note == "2 things are as large as a digit; one is read"


def draw_segments(segments: str, gap: int, size=(200, 240)) -> Image.Image:
    """Segments of a display, 60 pixels long and 12 thick, with gaps between their ends."""
    picture = Image.new("L", size, 255)
    for name in segments:
        (left, top), (right, bottom) = BARS[name]
        across, down = (gap // 2, 0) if top == bottom else (0, gap // 2)
        x, y = 40 + 80 * left, 30 + 80 * top
        end_x, end_y = 40 + 80 * right, 30 + 80 * bottom
        box = (x - 6 + 2 * across, y - 6 + 2 * down, end_x + 6 - 2 * across, end_y + 6 - 2 * down)
        draw(picture, "rectangle", box, 0)
    return picture


@pytest.mark.parametrize("label", range(10))
def test_a_digit_of_segments_with_wide_gaps_is_read(label):
    reading = read_digit(draw_segments(LIT[label], gap=14), SegmentReader())
    assert (reading.digit, reading.note) == (label, None)


def test_the_gap_in_the_stem_of_a_7_of_segments_is_closed():
    (digit,) = to_mnist(draw_segments(LIT[7], gap=14))
    stem = digit[:, digit.sum(dim=0).argmax()]
    assert label_components(stem[:, None] > 0.5).unique().numel() == 2  # one piece, and paper


def seven_with_specks() -> Image.Image:
    """A seven with two dots so near to its stem that they belong to it."""
    picture = draw_seven()
    for y in (70, 82):
        draw(picture, "ellipse", (65, y, 72, y + 7), 0)
    return picture


def test_gaps_beside_specks_are_not_closed():
    assert difference_from_seven(to_mnist(seven_with_specks())).mean() < 0.02


def test_a_4_whose_two_strokes_do_not_quite_touch_is_read():
    picture = draw(WHITE.copy(), "line", [(60, 10), (60, 85), (103, 85)], 0, 12)
    picture = draw(picture, "rectangle", (112, 20, 123, 140), 0)
    reading = read_digit(picture, SegmentReader())
    assert (reading.digit, reading.note) == (4, None)


def test_a_digit_of_more_dots_than_are_looked_at_in_noise_is_read():
    dots = Image.new("L", (300, 300), 255)
    for x, y in [(x, 40) for x in range(60, 240, 10)] + [(230, y) for y in range(50, 250, 10)]:
        draw(dots, "ellipse", (x - 3, y - 3, x + 3, y + 3), 0)
    reading = read_digit(dots, SegmentReader())
    assert (reading.digit, reading.note) == (7, None)


def test_a_digit_of_dots_is_read():
    picture = WHITE.copy()
    for x, y in [(x, 30) for x in range(50, 120, 12)] + [(110, y) for y in range(42, 140, 12)]:
        picture = draw(picture, "ellipse", (x - 4, y - 4, x + 4, y + 4), 0)
    reading = read_digit(picture, SegmentReader())
    assert (reading.digit, reading.note) == (7, None)


def on_white(*shapes: tuple[object, ...]) -> Image.Image:
    """Shapes on white, 200x200: each a method of ImageDraw, where, and how."""
    picture = Image.new("L", (200, 200), 255)
    for shape in shapes:
        draw(picture, *shape)
    return picture


def likelier_ink(picture: Image.Image) -> torch.Tensor:
    """The ink of `picture`, dark or light, on the grid."""
    return find_ink(with_dark_ink(to_grid(to_gray(picture)))[0])


def is_filled(picture: Image.Image) -> bool:
    """Whether fill_outline fills in the first piece in `picture`."""
    ink = likelier_ink(picture)
    return fill_outline(ink, find_pieces(ink)[0]) is not ink


def test_a_digit_in_outline_is_filled_in():
    reading = read_digit(outline(draw_seven(), 2), SegmentReader())
    assert difference_from_seven(reading.image).mean() < 0.05
    assert reading.digit == 7


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
def test_a_digit_in_outline_is_filled_in_within_a_box_or_a_circle(shape):
    boxed = draw(outline(draw_seven(), 2), shape, (2, 2, 197, 157), None, 0, 4)
    reading = read_digit(boxed, SegmentReader())
    assert difference_from_seven(reading.image).mean() < 0.05
    assert reading.digit == 7


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
def test_a_digit_of_dots_is_read_within_a_box_or_a_circle(shape):
    places = [(x, 50) for x in range(30, 90, 12)] + [(84, y) for y in range(62, 130, 12)]
    dots = Image.new("L", (200, 160), 255)
    for x, y in places:
        draw(dots, "ellipse", (x - 4, y - 4, x + 4, y + 4), 0)
    boxed = draw(dots.copy(), shape, (2, 2, 197, 157), None, 0, 4)
    assert torch.equal(to_mnist(boxed), to_mnist(dots))


def test_a_digit_in_outline_may_be_wider_at_some_places():
    bars = [("line", [(50, y), (150, y)], 0, 14) for y in (40, 105, 170)]
    stems = [("line", [(50, 34), (50, 111)], 0, 22), ("line", [(150, 99), (150, 176)], 0, 22)]
    assert is_filled(outline(on_white(*bars, *stems), 2))
    bulb = ("ellipse", (20, 20, 90, 90), 0)
    stem = ("line", [(55, 60), (55, 180), (180, 180), (180, 60)], 0, 16)
    assert is_filled(outline(on_white(bulb, stem), 2))


def test_a_stroke_in_outline_may_be_hardly_bent():
    stroke = on_white(("line", [(85, 20), (130, 100), (85, 180)], 0, 70))
    assert is_filled(outline(stroke, 2))


def test_a_bar_in_outline_is_filled_in():
    bar = draw(WHITE.copy(), "rectangle", (92, 20, 108, 140), None, 0, 3)
    assert to_mnist(bar)[0, 14, 14] > 0.9


NO_OUTLINES = {
    "a narrow 0": on_white(("ellipse", (85, 20, 115, 180), None, 0, 3)),
    "a 0 in a circle": on_white(
        ("ellipse", (10, 10, 190, 190), None, 0, 3), ("ellipse", (50, 50, 150, 150), None, 0, 3)
    ),
    "a 1 that touches a circle": on_white(
        ("ellipse", (10, 10, 190, 190), None, 0, 3), ("line", [(100, 10), (100, 130)], 0, 3)
    ),
    "a bar that swells": outline(
        on_white(
            ("line", [(90, 25), (110, 100), (90, 175)], 0, 40), ("ellipse", (80, 70, 140, 130), 0)
        ),
        2,
    ),
    "a lens that is bent": outline(
        on_white(
            ("line", [(75, 25), (125, 100), (75, 175)], 0, 20), ("ellipse", (75, 50, 175, 150), 0)
        ),
        2,
    ),
    "a 9 with a narrow loop": on_white(
        ("rectangle", (92, 10, 108, 60), None, 0, 3), ("line", [(107, 60), (107, 190)], 0, 4)
    ),
    "a slit": on_white(("rectangle", (90, 10, 112, 190), None, 0, 8)),
    "a bold 0": on_white(("rectangle", (60, 10, 140, 190), None, 0, 20)),
}


@pytest.mark.parametrize("kind", NO_OUTLINES)
def test_what_is_no_outline_is_not_filled_in(kind):
    assert not is_filled(NO_OUTLINES[kind])


def draw_zeros(count: int) -> Image.Image:
    """Zeros in a line, all alike."""
    picture = Image.new("L", (20 + 60 * count, 120), 255)
    for place in range(count):
        box = (20 + 60 * place, 20, 60 + 60 * place, 100)
        draw(picture, "ellipse", box, None, 0, 5)
    return picture


@pytest.mark.parametrize("several, left", [(True, 6), (False, 0)])
def test_things_that_are_all_alike_are_boxes_if_one_digit_is_wanted(several, left):
    ink = likelier_ink(draw_zeros(6))
    zeros = find_pieces(ink)
    frame = find_frame(ink, zeros, several)
    assert sum(bool((frame[zero.mask] == 0).all()) for zero in zeros) == left


def pieces_of(picture: Image.Image) -> list[Piece]:
    """The pieces of dark ink on white."""
    return find_pieces(1 - pil_to_tensor(picture)[0] / 255)


def draw_boxes(*sizes: tuple[int, int], line: int = 4) -> Image.Image:
    """Boxes of these sizes in a line, drawn with a line of this width."""
    picture = Image.new("L", (70 * len(sizes), 90), 255)
    for place, (width, height) in enumerate(sizes):
        left = 10 + 70 * place
        draw(picture, "rectangle", (left, 10, left + width, 10 + height), None, 0, line)
    return picture


NO_PRINTED_BOXES = {
    "five": draw_boxes(*[(50, 60)] * 5),
    "in a bold line": draw_boxes(*[(50, 60)] * 6, line=16),
    "of six sizes": draw_boxes(*[(22 + 6 * place, 70) for place in range(6)]),
    "without a hole": draw_boxes(*[(50, 7)] * 6),
}


@pytest.mark.parametrize("kind", NO_PRINTED_BOXES)
def test_what_is_not_many_thin_boxes_all_alike_is_no_printed_form(kind):
    assert len(printed_boxes(pieces_of(draw_boxes(*[(50, 60)] * 6)))) == 6
    assert printed_boxes(pieces_of(NO_PRINTED_BOXES[kind])) == []


def draw_net(cells: int, line: int) -> Image.Image:
    """A net of cells x 2 meshes, 30 pixels wide, of lines of this width."""
    picture = Image.new("L", (30 * cells + 40, 100), 255)
    for left in range(20, 20 + 30 * cells, 30):
        for top in (20, 50):
            draw(picture, "rectangle", (left, top, left + 30, top + 30), None, 0, line)
    return picture


@pytest.mark.parametrize(
    ("cells", "line", "expected"), [(3, 3, True), (2, 3, False), (3, 9, False)]
)
def test_a_grid_has_six_holes_and_thin_lines(cells, line, expected):
    (net,) = pieces_of(draw_net(cells, line))
    assert is_grid(net) == expected


@pytest.mark.parametrize(("line", "is_seen"), [(4, True), (7, False)])
def test_lines_across_a_digit_are_told_from_it_if_they_are_thinner(line, is_seen):
    picture = draw(draw_seven(), "line", (0, 90, 200, 90), 0, line)
    ink = 1 - pil_to_tensor(picture)[0] / 255
    (piece,) = find_pieces(ink)
    border = torch.ones_like(piece.mask)
    border[1:-1, 1:-1] = False
    assert (written_across(piece, ink, piece.mask & border, []) is not None) == is_seen


def draw_bar(*lines: tuple[int, int, int, int], width: int = 3, bar: int = 20) -> Image.Image:
    """An upright bar of this width, and `lines` of another one."""
    picture = Image.new("L", (200, 200), 255)
    draw(picture, "line", (100, 20, 100, 180), 0, bar)
    for line in lines:
        draw(picture, "line", line, 0, width)
    return picture


THREE_LINES = ((40, 60, 160, 80), (40, 110, 160, 90), (40, 120, 160, 150))
WITH_FINER_LINES = {
    "three": (draw_bar(*THREE_LINES), True),
    "hardly finer": (draw_bar(*THREE_LINES, width=9), False),
    "a short one": (draw_bar((100, 60, 125, 80)), False),
    "none": (draw_bar(), False),
    "lines alone": (draw_bar(*THREE_LINES, bar=3), False),
    "a square": (draw_bar(bar=160), False),
}


@pytest.mark.parametrize("kind", WITH_FINER_LINES)
def test_finer_lines_through_a_digit_are_noticed(kind):
    picture, expected = WITH_FINER_LINES[kind]
    (piece,) = pieces_of(picture)
    assert (finer_line_width(piece) > 0) == expected


def test_an_answer_is_unsure_if_finer_lines_run_through_the_digit():
    assert find_digit(draw_bar())[0].note is None
    assert find_digit(draw_bar(*THREE_LINES))[0].note == "finer lines run through the digit"


def test_finer_lines_through_a_digit_are_taken_off():
    without = to_mnist(draw_bar())
    assert (to_mnist(draw_bar(*THREE_LINES)) - without).abs().max() < 0.1
    assert (to_mnist(draw_bar(*THREE_LINES, width=9)) - without).abs().max() > 0.9


LONG_LINES = ((10, 60, 190, 80), (10, 110, 190, 90), (10, 120, 190, 150))


@pytest.mark.parametrize(("width", "count"), [(3, 1), (9, 2), (14, 1)])
def test_lines_may_be_strokes_of_the_digit_unless_they_are_very_fine(width, count):
    assert len(find_digit(draw_bar(*LONG_LINES, width=width))[0].images) == count


class InkReader(nn.Module):
    """Reads a 1, the surer the more ink there is or, if not `likes_ink`, the less."""

    def __init__(self, likes_ink: bool) -> None:
        super().__init__()
        self.sign = 1 if likes_ink else -1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(images), 10)
        logits[:, 1] = 4 + self.sign * images.mean(dim=(1, 2, 3))
        return logits


@pytest.mark.parametrize("likes_ink", [True, False])
def test_of_a_digit_with_and_without_finer_lines_the_surer_answer_counts(likes_ink):
    lined = draw_bar(*LONG_LINES, width=9)
    with_lines, without = find_digit(lined)[0].images
    assert with_lines.sum() > 1.2 * without.sum()
    assert torch.equal(to_mnist(lined), without)
    sources = [draw_seven(), lined, draw_bar()]
    readings = list(read_pictures(sources, InkReader(likes_ink)))
    expected = [SEVEN, with_lines if likes_ink else without, to_mnist(draw_bar())]
    for reading, image in zip(readings, expected, strict=True):
        assert torch.equal(reading.image, image)
        assert reading.digit == 1


@pytest.mark.parametrize("holes", range(4))
def test_holes_are_counted_but_not_the_pinholes(holes):
    mask = torch.ones(40, 60, dtype=torch.bool)
    mask[35:38, 5:50] = False
    for hole in range(holes):
        mask[5:20, 2 + 20 * hole : 18 + 20 * hole] = False
    assert count_holes(mask) == holes


MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr")
NOISE = torch.randn(300, 300, generator=torch.Generator().manual_seed(0))


def shaded(light: torch.Tensor) -> Image.Image:
    """Blank paper in a light that rises by 0.3 a pixel along `light`, which does so by 1."""
    return Image.fromarray((180 + 0.3 * light).expand(160, 200).byte().numpy())


BLANK = {
    **{
        f"{mode} {size}": Image.new(mode, size)
        for mode in MODES
        for size in ((1, 1), (1, 300), (28, 28))
    },
    **{f"all {v}": Image.new("F", (50, 50), v) for v in (float("nan"), float("inf"), 1e38)},
    "noise": Image.effect_noise((300, 300), 20),
    "noise on paper": Image.fromarray((200 + 10 * NOISE).byte().numpy()),
    "too faint": draw_seven("L", 250, 245),
    "a shade at the left": shaded(ACROSS),
    "a pale strip at the left": draw(
        Image.new("L", (300, 300), 250), "rectangle", (0, 0, 20, 299), 215
    ),
    "a shade at the right": shaded(-ACROSS),
    "a shade at the top": shaded(DOWN),
    "a shade at the bottom": shaded(-DOWN),
    "a shade all round": shaded(-((DOWN - 80) ** 2 + (ACROSS - 100) ** 2) / 300),
    "a shade across": shaded(150 * (ACROSS / 60 + DOWN / 90).sin()),
    "a pixel": draw(Image.new("L", (28, 28)), "point", (9, 9), 1),
    "too small": draw(WHITE.copy(), "ellipse", (99, 79, 101, 81), 0),
}


@pytest.mark.parametrize("kind", BLANK)
def test_a_blank_picture_is_no_digit(kind):
    with pytest.raises(Failure, match="blank"):
        to_mnist(BLANK[kind])


ODD_PICTURES = {
    **{mode: Image.new(mode, (90, 90)) for mode in ("LAB", "La", "HSV", "RGBa", "RGBX")},
    **{f"{size} pixels": Image.new("L", size) for size in ((0, 0), (0, 5), (5, 0))},
}


@pytest.mark.parametrize("kind", ODD_PICTURES)
def test_odd_pictures_raise_nothing_but_failure(kind):
    with pytest.raises(Failure):
        to_mnist(ODD_PICTURES[kind])


def test_random_ink_raises_nothing():
    assert crashes(50) == []


def test_redrawn_digits_are_read_rightly():
    model = SegmentReader()
    digits = draw_digits(60, seed=9)
    assert read(model, digits, 60)[1].sum() >= 57
    assert read(model, digits, 30, KINDS)[1].sum() >= 18
    assert read(model, digits, 45, STRANGE_KINDS)[1].sum() >= 32


def test_read_digit_gives_the_answer_and_what_the_network_saw():
    reading = read_digit(draw_seven(), SegmentReader())
    assert reading.digit == 7
    assert 0.9 < reading.probability <= 1
    assert torch.equal(reading.image, SEVEN)
    assert reading.note is None
    assert reading.sure


def test_an_answer_with_a_note_is_unsure_however_probable_it_is():
    reading = read_digit(TWO_SEVENS, SegmentReader())
    assert reading.probability >= SURE
    assert not reading.sure
    assert "2 things are as large as a digit" in reading.note


def test_notes_are_joined_in_their_order():
    assert join_notes("one", None, "two") == "one; two"
    assert join_notes(None, "two") == "two"
    assert join_notes(None, None) is None


ZERO = draw(WHITE.copy(), "ellipse", (60, 20, 140, 140), None, 0, 14)  # with a light disc in it


@pytest.mark.parametrize(("vote", "count"), [(-0.3, 2), (0.3, 2), (-0.5, 1), (0.5, 1)])
def test_the_other_ink_is_looked_at_unless_it_is_plain_which_is_the_ink(vote, count, monkeypatch):
    zero = to_mnist(ZERO)
    monkeypatch.setattr("digit_reader.ink.polarity_of", lambda pixels: vote)
    likelier = find_digit(ZERO if vote > 0 else ImageOps.invert(ZERO))
    other = find_digit(ZERO if vote < 0 else ImageOps.invert(ZERO))
    assert len(likelier) == len(other) == count
    assert (likelier[0].images[0] - zero).abs().max() < 0.1
    is_in_other = (other[-1].images[0] - zero).abs().max() < 0.1
    assert is_in_other == (count == 2)


def test_what_is_only_seen_in_the_ink_that_is_less_likely_is_no_digit(monkeypatch):
    monkeypatch.setattr("digit_reader.ink.polarity_of", lambda pixels: -0.3)
    with pytest.raises(Failure, match="blank"):
        to_mnist(draw_seven())


def answer(digit: int, probability: float, note: str | None = None) -> Reading:
    return Reading(digit, probability, torch.empty(1, 28, 28), note)


UNSURE = answer(4, 0.9)
NOTED = answer(4, 1.0, "a note")
SEVEN_OR_ONE = "light and dark ink are read as two digits"
CHOICES = {  # the answers to the likelier ink and to the other, and what counts
    "one sure": ([answer(7, 0.995)], (7, None)),
    "one unsure": ([UNSURE], (4, None)),
    "first sure": ([answer(7, 0.995), UNSURE], (7, None)),
    "second sure": ([UNSURE, answer(7, 0.995)], (7, None)),
    "second sure, first with a note": ([NOTED, answer(7, 0.995)], (7, None)),
    "none sure": ([UNSURE, answer(7, 0.95)], (4, None)),
    "none sure, second with a note": ([UNSURE, answer(7, 1.0, "a note")], (4, None)),
    "both sure of one digit": ([answer(7, 0.995), answer(7, 0.999)], (7, None)),
    "both sure of two digits": ([answer(7, 0.995), answer(1, 0.999)], (1, SEVEN_OR_ONE)),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_sure_answer_counts_of_light_and_dark_ink_or_else_that_to_the_likelier(case):
    readings, expected = CHOICES[case]
    chosen = choose(readings)
    assert (chosen.digit, chosen.note) == expected


class HoleReader(nn.Module):
    """Surely reads a 0 in what is dark in the middle, and perhaps a 4 in anything else."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(images), 10)
        logits[:, 4] = 1
        logits[images[:, 0, 14, 14] < 0.5, 0] = 20
        return logits


def test_a_note_on_the_page_leaves_the_choice_of_the_ink_as_it_is():
    unlike_zero = Found([torch.ones(1, 28, 28)], None)
    zero = Found([torch.zeros(1, 28, 28)], None)
    (reading,) = ask(HoleReader(), [FoundIn([unlike_zero, zero], "page 1 of 2")])
    assert (reading.digit, reading.note, reading.sure) == (0, "page 1 of 2", False)


def test_answers_to_both_inks_of_many_pictures_are_not_mixed_up(monkeypatch):
    votes = itertools.cycle([0.3, 0.9, -0.3, -0.9])
    monkeypatch.setattr("digit_reader.ink.polarity_of", lambda pixels: next(votes))
    readings = read_pictures([ZERO] * 8, HoleReader())
    assert [reading.digit for reading in readings] == [0, 0, 0, 4] * 2
