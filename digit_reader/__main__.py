"""The command line of the reader.

python -m digit_reader photo.jpg scan.png    # file, digit, probability, "unsure" or nothing
python -m digit_reader --preview photo.jpg   # draw as well what the network sees
"""

import argparse
import glob
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from digit_reader import read_digit
from mnist_classifier import Failure, exit_code, find_weights, load_model


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="digit_reader",
        description="Read the handwritten digit in each of your own pictures.",
        usage=argparse.SUPPRESS,  # so that an error is one line
    )
    parser.add_argument("pictures", nargs="+", metavar="IMAGE", help="files, or patterns: *.png")
    parser.add_argument("--preview", action="store_true", help="draw what the network sees")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="of the network; else final_model.pth, here or beside mnist_classifier.py",
    )
    return parser.parse_args(argv)


def expand(pattern: str) -> list[str]:
    """Return the files that match `pattern`, such as *.png: the shells of Windows do not.

    An existing file is returned as it is, and so is a pattern that matches nothing.
    """
    if os.path.exists(pattern):
        return [pattern]
    return sorted(glob.glob(pattern)) or [pattern]


def preview(image: Tensor) -> Iterator[str]:
    """Yield the lines of a drawing of `image` (1, 28, 28); characters are twice as high as wide."""
    levels = (F.avg_pool2d(image, (2, 1))[0] * 9).round().int()
    for row in levels.tolist():
        yield "".join(" .:-=+*#%@"[level] for level in row)


def run(args: argparse.Namespace) -> int:
    """Print a line for each picture, or say what is wrong with it; return the exit code."""
    torch.set_num_threads(1)  # pictures are small: threads would mostly wait for each other
    model = load_model(args.weights or find_weights())
    code = 0
    for path in [path for pattern in args.pictures for path in expand(pattern)]:
        name = "".join(c if c.isprintable() else "?" for c in path)
        try:
            reading = read_digit(path, model)
        except Failure as failure:
            print(f"error: {name}: {failure}", file=sys.stderr)
            code = 1
            continue
        if reading.note:
            print(f"note: {name}: {reading.note}", file=sys.stderr)
        mark = "" if reading.sure else "unsure"
        print(f"{name}\t{reading.digit}\t{reading.probability:.4f}\t{mark}")
        if args.preview:
            print(f"{name}:", *preview(reading.image), sep="\n", file=sys.stderr)
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # about odd files, which are read all the same
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
