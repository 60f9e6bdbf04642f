"""The page to draw on. What a hand does there is tried in Chromium, if there is one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw, ImageOps
from torch import nn

from digit_reader import digit, ink, parts, pieces, reader, to_mnist
from elsewhere.draw_page import (
    NETWORK,
    SHIPPED_PAGE,
    main,
    make_page,
    run_layers,
    to_json,
    to_layers,
)
from mnist_classifier import SmallCNN, compute_logits
from tests.conftest import assert_one_line
from tests.elsewhere.browser import Browser, find_browser
from tests.elsewhere.drawings import DRAWINGS
from tests.elsewhere.page import PAPER, Page

SHIPPED = SHIPPED_PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip("there is no Chromium")
    with Browser(program) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Page:
    return Page(browser, SHIPPED_PAGE)


def network_of(page: str) -> dict:
    return json.loads(NETWORK.search(page)[0].split("\n", 1)[1].removesuffix("</script>"))


def trained_a_little(model: nn.Module) -> nn.Module:
    """`model` with BatchNorms that are not as they begin."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


def with_layer(place: int, layer: nn.Module) -> nn.Module:
    """The network with another layer in the place of one of its features."""
    model = SmallCNN()
    model.features[place] = layer
    return trained_a_little(model)


# --- the network in the page ---
@pytest.mark.parametrize("activation", [nn.Hardswish(), nn.ReLU()])
def test_the_layers_of_the_page_give_the_logits_of_the_network(activation):
    model = with_layer(2, activation)
    images = torch.rand(20, 1, 28, 28)
    logits = run_layers(to_layers(model), images).float()
    torch.testing.assert_close(logits, compute_logits(model, images), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("place", "layer"),
    [
        (2, nn.GELU()),
        (3, nn.Conv2d(16, 16, 3, padding=1, bias=False)),
        (3, nn.Conv2d(16, 16, 3, groups=16, bias=False)),
        (11, nn.Sequential(nn.Hardswish(), nn.MaxPool2d(2, stride=1))),
        (4, nn.BatchNorm2d(16, affine=False)),
        (0, nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 16, 5, 2, bias=False))),
        (3, nn.Sequential(nn.Conv2d(16, 16, (1, 3)), nn.Conv2d(16, 16, (3, 1)))),
        (5, nn.Hardtanh(torch.nan, torch.nan)),
    ],
    ids=["activation", "padding", "groups", "pooling", "plain norm", "norm first", "flat", "nan"],
)
def test_a_network_that_the_page_cannot_compute_is_refused(place, layer, capsys, monkeypatch):
    model = with_layer(place, layer)
    monkeypatch.setattr("elsewhere.draw_page.load_model", lambda path: model)
    assert main([]) == 1
    assert_one_line(capsys.readouterr().err, "cannot do what this network does")


def test_the_shipped_page_has_the_shipped_weights(shipped_model):
    page = network_of(SHIPPED)
    expected = json.loads(to_json(to_layers(shipped_model)))
    assert page["layers"] == expected["layers"]
    remedy = "python -m elsewhere.draw_page --output elsewhere/draw.html"
    assert page["numbers"] == expected["numbers"], f"the weights are others now: {remedy}"


def test_another_page_differs_from_the_shipped_one_in_its_network_alone():
    other = make_page(trained_a_little(SmallCNN()))
    assert NETWORK.sub("", other) == NETWORK.sub("", SHIPPED)
    assert network_of(other)["numbers"] != network_of(SHIPPED)["numbers"]


# --- the command ---
def test_the_command_puts_weights_of_your_own_into_a_page(tmp_path, capsys):
    weights = tmp_path / "my.pth"
    model = trained_a_little(SmallCNN())
    torch.save(model.state_dict(), weights)
    output = tmp_path / "my.html"
    assert main([f"--weights={weights}", f"--output={output}"]) == 0
    assert f"{output}: reads with {weights}" in capsys.readouterr().out
    assert output.read_text(encoding="utf-8") == make_page(model)


def test_a_page_that_cannot_be_written_is_one_line(tmp_path, capsys):
    weights = tmp_path / "my.pth"
    torch.save(SmallCNN().state_dict(), weights)
    assert main([f"--weights={weights}", f"--output={tmp_path}"]) == 1
    assert_one_line(capsys.readouterr().err, f"cannot write {tmp_path}", "see --output")


# --- the file ---
@pytest.mark.parametrize("module", [digit, ink, parts, pieces, reader], ids=lambda m: m.__name__)
def test_the_page_has_the_thresholds_of_the_reader(module):
    section = SHIPPED.split(f"// {Path(module.__file__).name}\n")[1]
    section = re.split(r"^// \w+\.py$|^</script>$", section, flags=re.MULTILINE)[0]
    constants = re.findall(r"^const ([A-Z_]+) = (.+);", section, re.MULTILINE)
    constants = [(name, value) for name, value in constants if name != "SOFT_EDGE"]
    assert constants
    assert [c for c in constants if eval(c[1]) != getattr(module, c[0])] == []


def test_the_page_asks_for_nothing_outside_of_it():
    code = NETWORK.sub("", SHIPPED)
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'" in code
    assert re.findall(r"https?:|\bsrc=|\bhref=|\burl\(|\bimport\b", code) == []


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb", 0 to 1, as WCAG 2 defines it."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_bars_have_the_contrast_that_is_asked_for(scheme):
    colours = dict(re.findall(r"--(\w+): (#\w{6});", SHIPPED.split(":root {")[1 + scheme]))
    for ground in ("page", "paper"):
        for name in ("ink", "quiet", "warning", "accent"):
            darker, lighter = sorted([luminance(colours[ground]), luminance(colours[name])])
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (name, ground)


# --- in a browser ---
def test_the_page_computes_the_logits_of_a_network_of_your_own(browser, tmp_path):
    model = trained_a_little(SmallCNN())
    file = tmp_path / "my.html"
    file.write_text(make_page(model), encoding="utf-8")
    images = torch.rand(5, 1, 28, 28)
    page = Page(browser, file)
    logits = torch.tensor([page.logits(image) for image in images])
    torch.testing.assert_close(logits, compute_logits(model, images), rtol=0, atol=1e-3)


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_drawn_with_the_mouse_is_read_and_seen_as_the_reader_sees_it(page, digit):
    page.draw(DRAWINGS[digit])
    assert page.text("digit") == str(digit)
    seen = torch.tensor(page.reading()["image"]).view(1, 28, 28)
    torch.testing.assert_close(seen, to_mnist(page.paper()), rtol=0, atol=0.02)


PIECES = {  # boxes of ink: left, top, right, bottom
    "a thin stroke": [(100, 60, 108, 460)],
    "a bar that lies apart": [(60, 60, 440, 90), (250, 150, 290, 450)],
    "a part that is near": [(200, 60, 240, 300), (250, 310, 300, 400)],
    "an underline": [(200, 60, 240, 300), (100, 315, 400, 345)],
    "another digit": [(60, 60, 120, 400), (140, 60, 190, 400)],
    "a speck": [(200, 60, 240, 460), (250, 100, 254, 104)],
    "a bar that is too long": [(230, 120, 270, 400), (20, 70, 490, 100)],
    "a longer and lighter digit": [(60, 60, 90, 400), (200, 60, 330, 170)],
    "dots": [(x, 100, x + 20, 120) for x in range(100, 300, 33)]
    + [(265, y, 285, y + 20) for y in range(133, 400, 33)],
}


@pytest.mark.parametrize("boxes", PIECES.values(), ids=PIECES.keys())
def test_what_belongs_to_a_digit_is_what_the_reader_takes_for_it(page, boxes):
    ink = Image.new("L", (PAPER, PAPER))
    for box in boxes:
        ImageDraw.Draw(ink).rectangle(box, fill=255)
    page.put(ink)
    seen = torch.tensor(page.reading()["image"]).view(1, 28, 28)
    torch.testing.assert_close(seen, to_mnist(ImageOps.invert(ink)), rtol=0, atol=0.02)


def test_a_pen_draws(page):
    page.draw(DRAWINGS[5], pointer="pen")
    assert page.text("digit") == "5"


def test_a_finger_draws_and_does_not_scroll(browser):
    page = Page(browser, SHIPPED_PAGE, width=320)
    page.draw_with_finger(DRAWINGS[4])
    assert page.text("digit") == "4"
    assert browser.evaluate("scrollY") == 0


def test_the_keys_draw(page):
    page.press("Tab", *["ArrowUp"] * 8, " ", *["ArrowDown"] * 16, " ", "ArrowLeft")
    assert page.text("digit") == "1"
    assert page.browser.evaluate("strokes.length") == 1


def test_an_empty_paper_is_called_so(page):
    assert page.text("certainty") == "The paper is empty"
    assert page.text("digit") == page.text("unsure") == ""
    assert page.text("spoken") == "The paper is empty."


@pytest.mark.parametrize("way", ["button", "keys"])
def test_undo_takes_the_last_stroke_back_and_clear_all(page, way):
    def do(name: str) -> None:
        if way == "button":
            page.browser.evaluate(f"element('{name}').click()")
        elif name == "undo":
            page.press("z", control=True)
        else:
            page.press("Delete")
        page.browser.settle()

    first, second = DRAWINGS[4]
    page.draw([first])
    before = page.reading()
    page.draw([second])
    assert page.reading() != before
    do("undo")
    assert page.reading() == before
    page.draw([second])
    do("clear")
    assert page.reading() is None
    assert page.text("certainty") == "The paper is empty"
    do("undo")  # of nothing
    assert page.reading() is None


def test_an_answer_of_low_probability_is_unsure(browser, tmp_path):
    model = SmallCNN()
    nn.init.zeros_(model.head.weight)
    marks = []
    for logit in (5, 20):
        nn.init.zeros_(model.head.bias)
        model.head.bias.data[3] = logit
        file = tmp_path / f"{logit}.html"
        file.write_text(make_page(model.eval()), encoding="utf-8")
        page = Page(browser, file)
        page.draw(DRAWINGS[3])
        marks.append((page.text("unsure"), page.text("spoken")))
    assert marks == [("unsure", "3, 94.3 %, unsure."), ("", "3, 100.0 %.")]


def test_several_digits_are_noted_and_unsure(page):
    page.draw([[(0.2, 0.2), (0.2, 0.8)], [(0.7, 0.2), (0.7, 0.8)]])
    assert page.text("note") == "2 things are as large as a digit; one is read"
    assert page.text("unsure") == "unsure"


def test_what_is_said_aloud_is_said_at_the_end_of_a_stroke(page):
    start = page.on_screen((0.5, 0.2))
    page.browser.send("Input.dispatchMouseEvent", type="mousePressed", button="left", **start)
    page.browser.settle()
    assert page.text("digit") != ""
    assert page.text("spoken") == "The paper is empty."
    page.browser.send("Input.dispatchMouseEvent", type="mouseReleased", button="left", **start)
    page.browser.settle()
    assert page.text("spoken").startswith(page.text("digit"))


@pytest.mark.parametrize("width", [320, 800])
def test_nothing_is_wider_than_the_screen(browser, width):
    page = Page(browser, SHIPPED_PAGE, width=width)
    page.draw(DRAWINGS[2])
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_in_dark_mode_the_strokes_are_light_and_read_the_same(browser):
    answers = []
    for dark in (False, True):
        page = Page(browser, SHIPPED_PAGE, dark=dark)
        page.draw(DRAWINGS[8])
        red = page.paper().getpixel((256, 256))[0]
        answers.append(page.reading())
        assert (red > 128) == dark
    assert answers[0] == answers[1]
