"""Reading people's pictures with the trained network."""

import os
import re
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

import mnist_classifier
from mnist_classifier import Digits, Failure, SmallCNN, main, predict, to_mnist
from tests.drawn_digits import draw_digits
from tests.redraw import read_as_files, read_redrawn


def draw_seven(
    mode: str = "L", paper: object = 255, ink: object = 0, size: tuple[int, int] = (200, 160)
) -> Image.Image:
    """A seven of 60x80 pixels, its top left corner at (30, 50)."""
    picture = Image.new(mode, size, paper)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((30, 50, 89, 61), fill=ink)
    draw.rectangle((78, 50, 89, 129), fill=ink)
    return picture


SEVEN = to_mnist(draw_seven())


def assert_is_seven(digit: torch.Tensor) -> None:
    assert digit.shape == (1, 28, 28)
    assert (digit - SEVEN).abs().mean() < 0.01
    assert (digit - SEVEN).abs().max() < 0.3


def test_a_picture_becomes_a_light_digit_of_20_pixels_centred_by_its_mass():
    rows, columns = (torch.nonzero(SEVEN[0].amax(dim) > 0.1).flatten() for dim in (1, 0))
    assert rows[-1] - rows[0] + 1 == 20
    assert columns[-1] - columns[0] + 1 == 15
    assert (SEVEN.min(), SEVEN.max()) == (0, 1)
    assert mnist_classifier.centre_of_mass(SEVEN[0]) == pytest.approx([14, 14], abs=0.51)


def palette_seven() -> Image.Image:
    picture = draw_seven("P", paper=3, ink=7)
    picture.putpalette([0] * 9 + [240, 230, 220] + [9] * 9 + [20, 30, 90])
    return picture


def turned_seven() -> Image.Image:
    picture = draw_seven().rotate(90, expand=True)  # as a phone that is held sideways stores it
    picture.getexif()[0x0112] = 6  # "turn it clockwise by a quarter to see it"
    return picture


def uneven_seven() -> Image.Image:
    light = Image.linear_gradient("L").resize((200, 160)).point([150 + v // 3 for v in range(256)])
    light.paste(60, mask=ImageOps.invert(draw_seven()))
    return light


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
    "lit from one side": uneven_seven,
    "cropped tightly": lambda: draw_seven().crop((28, 48, 92, 132)),
    "touching the upper edge": lambda: draw_seven().crop((26, 50, 94, 134)),
    "in a corner of a large picture": lambda: draw_seven(size=(390, 400)),
}


@pytest.mark.parametrize("kind", SAME_SEVENS)
def test_all_kinds_of_pictures_of_a_digit_look_the_same_to_the_network(kind):
    assert_is_seven(to_mnist(SAME_SEVENS[kind]()))


def test_a_large_and_a_small_picture_look_the_same_to_the_network():
    assert_is_seven(to_mnist(draw_seven().resize((1600, 1280))))
    small = to_mnist(draw_seven().resize((75, 60), Image.Resampling.BOX))
    assert (small - SEVEN).abs().mean() < 0.03


def test_a_thin_pen_leaves_no_gaps():
    picture = Image.new("L", (300, 380), 255)
    ImageDraw.Draw(picture).line([(50, 40), (250, 40), (120, 340)], fill=0, width=5)
    inked = to_mnist(picture)[0] > 0.25
    assert inked.any(dim=1).sum() == 20
    assert inked.sum(dim=1).max() >= 12  # the bar


def test_mnist_images_go_through_unharmed():
    for image in draw_digits(20, seed=8).images.squeeze(1):
        image[image < 40] = 0  # the noise of the background
        image = mnist_image(image)
        digit = to_mnist(Image.fromarray(image.numpy()))
        assert torch.equal(digit, image.unsqueeze(0).float() / 255)


def mnist_image(image: torch.Tensor) -> torch.Tensor:
    """Move the digit so that its centre of mass is in the middle, as MNIST has it."""
    row, column = mnist_classifier.centre_of_mass(image.float())
    return image.roll((round(14 - row), round(14 - column)), (0, 1))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16", "F"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (28, 28), (200, 100)])
def test_a_blank_picture_is_no_digit(mode, size):
    with pytest.raises(Failure, match="blank"):
        to_mnist(Image.new(mode, size))


def test_noise_is_no_digit():
    noise = Image.effect_noise((120, 120), 20)
    with pytest.raises(Failure, match="blank"):
        to_mnist(noise)


@pytest.fixture(scope="module")
def model(finished_run) -> SmallCNN:
    return mnist_classifier.load_model(finished_run)


def test_redrawn_digits_are_read_rightly(model):
    assert read_redrawn(model, draw_digits(100, seed=9), count=100, seed=0) >= 0.95
    untrained = SmallCNN()
    assert read_redrawn(untrained, draw_digits(100, seed=9), count=100, seed=0) < 0.5


def test_untouched_png_files_are_read_as_well_as_the_test_set(model):
    images, labels = draw_digits(200, seed=10)
    images = torch.stack([mnist_image(image * (image > 40)) for image in images.squeeze(1)])
    digits = Digits(images.unsqueeze(1), labels)
    assert read_as_files(model, digits) == mnist_classifier.evaluate(model, digits).accuracy


def test_predict_gives_the_most_probable_digits_and_their_probabilities(model):
    images, labels = draw_digits(50, seed=11)
    digits, probabilities = predict(model, images / 255)
    assert (digits == labels).float().mean() > 0.9
    expected = mnist_classifier.compute_logits(model, images / 255).softmax(dim=1)
    torch.testing.assert_close(probabilities, expected.amax(dim=1))
    assert torch.equal(digits, expected.argmax(dim=1))


@pytest.fixture
def pictures(tmp_path) -> Path:
    draw_seven().save(tmp_path / "my seven.png")
    draw_seven("RGB", (10, 10, 10), (200, 200, 90)).save(tmp_path / "other.jpg")
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    (tmp_path / "text.png").write_text("no picture at all")
    (tmp_path / "empty.png").touch()
    cut = (tmp_path / "my seven.png").read_bytes()[:150]
    (tmp_path / "cut.png").write_bytes(cut)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    Image.new("1", (10_000, 6_000)).save(tmp_path / "huge.png")
    return tmp_path


def test_each_picture_is_answered_on_a_line_of_its_own(pictures, finished_run, capsys):
    files = [str(pictures / name) for name in ("my seven.png", "other.jpg")]
    assert main(["--predict", *files, f"--output-dir={finished_run}"]) == 0
    out, err = capsys.readouterr()
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[0] for line in lines] == files
    assert [line[1] for line in lines] == ["7", "7"]
    assert all(re.fullmatch(r"[01]\.\d{4}", line[2]) for line in lines)
    assert all(0.3 < float(line[2]) <= 1 for line in lines)
    assert err == ""


BAD_PICTURES = {
    "blank.png": "blank",
    "text.png": "not an image",
    "empty.png": "not an image",
    "cut.png": "broken",
    "folder.png": "not a file",
    "pipe.png": "not a file",
    "missing.png": "no such file",
    "huge.png": "pixels",
}


def test_bad_pictures_get_a_line_each_and_the_others_an_answer(pictures, finished_run, capsys):
    files = [str(pictures / name) for name in ("my seven.png", *BAD_PICTURES, "other.jpg")]
    assert main(["--predict", *files, f"--output-dir={finished_run}"]) == 1
    out, err = capsys.readouterr()
    assert [line.split("\t")[1] for line in out.splitlines()] == ["7", "7"]
    for line, (name, reason) in zip(err.splitlines(), BAD_PICTURES.items(), strict=True):
        assert line.startswith(f"error: {pictures / name}: ")
        assert reason in line


def test_the_preview_shows_what_the_network_sees(pictures, finished_run, capsys):
    where = f"--output-dir={finished_run}"
    assert main(["--predict", str(pictures / "my seven.png"), "--preview", where]) == 0
    _, *drawing = capsys.readouterr().out.splitlines()
    assert [len(line) for line in drawing] == [28] * 14
    inked = [[c != " " for c in line] for line in drawing]
    assert sum(inked[3]) == 15  # the bar of the seven
    assert sum(inked[9]) == 3 or sum(inked[9]) == 4  # its stem


def test_weights_that_are_not_there_are_no_traceback(tmp_path, capsys):
    assert main(["--predict", "x.png", f"--output-dir={tmp_path}"]) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(r"error: no weights at .*final_model\.pth.*--output-dir\n", err)
