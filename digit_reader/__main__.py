"""The command line of the reader.

python -m digit_reader photo.jpg scan.png    # file, digit, probability, "unsure" or nothing
python -m digit_reader --preview photo.jpg   # draw as well what the network sees
python -m digit_reader --json scans          # the pictures in a folder, a line of JSON for each
python -m digit_reader --all sheet.jpg       # all digits of each picture, line by line
"""

import argparse
import glob
import itertools
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from digit_reader import Digit, Reading, read_pictures
from digit_reader.drawing import SUFFIX, draw_boxes, write_drawing
from digit_reader.page import read_with_pixels
from digit_reader.picture import File, has_picture_name
from digit_reader.reader import join_notes
from mnist_classifier import Failure, Parser, exit_code, find_weights, load_model

STANDARD_INPUT = "-"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = Parser(
        prog="digit_reader", description="Read the handwritten digit in each of your own pictures."
    )
    parser.add_argument(
        "pictures",
        nargs="+",
        metavar="IMAGE",
        help="files, folders, patterns such as *.png, or - for standard input",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each picture")
    parser.add_argument(
        "--all", action="store_true", help="read all digits of each picture, not just one"
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help=f"draw what the network sees; with --all, into IMAGE{SUFFIX}, beside each picture",
    )
    parser.add_argument(
        "--weights",
        # Shells leave the ~ in --weights=~/file to us.
        type=lambda text: Path(os.path.expanduser(text)),
        metavar="FILE",
        help="of the network; else final_model.pth, here or beside mnist_classifier.py",
    )
    return parser.parse_intermixed_args(argv)  # options may stand between pictures


def expand(argument: str) -> Iterator[str]:
    """Yield the paths that `argument` stands for: a file, a folder, or a pattern such as *.png.

    The shells of Windows do not expand patterns. One that matches nothing is yielded as it is.
    """
    if os.path.exists(argument):
        matches = [argument]
    else:
        matches = sorted(glob.glob(argument)) or [argument]
    for path in matches:
        yield from pictures_in(path) if os.path.isdir(path) else [path]


def pictures_in(folder: str) -> Iterator[str]:
    """Yield what is named as a picture in `folder` and the folders in it, or itself if nothing is.

    Those of each folder come in the order of their names, before those of the folders in it. What
    is hidden by a dot is left out, and so is what --preview drew. A folder that cannot be opened is
    yielded as well, at the end.
    """
    errors: list[OSError] = []
    is_empty = True
    for place, folders, files in os.walk(folder, onerror=errors.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if has_picture_name(name) and not name.startswith(".") and not name.endswith(SUFFIX):
                yield os.path.join(place, name)
                is_empty = False
    yield from (error.filename for error in errors)
    if is_empty and not errors:
        yield folder


def source_of(path: str) -> File:
    """Return `path` or, if it stands for standard input, that, open."""
    if path != STANDARD_INPUT:
        return path
    return open(sys.stdin.fileno(), "rb", closefd=False)


def preview(image: Tensor) -> Iterator[str]:
    """Yield the lines of a drawing of `image` (1, 28, 28); characters are twice as high as wide."""
    levels = (F.avg_pool2d(image, (2, 1))[0] * 9).round().int()
    for row in levels.tolist():
        yield "".join(" .:-=+*#%@"[level] for level in row)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code."""
    if STANDARD_INPUT in args.pictures and sys.stdin is None:  # as after <&-
        raise Failure("standard input is closed: name a file instead of -")
    if sys.stdout is None:  # as after >&-
        raise Failure("standard output is closed: the answers would be lost")
    torch.set_num_threads(1)  # pictures are small: threads would mostly wait for each other
    model = load_model(args.weights or find_weights())
    return read_all(args, model) if args.all else read_one_each(args, model)


def read_one_each(args: argparse.Namespace, model: nn.Module) -> int:
    """Print a line with the digit of each picture, or what is wrong; return the exit code."""
    to_text = as_json if args.json else as_row
    code = 0
    paths, sources = itertools.tee(itertools.chain.from_iterable(map(expand, args.pictures)))
    answers = read_pictures(map(source_of, sources), model)
    for path, answer in zip(paths, answers, strict=True):
        if text := to_text(path, answer):
            print(text, flush=True)  # so that a pipe has it at once
        if isinstance(answer, Failure):
            say("error", path, answer)
            code = 1
            continue
        if answer.note:
            say("note", path, answer.note)
        if args.preview:
            print(f"{printable(path)}:", *preview(answer.image), sep="\n", file=sys.stderr)
    return code


def say(kind: str, path: str, message: object) -> None:
    """Print an error or a note on the picture in `path`, in one line."""
    print(f"{kind}: {printable(path)}: {printable(str(message))}", file=sys.stderr)


def printable(text: str) -> str:
    """Return `text` with a question mark for each tab, line break and the like."""
    return "".join(c if c.isprintable() else "?" for c in text)


def as_row(path: str, answer: Reading | Failure) -> str | None:
    """Return the line of the table for the picture in `path`, or None if it could not be read."""
    if isinstance(answer, Failure):
        return None
    mark = "" if answer.sure else "unsure"
    return f"{printable(path)}\t{answer.digit}\t{answer.probability:.4f}\t{mark}"


def as_json(path: str, answer: Reading | Failure) -> str:
    """Return the `answer` to the picture in `path` as an object of JSON, in ASCII.

    A picture that could not be read has the digit null, and the note says why.
    """
    values: dict[str, object]
    if isinstance(answer, Failure):
        values = {"digit": None, "probability": None, "sure": False, "note": str(answer)}
    else:
        values = {
            "digit": answer.digit,
            "probability": round(answer.probability, 4),
            "sure": answer.sure,
            "note": answer.note,
        }
    return json.dumps({"file": path} | values)


def read_all(args: argparse.Namespace, model: nn.Module) -> int:
    """Print a line with all digits of each picture, or what is wrong; return the exit code."""
    to_text = all_as_json if args.json else all_as_row
    code = 0
    for path in itertools.chain.from_iterable(map(expand, args.pictures)):
        answer: list[Digit] | Failure
        try:
            answer, pixels = read_with_pixels(source_of(path), model)
        except Failure as failure:
            answer = failure
        if text := to_text(path, answer):
            print(text, flush=True)
        if isinstance(answer, Failure):
            say("error", path, answer)
            code = 1
            continue
        for note in notes_on(answer):
            say("note", path, note)
        if args.preview:
            drawing = "standard input" if path == STANDARD_INPUT else path
            try:
                write_drawing(draw_boxes(pixels, answer), Path(drawing + SUFFIX))
            except Failure as failure:
                say("error", path, failure)
                code = 1
    return code


def notes_on(digits: Sequence[Digit]) -> list[str]:
    """Return the notes on `digits`, each once."""
    return list(dict.fromkeys(digit.note for digit in digits if digit.note))


def text_of(digits: Sequence[Digit]) -> str:
    """Return what `digits` in reading order spell, with a space between two lines."""
    lines = itertools.groupby(digits, key=lambda digit: digit.line)
    return " ".join("".join(str(digit.digit) for digit in line) for _, line in lines)


def all_as_row(path: str, answer: Sequence[Digit] | Failure) -> str | None:
    """Return the line of the table for all digits in `path`, or None if it could not be read.

    The probability is the least of them.
    """
    if isinstance(answer, Failure):
        return None
    probability = min(digit.probability for digit in answer)
    mark = "" if all(digit.sure for digit in answer) else "unsure"
    return f"{printable(path)}\t{text_of(answer)}\t{probability:.4f}\t{mark}"


def all_as_json(path: str, answer: Sequence[Digit] | Failure) -> str:
    """Return the `answer` to the picture in `path` as an object of JSON, in ASCII.

    A picture that could not be read has no digits, and the note says why.
    """
    values: dict[str, object]
    if isinstance(answer, Failure):
        values = {
            "text": None,
            "probability": None,
            "sure": False,
            "note": str(answer),
            "digits": [],
        }
    else:
        values = {
            "text": text_of(answer),
            "probability": round(min(digit.probability for digit in answer), 4),
            "sure": all(digit.sure for digit in answer),
            "note": join_notes(*notes_on(answer)),
            "digits": list(map(digit_as_json, answer)),
        }
    return json.dumps({"file": path} | values)


def digit_as_json(digit: Digit) -> dict[str, object]:
    """Return one digit of a picture for JSON."""
    return {
        "digit": digit.digit,
        "probability": round(digit.probability, 4),
        "sure": digit.sure,
        "line": digit.line,
        "box": [round(share, 4) for share in digit.box],
        "note": digit.note,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # about odd files, which are read all the same
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
