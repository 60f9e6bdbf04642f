"""Draw the pictures of the README, which are in .github/.

    python -m experiments.draw_pictures error        # the curves of runs/default, ten seeds
    python -m experiments.draw_pictures mistakes     # the first mistakes of the shipped weights
    python -m experiments.draw_pictures photo        # tests/photo_of_a_5.jpg itself
    python -m experiments.draw_pictures reading      # how the digit in that photo is found

`python -m experiments.seeds` makes the runs. The mistakes need MNIST, in --data-dir.
"""

import csv
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

import mnist_classifier as mc
from digit_reader import to_mnist
from digit_reader.gray import to_gray
from digit_reader.reader import look_at
from experiments.draw_photo import draw_photo
from experiments.processes import ROOT, make_parser
from experiments.published_recipe import EPOCHS

PICTURES = ROOT / ".github"
PHOTO = ROOT / "tests" / "photo_of_a_5.jpg"
FONT = ImageFont.load_default(size=26)
PUBLISHED_ACCURACY = {  # by epoch, in the log of the published recipe, which starts at the ninth
    9: 99.34,
    10: 99.33,
    11: 99.37,
    12: 99.35,
    13: 99.37,
    14: 99.38,
    15: 99.41,
    16: 99.46,
    17: 99.40,
    18: 99.44,
    19: 99.34,
    20: 99.41,
}


class Chart:
    """A page with axes: epochs to the right, the error in percent of the test images upwards."""

    left, right, top, bottom = 150, 60, 90, 120  # pixels around the axes
    largest = 1.0  # percent

    def __init__(self, width: int = 1400, height: int = 760) -> None:
        self.page = Image.new("RGB", (width, height), "white")
        self.draw = ImageDraw.Draw(self.page)
        for tenths in range(0, 11, 2):
            error = tenths / 10
            line = [self.place(1, error), self.place(EPOCHS, error)]
            self.draw.line(line, "black" if error == 0 else "lightgray", 2)
            self.text(0.75, error, f"{error:.1f} %", "dimgray", "rm")
        for epoch in range(1, EPOCHS + 1):
            self.text(epoch, -0.06, str(epoch), "dimgray", "mm")
        self.draw.text((width / 2, height - 36), "epoch", "dimgray", FONT, "mm")
        title = "test error after each epoch, % of 10,000 images"
        self.draw.text((self.left, 40), title, "dimgray", FONT, "lm")

    def place(self, epoch: float, error: float) -> tuple[float, float]:
        """Return the pixel of an epoch and an error in percent."""
        width = self.page.width - self.left - self.right
        height = self.page.height - self.top - self.bottom
        x = self.left + (epoch - 1) / (EPOCHS - 1) * width
        y = self.top + (1 - error / self.largest) * height
        return x, y

    def curve(self, errors: dict[int, float], colour: str, thickness: int) -> None:
        """Draw errors in percent by epoch; what is above the page is cut off."""
        points = [self.place(epoch, min(error, self.largest)) for epoch, error in errors.items()]
        self.draw.line(points, colour, thickness, joint="curve")

    def text(self, epoch: float, error: float, text: str, colour: str, anchor: str) -> None:
        """Write `text` at a place on the chart."""
        self.draw.text(self.place(epoch, error), text, colour, FONT, anchor)


def read_errors(path: Path) -> dict[int, float]:
    """Return the test error in percent after each epoch of a run, from its history."""
    rows = csv.DictReader(path.read_text(encoding="ascii").splitlines())
    return {int(row["epoch"]): 100 * (1 - float(row["test_accuracy"])) for row in rows}


def draw_error(folder: Path) -> Image.Image:
    """Draw the runs in `folder` and their mean beside the log of the published recipe."""
    runs = [read_errors(path) for path in sorted(folder.glob(f"*/{mc.HISTORY_FILE}"))]
    if not runs:
        sys.exit(f"there are no runs in {folder}: python -m experiments.seeds makes them")
    mean = {epoch: statistics.fmean(run[epoch] for run in runs) for epoch in runs[0]}
    chart = Chart()
    for run in runs:
        chart.curve(run, "lightsteelblue", 2)
    chart.curve(mean, "mediumblue", 7)
    published = {epoch: 100 - accuracy for epoch, accuracy in PUBLISHED_ACCURACY.items()}
    chart.curve(published, "darkorange", 7)
    last = max(mean)
    chart.text(last + 0.3, mean[last], f"this program: {len(runs)} seeds", "mediumblue", "lm")
    chart.text(last + 0.3, mean[last] - 0.07, "and their mean", "mediumblue", "lm")
    chart.text(13.5, 0.72, "the published log: one run", "darkorange", "lm")
    return chart.page


def draw_mistakes(data_dir: Path) -> Image.Image:
    """Draw the first three rows of what the shipped weights read wrongly in the test set."""
    digits = mc.load_digits(data_dir, "t10k")
    logits = mc.compute_logits(mc.load_model(ROOT), digits.scaled())
    return mc.draw_mistakes(digits, logits, limit=24)


def as_picture(image: Tensor) -> Image.Image:
    """Return `image` (H, W), 0 to 1, as dark ink on white."""
    return Image.fromarray((255 * (1 - image)).round().byte().numpy())


def draw_reading() -> Image.Image:
    """Draw the steps from the photo to what the network sees."""
    photo = Image.open(PHOTO)
    views = look_at(to_gray(photo))
    if not views:
        sys.exit(f"nothing stands out in {PHOTO}")
    steps = {
        "the photo": photo.convert("RGB"),
        "its ink": as_picture(views[0].ink / views[0].ink.max()),
        "28x28: what the network sees": ImageOps.invert(as_picture(to_mnist(photo)[0])),
    }
    size = 400
    page = Image.new("RGB", (len(steps) * (size + 40) + 40, size + 110), "white")
    draw = ImageDraw.Draw(page)
    for i, (title, picture) in enumerate(steps.items()):
        left = 40 + i * (size + 40)
        method = Image.Resampling.NEAREST if picture.width < 100 else Image.Resampling.BICUBIC
        shown = ImageOps.contain(picture.convert("RGB"), (size, size), method)
        top = 30 + (size - shown.height) // 2
        page.paste(shown, (left, top))
        draw.rectangle((left - 1, top - 1, left + shown.width, top + shown.height), None, "gray")
        draw.text((left + size / 2, size + 66), title, "dimgray", FONT, "mm")
    return page


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the picture that the arguments `argv` name."""
    parser = make_parser("Draw a picture of the README.")
    parser.add_argument("picture", choices=["error", "mistakes", "photo", "reading"])
    parser.add_argument("--runs", type=Path, default=Path("runs/default"), help="of ten seeds")
    args = parser.parse_args(argv)
    if args.picture == "error":
        draw_error(args.runs).save(PICTURES / "error_by_epoch.png", optimize=True)
    elif args.picture == "mistakes":
        draw_mistakes(args.data_dir).save(PICTURES / "mistakes.png", optimize=True)
    elif args.picture == "photo":
        draw_photo().save(PHOTO, quality=85)
    else:
        draw_reading().save(PICTURES / "reading.png", optimize=True)


if __name__ == "__main__":
    main()
