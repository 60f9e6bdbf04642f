"""Train on five sixths of the training set, with a change of the recipe, and judge on the rest.

    python -m experiments.one_fold data "epochs = 2" 0 200    # data, change, fold, seed

experiments/folds.py starts this in a process of its own each time, since a change replaces parts of
mnist_classifier.
"""

import contextlib
import dataclasses
import io
import json
import sys
from typing import Any

import torch

import mnist_classifier as mc

FOLDS = 6


def split_fold(digits: mc.Digits, fold: int) -> tuple[mc.Digits, mc.Digits]:
    """Return what `fold` (0 to 5) trains on, and the sixth of `digits` that it is judged on."""
    fold_of = torch.arange(len(digits.labels)) * FOLDS // len(digits.labels)
    held_out = fold_of == fold
    fit = mc.Digits(digits.images[~held_out], digits.labels[~held_out])
    judge = mc.Digits(digits.images[held_out], digits.labels[held_out])
    return fit, judge


def apply_change(change: str) -> dict[str, Any]:
    """Run the Python code `change`, with the training script as `mc`; return the settings it makes.

    What the code gives the name of a field of Config is a setting. Raises Failure if a name looks
    misspelt, or is that of something in `mc` which stays as it is, so that nobody measures the
    default and takes it for the change.
    """
    names_before = {*vars(mc)}
    scope: dict[str, Any] = {"mc": mc, "torch": torch}
    exec(compile(change, "the change", "exec"), scope)  # noqa: S102 - it is the caller's own
    unknown = sorted({*vars(mc)} - names_before)
    if unknown:
        raise mc.Failure(f"mnist_classifier has no {', '.join(unknown)} to be replaced")
    for name in sorted(names_before & {*scope}):
        if not name.startswith("__") and getattr(mc, name) is not scope[name]:
            raise mc.Failure(f"{name} is not replaced: write mc.{name} = {name}, too")
    fields = {field.name for field in dataclasses.fields(mc.Config)} - {"seed"}  # the fold has it
    for name, value in scope.items():
        is_meant_as_setting = name.islower() and isinstance(value, int | float)
        if is_meant_as_setting and name not in fields:
            raise mc.Failure(f"{name} is no setting: there are {', '.join(sorted(fields))}")
    return {name: value for name, value in scope.items() if name in fields}


def run_fold(data_dir: str, change: str, fold: int, seed: int) -> dict[str, float]:
    """Train with `change` on all but `fold`, with one thread; return the results on `fold`."""
    torch.set_num_threads(1)
    settings = apply_change(change)
    digits = mc.load_digits(data_dir, "train")
    fit, judge = split_fold(digits, fold)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model, history = mc.train(mc.Config(**settings, seed=seed), fit, judge)
    score = mc.evaluate(model, judge)
    return {
        "error": round(100 * (1 - score.accuracy), 6),  # percent
        "loss": round(score.loss, 6),
        "parameters": mc.count_parameters(model),
        "seconds": round(sum(epoch.seconds for epoch in history), 1),  # of training
    }


def main() -> None:
    """Print the results of the fold on the command line, in JSON."""
    try:
        data_dir, change, fold, seed = sys.argv[1:]
        print(json.dumps(run_fold(data_dir, change, int(fold), int(seed))))
    except mc.Failure as failure:
        sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
