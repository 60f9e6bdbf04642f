"""Train with ten seeds, and show how the test accuracies spread.

    python -m experiments.seeds --data-dir data
    python -m experiments.seeds --data-dir data --name short --epochs 2

Options that are not listed by --help are passed on to mnist_classifier.py. Each seed gets one
thread, and its results are in runs/NAME/SEED. An interrupted study goes on where it stopped.
"""

import argparse
import csv
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import mnist_classifier as mc
from experiments.processes import (
    PROGRAM,
    exit_code,
    fingerprint_of_program,
    make_parser,
    positive,
    run_side_by_side,
)

RUNS = Path("runs")
FINISHED_FILE = "finished.json"  # what made the results in its folder, once they are whole
CLAIM = 0.994  # the test accuracy that the assignment asks for
NOT_PASSED_ON = ("--seed", "--output-dir", "--evaluate")


class Run(NamedTuple):
    """What a run reached on the test set."""

    accuracy: float  # at the last epoch
    stays_from: int | None  # the epoch from which it stays at CLAIM or more, if there is one


def first_epoch_that_stays(accuracies: Sequence[float], least: float = CLAIM) -> int | None:
    """Return the first epoch from which on all of `accuracies` are at least `least`, or None."""
    stays_from = None
    for epoch, accuracy in enumerate(accuracies, start=1):
        if accuracy < least:
            stays_from = None
        elif stays_from is None:
            stays_from = epoch
    return stays_from


def read_run(folder: Path) -> Run:
    """Return what the run reached whose history is in `folder`."""
    text = (folder / mc.HISTORY_FILE).read_text(encoding="ascii")
    accuracies = [float(row["test_accuracy"]) for row in csv.DictReader(text.splitlines())]
    return Run(accuracies[-1], first_epoch_that_stays(accuracies))


def print_summary(runs: Mapping[int, Run]) -> None:
    """Print how the accuracies of `runs`, by seed, spread, and then a line for each."""
    accuracies = [100 * run.accuracy for run in runs.values()]
    spread = f"{statistics.stdev(accuracies):.3f}" if len(accuracies) > 1 else "unknown"
    print(
        f"n {len(accuracies)}, mean {statistics.fmean(accuracies):.3f} %, "
        f"standard deviation {spread}, worst {min(accuracies):.2f}, best {max(accuracies):.2f}"
    )
    print(f"seed  accuracy, %  stays at {CLAIM:.2%} or more from epoch")
    for seed, run in runs.items():
        print(f"{seed:>4}  {100 * run.accuracy:>11.2f}  {run.stays_from or 'never'}")


def is_finished(folder: Path, origin: object) -> bool:
    """Tell whether `folder` has whole results; raise Failure if their origin is another."""
    finished = folder / FINISHED_FILE
    if not finished.exists():
        return False
    if json.loads(finished.read_text(encoding="utf-8")) != origin:
        raise mc.Failure(
            f"{folder} has results of other options, another mnist_classifier.py or another "
            "PyTorch: give another --name, or remove that folder"
        )
    return True


def run(args: argparse.Namespace) -> int:
    """Train with the seeds that are missing, and print the summary; return the exit code."""
    mc.load_mnist(args.data_dir)  # here, since processes side by side must not download it
    folders = {seed: RUNS / args.name / str(seed) for seed in args.seeds}
    origin = {"options": args.options} | fingerprint_of_program()
    options = [f"--data-dir={args.data_dir}", "--threads=1", *args.options]
    commands = {
        seed: [str(PROGRAM), *options, f"--seed={seed}", f"--output-dir={folder}"]
        for seed, folder in folders.items()
        if not is_finished(folder, origin)
    }
    for seed, _ in run_side_by_side(commands, args.jobs):
        finished = folders[seed] / FINISHED_FILE
        finished.write_text(json.dumps(origin) + "\n", encoding="utf-8")
        print(f"seed {seed}: {100 * read_run(folders[seed]).accuracy:.2f} %", flush=True)
    print_summary({seed: read_run(folder) for seed, folder in folders.items()})
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = make_parser("Train with ten seeds; other options go to mnist_classifier.py.")
    add = parser.add_argument
    add("--name", default="default", help="of the folder in runs/")
    add("--seeds", type=int, nargs="+", default=list(range(10)), help="of the trainings")
    add("--jobs", type=positive, default=2, help="trainings at a time, with one thread each")
    args, options = parser.parse_known_args(argv)
    for option in options:
        if option.startswith(NOT_PASSED_ON):
            parser.error(f"{option} is not passed on")
    mc.parse_args(options)  # exits with 2 if one of them is wrong
    args.options = options
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
