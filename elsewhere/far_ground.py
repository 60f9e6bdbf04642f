"""Read other collections of handwritten digits with the reader.

    python -m elsewhere.far_ground digits.csv.gz zip.test.gz semeion.data ARDIS_test_2828.csv img

The files are those of scikit-learn, of the United States Postal Service (USPS), of the Semeion
research centre, and of ARDIS; img is the folder of HwD-1000. README.md, beside this file, tells
where they come from. Their digits have 8x8 to 28x28 pixels, so that each is enlarged and laid on
paper first, as a small scan would be.
"""

import argparse
import gzip
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image  # type: ignore[import-untyped]

import mnist_classifier as mc
from digit_reader import Reading, read_digit
from experiments.processes import expanded_path

DIGIT_SIZE = 160  # pixels, of an enlarged digit
MARGIN = 40  # pixels of paper on each side


def load_collection(path: Path) -> tuple[Tensor, Tensor]:
    """Return images (N, size, size), 0 to 1, the background, to ink, and labels (N,).

    The name of `path` tells which collection it is, and a folder is HwD-1000. ARDIS has its labels
    in another file beside it. Raises Failure if it is none of the five, or has other content.
    """
    try:
        images, labels = read_collection(path)
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images and {len(labels)} labels")
    except (OSError, EOFError, LookupError, ValueError, RuntimeError) as error:
        raise mc.Failure(f"cannot read {path} ({mc.one_line(error)})") from error
    return images, labels


def read_collection(path: Path) -> tuple[Tensor, Tensor]:
    """Return what `load_collection` returns, or raise what goes wrong."""
    if path.is_dir():
        return load_pictures(path)
    rows = read_rows(path)
    if path.name.startswith("digits"):  # 0 to 16, and the label
        return to_squares(rows[:, :-1] / 16), rows[:, -1].long()
    if path.name.startswith("zip"):  # the label, and -1 to 1
        return to_squares((rows[:, 1:] + 1) / 2), rows[:, 0].long()
    if path.name.startswith("semeion"):  # 0 or 1, and ten places, of which the label's is 1
        return to_squares(rows[:, :-10]), rows[:, -10:].argmax(dim=1)
    if path.name.startswith("ARDIS"):  # 0 to 255; the labels as ten places
        labels = read_rows(path.with_name(path.name.replace("2828", "labels")))
        return to_squares(rows / 255), labels.argmax(dim=1)
    raise mc.Failure(f"{path} is not called digits, zip, semeion or ARDIS..., nor a folder")


def read_rows(path: Path) -> Tensor:
    """Return the numbers (rows, columns) in a file of text, which may be compressed."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="ascii") as file:
        return torch.tensor([[*map(float, line.replace(",", " ").split())] for line in file])


def load_pictures(folder: Path) -> tuple[Tensor, Tensor]:
    """Return images (N, size, size), 0 to 1, and labels (N,) of PNG files of ink on white.

    The name of each begins with its label.
    """
    paths = sorted(folder.glob("[0-9]*.png"))
    images = [1 - pil_to_tensor(Image.open(path).convert("L"))[0] / 255 for path in paths]
    return torch.stack(images), torch.tensor([int(path.name[0]) for path in paths])


def to_squares(pixels: Tensor) -> Tensor:
    """Return images (N, size, size) of `pixels` (N, size * size)."""
    size = round(pixels.shape[1] ** 0.5)
    return pixels.view(-1, size, size)


def lay_on_paper(ink: Tensor) -> Image.Image:
    """Return a picture of the digit `ink` (size, size), 0 to 1, black on white."""
    paper = to_pil_image(((1 - ink) * 255).round().to(torch.uint8))
    enlarged = paper.resize((DIGIT_SIZE, DIGIT_SIZE), Image.Resampling.BICUBIC)
    return ImageOps.expand(enlarged, MARGIN, "white")


def nearest_neighbours(images: Tensor, labels: Tensor) -> Tensor:
    """Return the label (N,) of the most similar other image of the collection, for each."""
    pixels = images.flatten(1)
    answers = []
    for start in range(0, len(pixels), 1000):
        distances = torch.cdist(pixels[start : start + 1000], pixels)
        itself = torch.arange(len(distances))
        distances[itself, start + itself] = torch.inf
        answers.append(labels[distances.argmin(dim=1)])
    return torch.cat(answers)


def read_all(images: Tensor, model: nn.Module) -> list[Reading | None]:
    """Return what the reader says to each of `images` (N, size, size), None if it is blank."""
    readings: list[Reading | None] = []
    for ink in images:
        try:
            readings.append(read_digit(lay_on_paper(ink), model))
        except mc.Failure:
            readings.append(None)
    return readings


def row_of(path: Path, model: nn.Module) -> str:
    """Return a row of the table of README.md: how the collection in `path` is read."""
    images, labels = load_collection(path)
    pairs = list(zip(read_all(images, model), labels.tolist(), strict=True))
    right = sum(reading is not None and reading.digit == label for reading, label in pairs)
    sure = [(r, label) for r, label in pairs if r is not None and r.sure]
    right_and_sure = sum(reading.digit == label for reading, label in sure)
    neighbours = (nearest_neighbours(images, labels) == labels).float().mean().item()
    cells = [path.name, f"{len(labels):,}", f"{right / len(labels):.1%}", f"{len(sure):,}"]
    cells += [f"{right_and_sure / max(1, len(sure)):.1%}", f"{neighbours:.1%}"]
    return f"| {' | '.join(cells)} |"


def run(args: argparse.Namespace) -> int:
    """Print a row for each collection; return the exit code."""
    torch.set_num_threads(1)  # pictures are small
    model = mc.load_model(args.weights or mc.find_weights())
    print("| collection | digits | right | sure | right among the sure | nearest neighbour |")
    print("|---|---|---|---|---|---|", flush=True)
    for path in args.files:
        print(row_of(path, model), flush=True)
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = mc.Parser(
        prog="elsewhere.far_ground",
        description="Read other collections of handwritten digits with the reader.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=expanded_path,
        metavar="FILE",
        help="of a collection, or its folder",
    )
    parser.add_argument(
        "--weights", type=expanded_path, help="of the network; else as the reader finds them"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    return mc.exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
