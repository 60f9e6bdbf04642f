"""Count how often the page that is drawn on answers as the reader does, in a browser.

python -m tests.elsewhere.agreement DATA_DIR [PICTURE ...]

500 digits of MNIST's test set are laid on the paper, enlarged, in a pen of any width; so are
pictures that somebody drew in a paint program. The reader is given the same, or that picture.
"""

import random
import sys
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image, ImageOps
from torch import Tensor

from digit_reader import Reading, open_picture, read_digit
from digit_reader.gray import to_gray
from digit_reader.ink import polarity_of, to_grid
from elsewhere.draw_page import SHIPPED_PAGE
from mnist_classifier import compute_logits, find_weights, load_digits, load_model
from tests.elsewhere.browser import Browser, find_browser
from tests.elsewhere.page import PAPER, Page
from tests.reader.pens import draw_pen

DIGITS = 500
LEAST_AGREEMENT = 0.99  # of the answers


def enlarge(digit: Tensor, rng: random.Random) -> Image.Image:
    """The ink of `digit` (28, 28) uint8, anywhere on the paper, 0.3 to 0.9 of its size."""
    strokes = Image.fromarray(digit.numpy())
    strokes = strokes.crop(strokes.getbbox())
    scale = rng.uniform(0.3, 0.9) * PAPER / max(strokes.size)
    width, height = (max(1, round(side * scale)) for side in strokes.size)
    strokes = strokes.resize((width, height), Image.Resampling.BICUBIC)
    paper = Image.new("L", (PAPER, PAPER))
    paper.paste(strokes, (rng.randint(0, PAPER - width), rng.randint(0, PAPER - height)))
    return draw_pen(paper, 0.35 * scale, rng.uniform(70, 160))


def ink_of(path: str) -> Image.Image:
    """The ink of the picture `path`, dark or light on a plain ground, amid the paper."""
    with open_picture(path) as picture:
        pixels = to_gray(picture)
    if polarity_of(to_grid(pixels)) < 0:
        pixels = 255 - pixels
    ground = pixels.median().clamp(min=1)
    ink = (255 * (1 - pixels / ground)).clamp(min=0).to(torch.uint8)
    return ImageOps.pad(Image.fromarray(ink.numpy()), (PAPER, PAPER), Image.Resampling.BICUBIC)


def report(kind: str, pairs: Sequence[tuple[dict[str, Any] | None, Reading]]) -> float:
    """Print how often the page and the reader agree; return the share of same answers."""
    answers = [(page and page["digit"], reading.digit) for page, reading in pairs]
    marks = [(page and page["isSure"], reading.sure) for page, reading in pairs]
    same_answers = sum(page == reader for page, reader in answers)
    same_marks = sum(page == reader for page, reader in marks)
    print(
        f"{kind}: {same_answers} of {len(pairs)} answers are the reader's, "
        f"and {same_marks} are as sure or unsure as its"
    )
    return same_answers / len(pairs)


def main(data_dir: str, *pictures: str) -> None:
    torch.set_num_threads(1)
    browser_path = find_browser()
    if browser_path is None:
        sys.exit("there is no Chromium")
    model = load_model(find_weights())
    digits = load_digits(data_dir, "t10k")
    rng = random.Random(0)
    chosen = digits.images[rng.sample(range(len(digits.labels)), DIGITS)]
    with Browser(browser_path) as browser:
        page = Page(browser, SHIPPED_PAGE)

        logits = torch.tensor([page.logits(image) for image in chosen[:, 0] / 255])
        difference = (logits - compute_logits(model, chosen / 255)).abs().max()
        print(f"Logits of {DIGITS} test images differ from PyTorch's by at most {difference:.1g}")

        pairs = []
        for digit in chosen[:, 0]:
            ink = enlarge(digit, rng)
            page.put(ink)
            pairs.append((page.reading(), read_digit(ImageOps.invert(ink), model)))
        agreement = report("Test digits", pairs)

        pairs = []
        for path in pictures:
            page.put(ink_of(path))
            pairs.append((page.reading(), read_digit(path, model)))
        if pairs:
            report("Pictures", pairs)
    if agreement < LEAST_AGREEMENT:
        sys.exit("the page reads otherwise than the reader")


if __name__ == "__main__":
    main(*sys.argv[1:])
