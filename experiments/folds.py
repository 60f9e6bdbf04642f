"""Compare changes of the recipe with the default, on six folds of the training set.

    python -m experiments.folds --data-dir data "epochs = 19"
    python -m experiments.folds --data-dir data "mc.augment = lambda images, config: images"
    python -m experiments.folds --data-dir data wide.py "lr = 0.07; momentum = 0.95" --seeds 200 300

A change is Python code, or a file of it whose name ends in .py. It runs before the training, with
the training script as `mc`: what it assigns to a name of mc is replaced there, and what it gives
the name of a field of Config is a setting. In the first line, the epochs become 19.

Fold k (0 to 5) trains on 50,000 images of the training set and is judged on images 10,000 k to
10,000 (k + 1). Its seed is that of --seeds, plus k; the change and the default get the same. The
test set is not touched. experiments/README.md says how to read the table.

Each result is a line in --results, so that a study which was interrupted goes on where it stopped,
and the default is not run again. A line counts only for the same text of the change, the same
mnist_classifier.py and the same PyTorch. It does not know other files that a change reads, another
processor, or other versions of Python: for those, name another file with --results.
"""

import argparse
import hashlib
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import mnist_classifier as mc
from experiments.one_fold import FOLDS
from experiments.processes import (
    exit_code,
    fingerprint_of_program,
    make_parser,
    positive,
    run_side_by_side,
)

DEFAULT = ""  # the change that changes nothing


class Pair(NamedTuple):
    """What the change and the default have in common when they are compared."""

    seed: int  # of --seeds
    fold: int


class Result(NamedTuple):
    """How a fold was answered."""

    error: float  # percent
    loss: float  # mean cross-entropy, nats


class Job(NamedTuple):
    """A training that is to be done."""

    change: str  # as on the command line
    pair: Pair

    def __str__(self) -> str:
        return f"{title_of(self.change)}: seed {self.pair.seed}, fold {self.pair.fold}"


class Difference(NamedTuple):
    """What a change adds, on average over the pairs."""

    mean: float
    standard_error: float  # of the mean


Results = dict[Pair, Result]


def title_of(change: str) -> str:
    """Return what the table calls a change."""
    return change or "default"


def code_of(change: str) -> str:
    """Return the Python code of a change; raise OSError if it is in a file that cannot be read."""
    return Path(change).read_text(encoding="utf-8") if change.endswith(".py") else change


def digest_of(code: str) -> str:
    """Return the SHA-256 of what a result with this change depends on."""
    everything = fingerprint_of_program() | {"code": code}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def read_results(path: Path, digest: str) -> Results:
    """Return the results in the file `path` that have this `digest`."""
    results: Results = {}
    if not path.exists():
        return results
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            raise mc.Failure(f"line {number} of {path} is broken: delete it") from None
        if line["digest"] == digest:
            results[Pair(line["seed"], line["fold"])] = Result(line["error"], line["loss"])
    return results


def compare(changed: Results, default: Results) -> tuple[Difference, Difference]:
    """Return the differences of the error and of the loss, over the pairs that both have."""
    pairs = changed.keys() & default.keys()
    errors = [changed[pair].error - default[pair].error for pair in pairs]
    losses = [changed[pair].loss - default[pair].loss for pair in pairs]
    return summarize(errors), summarize(losses)


def summarize(differences: Sequence[float]) -> Difference:
    """Return the mean of at least two `differences`, and its standard error."""
    standard_error = statistics.stdev(differences) / len(differences) ** 0.5
    return Difference(statistics.fmean(differences), standard_error)


def print_table(results: Mapping[str, Results]) -> None:
    """Print a line for each change in `results`, beside the default in it."""
    width = max(len(title_of(change)) for change in results)
    print(f"{'change':{width}}   n  error, %    loss  error, points     loss")
    for change, runs in results.items():
        error = statistics.fmean(run.error for run in runs.values())
        loss = statistics.fmean(run.loss for run in runs.values())
        line = f"{title_of(change):{width}}  {len(runs):2}    {error:.3f}  {loss:.4f}"
        if change != DEFAULT:
            more_error, more_loss = compare(runs, results[DEFAULT])
            line += f"  {more_error.mean:+.3f} +- {more_error.standard_error:.3f}"
            line += f"  {more_loss.mean:+.4f} +- {more_loss.standard_error:.4f}"
        print(line)


def missing_jobs(pairs: Sequence[Pair], results: Mapping[str, Results]) -> list[Job]:
    """Return what is still to be done: pair by pair, so that the first pairs are soon complete."""
    return [
        Job(change, pair) for pair in pairs for change in results if pair not in results[change]
    ]


def command_of(job: Job, data_dir: Path) -> list[str]:
    """Return the arguments with which Python does `job`."""
    seed = job.pair.seed + job.pair.fold
    module = ["-m", "experiments.one_fold"]
    return [*module, str(data_dir), code_of(job.change), str(job.pair.fold), str(seed)]


def run(args: argparse.Namespace) -> int:
    """Do what is missing, and print the table; return the exit code."""
    changes = [DEFAULT, *args.changes]
    pairs = [Pair(seed, fold) for seed in args.seeds for fold in range(FOLDS)]
    mc.load_mnist(args.data_dir)  # here, since processes side by side must not download it
    digests = {change: digest_of(code_of(change)) for change in changes}
    known = {change: read_results(args.results, digests[change]) for change in changes}
    args.results.parent.mkdir(parents=True, exist_ok=True)
    jobs = missing_jobs(pairs, known)
    commands = {job: command_of(job, args.data_dir) for job in jobs}
    for job, output in run_side_by_side(commands, args.jobs):
        if digest_of(code_of(job.change)) != digests[job.change]:
            raise mc.Failure(f"{title_of(job.change)} or mnist_classifier.py was edited meanwhile")
        measured = json.loads(output)
        known[job.change][job.pair] = Result(measured["error"], measured["loss"])
        line = {"change": title_of(job.change), "digest": digests[job.change]}
        line |= job.pair._asdict() | measured
        with args.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{job}: error {measured['error']:.2f} %, loss {measured['loss']:.4f}", flush=True)
    print_table({change: {pair: known[change][pair] for pair in pairs} for change in changes})
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = make_parser("Compare changes of the recipe with the default, on six folds.")
    add = parser.add_argument
    add("changes", nargs="*", metavar="CHANGE", help="Python code, or a file of it: change.py")
    add("--seeds", type=int, nargs="+", default=[0], help="each gives six pairs")
    add("--jobs", type=positive, default=2, help="trainings at a time, with one thread each")
    add("--results", type=Path, default=Path("runs/folds.jsonl"), help="a line for each training")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
