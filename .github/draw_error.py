"""Draw error_by_epoch.png from runs/SEED/history.csv, beside the log of the published recipe."""

import csv
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PUBLISHED = {9 + i: 100 - right for i, right in enumerate(
    (99.34, 99.33, 99.37, 99.35, 99.37, 99.38, 99.41, 99.46, 99.40, 99.44, 99.34, 99.41)
)}  # fmt: skip
HISTORIES = sorted(Path("runs").glob("[0-9]/history.csv"))
if not HISTORIES:
    sys.exit("no runs/SEED/history.csv here: README.md has the commands that train ten seeds")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 1400, 640, 150, 60, 110  # pixels
page = Image.new("RGB", (WIDTH, HEIGHT), "white")
draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=26)


def place(epoch: float, error: float) -> tuple[float, float]:
    """Pixel of an epoch, 1 to 20, and an error in percent, 0.3 to 1."""
    x = LEFT + (epoch - 1) / 19 * (WIDTH - LEFT - 60)
    return x, TOP + (1 - error) / 0.7 * (HEIGHT - TOP - BOTTOM)


for error in (0.4, 0.6, 0.8, 1.0):
    draw.line([place(1, error), place(20, error)], "lightgray", 2)
    draw.text(place(0.75, error), f"{error:.1f} %", "dimgray", font, anchor="rm")
for epoch in (1, 5, 10, 12, 15, 20):
    draw.text((place(epoch, 0)[0], HEIGHT - BOTTOM + 30), str(epoch), "dimgray", font, anchor="mm")
draw.text((WIDTH / 2, HEIGHT - 30), "test error after each epoch", "dimgray", font, anchor="mm")
for path in HISTORIES:
    rows = csv.DictReader(path.read_text(encoding="ascii").splitlines())
    errors = [(int(r["epoch"]), 100 * (1 - float(r["test_accuracy"]))) for r in rows]
    draw.line([place(epoch, min(error, 1)) for epoch, error in errors], "royalblue", 3)
draw.line([place(*point) for point in PUBLISHED.items()], "darkorange", 6)
draw.text(place(12.3, 0.37), "this program, ten seeds", "royalblue", font, anchor="lm")
draw.text(place(14.4, 0.72), "the published recipe's log", "darkorange", font, anchor="lm")
page.save(Path(__file__).with_name("error_by_epoch.png"), optimize=True)
