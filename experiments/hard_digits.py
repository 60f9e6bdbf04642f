"""Show which test images all of the networks of ten seeds misread, and whose labels are disputed.

    python -m experiments.seeds --data-dir data          # trains the ten networks
    python -m experiments.hard_digits --data-dir data

Nothing is decided with this.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

import mnist_classifier as mc
from experiments.processes import exit_code, make_parser
from experiments.seeds import RUNS

# Test images, counted from 0, whose label fewer than three of five people confirmed, when asked by
# Northcutt, Athalye and Mueller, "Pervasive Label Errors in Test Sets Destabilize Machine Learning
# Benchmarks" (2021). They asked about 100 images. The data is https://github.com/cleanlab/label-errors.
DISPUTED = (
    *(947, 1621, 1901, 2130, 2462, 2597, 2654, 3520),
    *(3558, 5937, 6651, 6783, 8527, 9679, 9729),
)


def load_probabilities(folders: Sequence[Path], images: Tensor) -> Tensor:
    """Return the probabilities (M, N, 10) that the M networks in `folders` give to N `images`."""
    models = [mc.load_model(folder) for folder in folders]
    return torch.stack([mc.compute_logits(model, images).softmax(dim=1) for model in models])


def print_hard_digits(probabilities: Tensor, labels: Tensor) -> None:
    """Print what networks with these `probabilities` (M, N, 10) misread of N images."""
    wrong = probabilities.argmax(dim=2) != labels  # (M, N)
    average = probabilities.mean(dim=0)  # (N, 10)
    average_is_wrong = average.argmax(dim=1) != labels
    accuracies = 1 - wrong.float().mean(dim=1)
    hard = wrong.all(dim=0).nonzero().flatten().tolist()
    print(f"networks: {len(wrong)}, with a mean accuracy of {accuracies.mean():.3%}")
    print(f"misread by at least one: {wrong.any(dim=0).sum()}, by all: {len(hard)}")
    print(
        f"the mean of their probabilities misreads {average_is_wrong.sum()}: "
        f"an accuracy of {1 - average_is_wrong.float().mean():.2%}"
    )
    disputed = torch.tensor([index in DISPUTED for index in range(len(labels))])
    all_and_disputed = (wrong.all(dim=0) & disputed).sum()
    print(
        f"of {disputed.sum()} disputed labels, all misread {all_and_disputed}, "
        f"at least one {(wrong.any(dim=0) & disputed).sum()}"
    )
    print("misread by all: image, label, answer of the mean and its probability")
    for index in hard:
        probability, answer = average[index].max(dim=0)
        mark = "  disputed" if index in DISPUTED else ""
        print(f"{index:>5}  {labels[index]}  {answer}  {probability:.2f}{mark}")


def run(args: argparse.Namespace) -> int:
    """Print what the networks of all seeds misread; return the exit code."""
    folders = sorted((RUNS / args.name).glob(f"*/{mc.WEIGHTS_FILE}"))
    if not folders:
        raise mc.Failure(
            f"there are no networks in {RUNS / args.name}: run experiments.seeds first"
        )
    test_set = mc.load_digits(args.data_dir, "t10k")
    print_hard_digits(load_probabilities(folders, test_set.scaled()), test_set.labels)
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = make_parser("Show which test images the networks of experiments.seeds misread.")
    parser.add_argument("--name", default="default", help="of the folder in runs/")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
