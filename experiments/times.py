"""Measure on your machine how many times as long the published recipe trains as this program.

    python -m experiments.times --data-dir data
    python -m experiments.times --data-dir data --epochs-published 20 --rounds 5
    python -m experiments.times --data-dir data --epochs 3 9 19

Each round trains with two threads and then with one: first the published recipe, then this program
with each number of epochs, one after the other, in processes of their own. Nothing else should run
meanwhile. Counted is the training alone: neither the start, nor loading the data, nor the test
after each epoch.
"""

import argparse
import csv
import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import mnist_classifier as mc
from experiments.processes import PROGRAM, exit_code, make_parser, positive, run_side_by_side
from experiments.published_recipe import EPOCHS

THREADS = (2, 1)


class Seconds(NamedTuple):
    """How long trainings took with the same number of threads, one after the other."""

    published: float  # 20 epochs
    ours: dict[int, float]  # by the number of epochs


Round = dict[int, Seconds]  # by the number of threads


def run_alone(title: str, command: Sequence[str]) -> str:
    """Run Python with `command` alone; return what it prints. Raises Failure if it fails."""
    ((_, output),) = run_side_by_side({title: command}, jobs=1)
    return output


def read_published_seconds(output: str) -> float:
    """Return how long 20 epochs of the published recipe take, from what fewer of them printed."""
    seconds = [float(text) for text in re.findall(r"train (\d+\.\d+) s", output)]
    return statistics.fmean(seconds) * EPOCHS


def read_seconds(history: Path) -> float:
    """Return how long the training took that wrote the file `history`."""
    rows = csv.DictReader(history.read_text(encoding="ascii").splitlines())
    return sum(float(row["seconds"]) for row in rows)


def time_published(data_dir: Path, threads: int, epochs: int) -> float:
    """Train with the published recipe; return the seconds of its 20 epochs."""
    options = [f"--data-dir={data_dir}", f"--epochs={epochs}", f"--threads={threads}"]
    command = ["-m", "experiments.published_recipe", *options]
    return read_published_seconds(run_alone("the published recipe", command))


def time_program(data_dir: Path, threads: int, epochs: int) -> float:
    """Train with mnist_classifier.py; return the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--data-dir={data_dir}", f"--epochs={epochs}", f"--threads={threads}"]
        run_alone("mnist_classifier.py", [str(PROGRAM), *options, f"--output-dir={folder}"])
        return read_seconds(Path(folder, mc.HISTORY_FILE))


def describe(values: Sequence[float], unit: str) -> str:
    """Return the median of `values`, the smallest and the largest, as text."""
    return f"{statistics.median(values):.1f} {unit} ({min(values):.1f} to {max(values):.1f})"


def print_summary(rounds: Sequence[Round]) -> None:
    """Print the times and their ratios: the median, the smallest and the largest."""
    print(f"{len(rounds)} rounds: the median (smallest to largest)")
    for threads in THREADS:
        found = [times[threads] for times in rounds]
        print(f"threads: {threads}")
        print(f"    published recipe: {describe([times.published for times in found], 's')}")
        for epochs in found[0].ours:
            ours = [times.ours[epochs] for times in found]
            ratios = [times.published / times.ours[epochs] for times in found]
            print(f"    {epochs} epochs: {describe(ours, 's')}", end=", ")
            print(f"ratio: {describe(ratios, 'times')}")


def run(args: argparse.Namespace) -> int:
    """Train in rounds, and print how long that took; return the exit code."""
    if args.epochs_published < EPOCHS:
        print(f"The recipe's {EPOCHS} epochs are estimated from {args.epochs_published}.")
    rounds = []
    for number in range(1, args.rounds + 1):
        print(f"round {number}", flush=True)
        found = {}
        for threads in THREADS:
            published = time_published(args.data_dir, threads, args.epochs_published)
            ours = {n: time_program(args.data_dir, threads, n) for n in args.epochs}
            found[threads] = Seconds(published, ours)
            seconds = ", ".join(f"{value:.1f}" for value in (published, *ours.values()))
            print(f"    threads: {threads}, seconds: {seconds}", flush=True)
        rounds.append(found)
    print_summary(rounds)
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = make_parser("Measure how long the published recipe and this program train.")
    add = parser.add_argument
    add("--rounds", type=positive, default=3, help="of trainings, one after the other")
    add("--epochs-published", type=positive, default=1, help=f"of the {EPOCHS} are measured")
    default = mc.Config.epochs
    add("--epochs", type=positive, nargs="+", default=[default], help="of this program")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
