"""What the experiments share: processes side by side, what identifies the program, options."""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import torch

import mnist_classifier as mc

ROOT = Path(mc.__file__).resolve().parent
PROGRAM = ROOT / "mnist_classifier.py"
POLL = 0.1  # seconds between two looks at the running processes

Name = TypeVar("Name", bound=Hashable)


class Running(NamedTuple):
    """A process, and the files that its output goes to: a pipe would get full."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    errors: IO[bytes]


def run_side_by_side(
    commands: Mapping[Name, Sequence[str]], jobs: int
) -> Iterator[tuple[Name, str]]:
    """Run Python with each of `commands`, `jobs` at a time; yield name and output as each one ends.

    Raises Failure once one of them fails, after showing what it said; the others are ended then.
    """
    waiting = list(commands.items())
    running: dict[Name, Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name, arguments = waiting.pop(0)
                running[name] = start(arguments)
            time.sleep(POLL)
            ended = [name for name, run in running.items() if run.process.poll() is not None]
            for name in ended:
                yield name, output_of(name, running.pop(name))
    finally:  # also after Ctrl-C
        for run in running.values():
            run.process.kill()
            run.process.wait()


def start(arguments: Sequence[str]) -> Running:
    """Start Python with these `arguments`."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 - output_of closes it
    errors = tempfile.TemporaryFile()  # noqa: SIM115
    command = [sys.executable, *arguments]
    return Running(subprocess.Popen(command, stdout=output, stderr=errors), output, errors)


def output_of(name: object, run: Running) -> str:
    """Return what an ended process printed; raise Failure if it failed.

    An error that was expected is one line, and goes into the failure. Another one is shown whole.
    """
    texts = []
    for file in (run.output, run.errors):
        file.seek(0)
        texts.append(file.read().decode(errors="replace"))
        file.close()
    output, errors = texts
    if run.process.returncode == 0:
        return output
    lines = errors.splitlines()
    if len(lines) == 1:
        raise mc.Failure(f"{name}: {lines[0].removeprefix('error: ')}")
    print(errors.rstrip(), file=sys.stderr)
    raise mc.Failure(f"{name} failed, with the exit code {run.process.returncode}")


def fingerprint_of_program() -> dict[str, str]:
    """Return what a result depends on beside its settings: mnist_classifier.py and torch."""
    sha256 = hashlib.sha256(PROGRAM.read_bytes()).hexdigest()
    return {"program": sha256, "torch": str(torch.__version__)}


def positive(text: str) -> int:
    """Return the whole number above 0 that `text` is; for argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def expanded_path(text: str) -> Path:
    """Return the path that `text` means; shells leave the ~ in --option=~/folder to us."""
    return Path(os.path.expanduser(text))  # unlike Path's own, it takes any name


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the command line that knows --data-dir, and says errors in one line."""
    parser = mc.Parser(
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data-dir", type=expanded_path, default="data", help="where MNIST is, or will be"
    )
    return parser


def exit_code(program: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Return the exit code of `program`, run with `args`, as mc.exit_code does.

    A file that cannot be read or written is one line as well.
    """

    def program_with_failures(args: argparse.Namespace) -> int:
        try:
            return program(args)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise mc.Failure(mc.one_line(error)) from error

    return mc.exit_code(program_with_failures, args)
