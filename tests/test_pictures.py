"""People's pictures: what is found in them, and how --predict answers."""

import io
import re
import sys
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

import mnist_classifier
from mnist_classifier import Digits, Failure, SmallCNN, load_model, main, read_picture, to_mnist
from tests.conftest import assert_one_line
from tests.drawn_digits import draw_digits
from tests.redraw import count_crashes, read_as_files, read_disturbed, read_redrawn, share


def draw_seven(
    mode: str = "L", paper: object = 255, ink: object = 0, size: tuple[int, int] = (200, 160)
) -> Image.Image:
    """A seven of 60x80 pixels, its top left corner at (30, 50)."""
    return add(Image.new(mode, size, paper), ("rectangle", (30, 50, 89, 61), ink),
               ("rectangle", (78, 50, 89, 129), ink))  # fmt: skip


def add(picture: Image.Image, *shapes: tuple[str, object, object]) -> Image.Image:
    """Draw `shapes` onto `picture`: each a method of ImageDraw, where, and of what colour."""
    for shape, where, fill in shapes:
        getattr(ImageDraw.Draw(picture), shape)(where, fill=fill)
    return picture


def write(text: str, where: tuple[int, int]) -> Image.Image:
    picture = draw_seven()
    ImageDraw.Draw(picture).text(where, text, 0, ImageFont.load_default(16))
    return picture


def on(background: Image.Image, ink: int) -> Image.Image:
    """The seven in `ink` on `background`."""
    background.paste(ink, mask=ImageOps.invert(draw_seven()))
    return background


def squared(lines_down: int) -> Image.Image:
    across = [("line", (0, i, 200, i), 190) for i in range(8, 160, 24)]
    down = [("line", (i, 0, i, 160), 190) for i in range(8, 200, 24)]
    return add(Image.new("L", (200, 160), 240), *across, *down[:lines_down])


def palette_seven() -> Image.Image:
    picture = draw_seven("P", paper=3, ink=7)
    picture.putpalette([0] * 9 + [240, 230, 220] + [9] * 9 + [20, 30, 90])
    return picture


def turned_seven() -> Image.Image:
    picture = draw_seven().rotate(90, expand=True)  # as a phone that is held sideways stores it
    picture.getexif()[0x0112] = 6  # "turn it clockwise by a quarter to see it"
    return picture


def shadowed_seven() -> Image.Image:
    picture, shadow = draw_seven(ink=60), Image.new("L", (200, 160))
    add(shadow, ("polygon", [(0, 90), (200, 30), (200, 160), (0, 160)], 255))
    return Image.composite(picture.point([v // 2 for v in range(256)]), picture, shadow)


def desk_seven() -> Image.Image:
    desk = Image.new("L", (300, 260), 70)
    desk.paste(draw_seven(), (40, 60))
    return desk


def two_sevens() -> Image.Image:
    picture = draw_seven()
    picture.paste(draw_seven().crop((30, 50, 90, 130)), (115, 50))
    return picture


GRADIENT = Image.linear_gradient("L").resize((200, 160)).point([150 + v // 3 for v in range(256)])
SAME_SEVENS = {
    "light on dark": lambda: draw_seven("L", 30, 220),
    "faint": lambda: draw_seven("L", 200, 160),
    "colours": lambda: draw_seven("RGB", (250, 240, 200), (20, 40, 160)),
    "cmyk": lambda: draw_seven("CMYK", (0, 0, 0, 0), (200, 200, 0, 100)),
    "one bit": lambda: draw_seven("1", 1, 0),
    "palette": palette_seven,
    "black on transparent": lambda: draw_seven("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)),
    "grey and alpha": lambda: draw_seven("LA", (0, 0), (0, 255)),
    "16 bits": lambda: draw_seven("I;16", 60_000, 20_000),
    "32 bits": lambda: draw_seven("I", 2_000_000, 7),
    "floats": lambda: draw_seven("F", 1.0, 0.25),
    "turned by the camera": turned_seven,
    "lit from one side": lambda: on(GRADIENT.copy(), 60),
    "a hard shadow": shadowed_seven,
    "a sheet on a dark desk": desk_seven,
    "ruled paper": lambda: on(squared(0), 20),
    "squared paper": lambda: on(squared(8), 20),
    "cropped tightly": lambda: draw_seven().crop((28, 48, 92, 132)),
    "touching the upper edge": lambda: draw_seven().crop((26, 50, 94, 134)),
    "in a corner of a large picture": lambda: draw_seven(size=(390, 400)),
    "a dot to the left": lambda: add(draw_seven(), ("ellipse", (8, 80, 14, 86), 0)),
    "a dot to the right": lambda: add(draw_seven(), ("ellipse", (101, 120, 107, 126), 0)),
    "a thumb in the corner": lambda: add(draw_seven(), ("ellipse", (150, 110, 260, 220), 0)),
    "a title bar": lambda: add(draw_seven(), ("rectangle", (0, 0, 200, 14), 0)),
    "a bar that hangs in the air": lambda: add(draw_seven(), ("rectangle", (78, 62, 89, 65), 255)),
    "large": lambda: draw_seven().resize((1600, 1280)),
    "small": lambda: draw_seven().resize((75, 60), Image.Resampling.BOX),
} | {
    f"{text} at {where}": lambda text=text, where=where: write(text, where)
    for where in ((30, 8), (4, 80), (40, 142))
    for text in ("3)", "'", "1:")
}
SEVEN = to_mnist(draw_seven())


@pytest.mark.parametrize("kind", SAME_SEVENS)
def test_the_digit_is_found_in_all_kinds_of_pictures_and_beside_other_things(kind):
    digit = to_mnist(SAME_SEVENS[kind]())
    tolerance = 0.03 if kind in ("small", "a bar that hangs in the air") else 0.015
    assert digit.shape == (1, 28, 28)
    assert (digit - SEVEN).abs().mean() < tolerance
    assert (digit - SEVEN).abs().max() < 40 * tolerance


def centre_of_mass(image: torch.Tensor) -> list[float]:
    """(row, column) in pixels from the top left corner of `image` (H, W)."""
    places = torch.arange(28) + 0.5
    return [float(image.sum(1 - axis) @ places / image.sum()) for axis in (0, 1)]


def test_a_picture_becomes_a_light_digit_of_20_pixels_centred_by_its_mass():
    rows, columns = (torch.nonzero(SEVEN[0].amax(dim) > 0.1).flatten() for dim in (1, 0))
    assert rows[-1] - rows[0] + 1 == 20
    assert 14 <= columns[-1] - columns[0] + 1 <= 16
    assert (SEVEN.min(), SEVEN.max()) == (0, 1)
    assert centre_of_mass(SEVEN[0]) == pytest.approx([14, 14], abs=0.51)


def test_a_thin_pen_leaves_no_gaps():
    picture = Image.new("L", (300, 380), 255)
    ImageDraw.Draw(picture).line([(50, 40), (250, 40), (120, 340)], fill=0, width=5)
    inked = to_mnist(picture)[0] > 0.25
    assert inked.any(dim=1).sum() == 20
    assert inked.sum(dim=1).max() >= 12  # the bar


@pytest.mark.parametrize("mirrored", [False, True])
def test_ink_of_any_shape_fits_the_frame(mirrored):
    picture = Image.new("L", (200, 160), 255)
    draw = ImageDraw.Draw(picture)
    draw.line((100, 10, 100, 150), 0, 3)  # a 1 ...
    draw.line((40, 143, 160, 143), 0, 14)  # ... underlined so heavily that its mass is down there
    picture = ImageOps.flip(picture) if mirrored else picture
    inked = to_mnist(picture)[0] > 0.1
    assert max(inked.any(dim=0).sum(), inked.any(dim=1).sum()) == 20  # nothing is cut off


def test_a_second_digit_is_told_and_a_small_stray_is_not():
    with pytest.warns(UserWarning, match="2 things are as large as a digit; one is read"):
        to_mnist(two_sevens())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_mnist(write("3)", (30, 8)))


def mnist_images(count: int, seed: int) -> Digits:
    """Drawn digits as MNIST has them: black ground, centre of mass in the middle."""
    images, labels = draw_digits(count, seed)
    images = torch.where(images > 40, images, 0)
    moved = []
    for image in images:
        row, column = centre_of_mass(image.squeeze().float())
        moved.append(image.roll((round(14 - row), round(14 - column)), (-2, -1)))
    return Digits(torch.stack(moved), labels)


def test_mnist_images_go_through_unharmed():
    for image in mnist_images(20, seed=8).images:
        digit = to_mnist(Image.fromarray(image.squeeze().numpy()))
        assert torch.equal(digit[0], image.squeeze().float() / 255)


BLANK = [
    *(Image.new(m, s) for m in ("L", "RGBA", "I;16", "F") for s in ((1, 1), (1, 300), (28, 28))),
    *(Image.new("F", (50, 50), value) for value in (float("nan"), float("inf"), 1e38)),
    Image.effect_noise((300, 300), 20),
]


@pytest.mark.parametrize("picture", BLANK)
def test_a_blank_picture_is_no_digit(picture):
    with pytest.raises(Failure, match="blank"):
        to_mnist(picture)


def test_a_broken_file_raises_only_failure(tmp_path):
    draw_seven().save(path := tmp_path / "cut.png")
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(Failure, match="cannot be read"):
        read_picture(str(path))


@pytest.mark.filterwarnings("ignore:.*as large as a digit")
def test_random_ink_raises_nothing():
    assert not count_crashes(50, seed=1)


@pytest.fixture(scope="module")
def model(finished_run) -> SmallCNN:
    return load_model(finished_run)


@pytest.mark.filterwarnings("ignore:.*as large as a digit")
def test_redrawn_digits_are_read_rightly(model):
    digits = draw_digits(60, seed=9)
    assert share(read_redrawn(model, digits, count=60, seed=0)) >= 0.95
    assert share(read_disturbed(model, digits, count=30, seed=0)) >= 0.8
    assert share(read_redrawn(SmallCNN(), digits, count=20, seed=0)) < 0.5


def test_untouched_png_files_are_read_as_well_as_the_test_set(model):
    digits = mnist_images(200, seed=10)
    assert read_as_files(model, digits) == mnist_classifier.evaluate(model, digits).accuracy


def test_predict_gives_the_most_probable_digits_and_their_probabilities(model):
    images, labels = draw_digits(50, seed=11)
    digits, probabilities = mnist_classifier.predict(model, images / 255)
    assert (digits == labels).float().mean() > 0.9
    expected = mnist_classifier.compute_logits(model, images / 255).softmax(dim=1)
    torch.testing.assert_close(probabilities, expected.amax(dim=1))
    assert torch.equal(digits, expected.argmax(dim=1))


# --- the command ---


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> Path:
    """The current folder, with pictures in it."""
    monkeypatch.chdir(tmp_path)
    draw_seven().save("my seven.png")
    draw_seven("RGB", (10, 10, 10), (200, 200, 90)).save("other.jpg")
    return tmp_path


def answer(capsys, folder: Path, *arguments: str) -> tuple[int, list[list[str]], list[str]]:
    """Exit code, table and lines on standard error of --predict."""
    code = main(["--predict", *arguments, f"--output-dir={folder}"])
    out, err = capsys.readouterr()
    return code, [line.split("\t") for line in out.splitlines()], err.splitlines()


def test_an_answer_that_is_not_sure_is_marked(pictures, finished_run, capsys, monkeypatch):
    sure = mnist_classifier.SURE
    for probability, mark in ((sure, ""), (sure - 0.01, "unsure")):
        result = torch.tensor([7]), torch.tensor([probability], dtype=torch.float64)
        monkeypatch.setattr(mnist_classifier, "predict", lambda model, images, r=result: r)
        table = answer(capsys, finished_run, "my seven.png")[1]
        assert table == [["my seven.png", "7", f"{probability:.4f}", mark]]


def test_patterns_are_expanded_unless_a_file_has_that_name(pictures, finished_run, capsys):
    code, table, err = answer(capsys, finished_run, "*.jpg", str(pictures / "m*.png"))
    assert (code, err) == (0, [])
    assert [row[0] for row in table] == ["other.jpg", str(pictures / "my seven.png")]
    draw_seven().save("[a].png")
    assert answer(capsys, finished_run, "[a].png")[0] == 0
    code, table, err = answer(capsys, finished_run, "*.bmp")
    assert (code, table, len(err)) == (1, [], 1)
    assert "no such file" in err[0]


def test_weights_come_from_the_current_folder_else_from_beside_the_program(
    pictures, finished_run, monkeypatch, capsys
):
    file = str(pictures / "my seven.png")
    monkeypatch.chdir(finished_run)
    assert main(["--predict", file]) == 0
    monkeypatch.chdir(pictures)
    assert main(["--predict", file]) == 0  # the shipped weights
    (pictures / "final_model.pth").write_bytes(b"not weights")
    assert main(["--predict", file]) == 1
    (pictures / "final_model.pth").unlink()
    monkeypatch.setattr(mnist_classifier, "__file__", str(pictures / "program" / "file.py"))
    assert main(["--predict", file]) == 1
    assert_one_line(capsys.readouterr().err.splitlines()[-1], "program", "--output-dir")


def test_bad_pictures_get_a_line_each_and_the_others_an_answer(pictures, finished_run, capsys):
    Image.new("L", (50, 50), 255).save("blank.png")
    for name in ("text.png", "photo.heic"):
        Path(name).write_text("no picture at all", encoding="ascii")
    Path("folder.png").mkdir()
    Image.new("1", (10_001, 5_000)).save("huge.png")
    bad = {
        "blank.png": "blank",
        "text.png": "save it as JPEG or PNG",
        "photo.heic": "save it as JPEG or PNG",
        "folder.png": "not a file",
        "missing.png": "no such file",
        "huge.png": "50,000,000 pixels",
    }
    code, table, err = answer(capsys, finished_run, "my seven.png", *bad, "other.jpg")
    assert code == 1
    assert [row[:2] for row in table] == [["my seven.png", "7"], ["other.jpg", "7"]]
    for line, (name, reason) in zip(err, bad.items(), strict=True):
        assert line.startswith(f"error: {name}: ")
        assert reason in line


def test_a_name_that_the_console_cannot_show_is_no_failure(
    pictures, finished_run, capsys, monkeypatch
):
    draw_seven().save("caf\u00e9.png")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", console := io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
        assert main(["--predict", "caf\u00e9.png", f"--output-dir={finished_run}"]) == 0
    assert b"caf\\xe9.png\t7\t" in console.buffer.getvalue()
    assert capsys.readouterr().err == ""


def test_other_digits_in_a_picture_are_noted_with_its_name(pictures, finished_run, capsys):
    two_sevens().save("two.png")
    code, table, err = answer(capsys, finished_run, "two.png")
    assert (code, table[0][1], len(err)) == (0, "7", 1)
    assert err[0].startswith("note: two.png: ")


def test_the_preview_shows_what_the_network_sees_apart_from_the_table(
    pictures, finished_run, capsys
):
    _, table, (name, *drawing) = answer(capsys, finished_run, "my seven.png", "--preview")
    assert re.fullmatch(r"my seven\.png\t7\t[01]\.\d{4}\t(unsure)?", "\t".join(*table))
    assert name == "my seven.png:"
    assert [len(line) for line in drawing] == [28] * 14
    inked = [[c != " " for c in line] for line in drawing]
    assert sum(inked[3]) >= 14  # the bar of the seven
    assert 3 <= sum(inked[9]) <= 5  # its stem
