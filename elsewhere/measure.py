"""Take the trained network to other runtimes, and compare their answers and times with torch's.

    python -m elsewhere.measure open_vino ncnn_pnnx    # prints rows for the table of README.md
    python -m elsewhere.measure                        # all runtimes

Each runtime gets an environment of its own, which sees the packages of this one and has those
below, and is removed afterwards. runtimes/NAME.py makes what runs there. Everything has one thread.
"""

import argparse
import contextlib
import importlib
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

import torch

import mnist_classifier as mc
from elsewhere.export import CALIBRATION_IMAGES, compare
from elsewhere.runtimes import Array, Program
from experiments.processes import expanded_path

ONNX = ("onnx==1.23.2", "onnxscript==0.7.2", "onnxruntime==1.32.0")
LITE_RT = ("litert-torch==0.10.0", "ai-edge-quantizer==0.10.0")
PACKAGES = {
    "onnx_runtime": ONNX,
    "onnx_runtime_js": ONNX,
    "onnx_runtime_browser": ONNX,
    "open_vino": ("openvino==2026.4.1",),
    "lite_rt": LITE_RT,
    "lite_rt_micro": (*LITE_RT, "tflite-micro==0.dev20261023182759"),
    "executorch_xnnpack": ("executorch==1.5.1",),
    "ncnn_pnnx": ("ncnn==1.0.20261020", "pnnx==20261020"),
    "mnn_onnx": ("MNN==3.6.1", *ONNX),
    "tract_onnx": ("tract==0.23.9", *ONNX),
    "core_ml": ("coremltools==9.0",),
    "tinygrad_by_hand": ("tinygrad==0.14.0",),
    "flax_by_hand": ("flax==0.12.8",),
    "numpy_by_hand": (),
    "torch_half": (),
}
SINGLE = 20  # images in a round, one after the other
MANY = 1000  # images in a round, all at once


def make_environment(folder: Path, packages: Sequence[str]) -> str:
    """Make an environment in `folder` that has `packages` beside those of this one.

    Returns its Python.
    """
    venv.create(folder, with_pip=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    scripts = Path(sysconfig.get_path("scripts", "venv", paths))
    others = Path(sysconfig.get_path("purelib", "venv", paths), "first_environment.pth")
    others.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = str(scripts / Path(sys.executable).name)
    if packages:
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages], check=True)
    return python


def measure_elsewhere(name: str, options: Sequence[str]) -> None:
    """Print the rows of the runtime `name`, in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        python = make_environment(Path(folder), PACKAGES[name])
        command = [python, "-m", "elsewhere.measure", name, "--here", *options]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def measure_here(name: str, args: argparse.Namespace) -> None:
    """Print a row for each program of the runtime `name`, whose packages are installed here."""
    torch.set_num_threads(1)
    model = mc.load_model(args.weights or mc.find_weights())
    train_set, test_set = mc.load_mnist(args.data_dir)
    calibration = train_set.scaled(slice(CALIBRATION_IMAGES))
    in_torch = Program(
        "torch", 0, lambda images: mc.compute_logits(model, torch.tensor(images)).numpy()
    )
    runtime = importlib.import_module(f"elsewhere.runtimes.{name}")
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(runtime.programs(model, calibration, Path(folder))) as programs,
    ):
        for program in programs:
            cells = [program.name, f"{program.size:,}"]
            if program.run is not None:
                cells += cells_of_answers(in_torch, program, test_set)
                images = test_set.scaled().numpy()
                rounds = 0 if program.most < len(images) else args.rounds
                cells += cells_of_times(in_torch, program, images, rounds)
            print("| " + " | ".join(cells) + " |", flush=True)


def cells_of_answers(in_torch: Program, program: Program, digits: mc.Digits) -> list[str]:
    """Return the number of other answers, the accuracy, and the largest difference of a logit."""
    images = digits.scaled(slice(program.most)).numpy()
    logits, others = (torch.tensor(p.run_batches(images, MANY)) for p in (in_torch, program))
    difference = compare(logits, others)
    accuracy = mc.score_logits(others, digits.labels[: program.most]).accuracy
    return [str(difference.other_answers), f"{accuracy:.2%}", f"{difference.largest:.2g}"]


def cells_of_times(in_torch: Program, program: Program, images: Array, rounds: int) -> list[str]:
    """Return the times for single images and for many at once, as shares of those in torch.

    The two take turns, and the medians are compared.
    """
    if rounds == 0:
        return ["", ""]
    cells = []
    for count, batch_size in ((SINGLE, 1), (MANY, MANY)):
        times: dict[Program, list[float]] = {in_torch: [], program: []}
        for _ in range(rounds):
            for each, seconds in times.items():
                started = each.clock()
                each.run_batches(images[:count], batch_size)
                seconds.append(each.clock() - started)
        ratio = statistics.median(times[program]) / statistics.median(times[in_torch])
        cells.append(f"{ratio:.2g}")
    return cells


def run(args: argparse.Namespace) -> int:
    """Measure as the command line says; return the exit code."""
    if args.here:
        for name in args.names:
            measure_here(name, args)
        return 0
    mc.load_mnist(args.data_dir)  # is downloaded once, and before the work
    print("| runtime | bytes | other answers | accuracy | largest difference | one | 1,000 |")
    print("|---|---|---|---|---|---|---|", flush=True)
    options = [f"--data-dir={args.data_dir}", f"--rounds={args.rounds}"]
    if args.weights:
        options.append(f"--weights={args.weights}")
    failed = []
    for name in args.names or PACKAGES:
        try:
            measure_elsewhere(name, options)
        except subprocess.CalledProcessError:
            failed.append(name)  # it has said why
    if failed:
        raise mc.Failure(f"not measured: {', '.join(failed)}")
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = mc.Parser(
        prog="elsewhere.measure",
        description="Compare the network in other runtimes with torch, on MNIST's test images.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help=f"of a runtime, else all: {', '.join(PACKAGES)}")
    add("--here", action="store_true", help="in this environment, which has the packages")
    add("--rounds", type=int, default=5, help="of taking times, torch and the other in turns")
    add("--weights", type=expanded_path, help="of the network; else as the reader finds them")
    add("--data-dir", type=expanded_path, default="data", help="where MNIST is, or will be")
    args = parser.parse_args(argv)
    if args.rounds < 0:
        parser.error("--rounds has to be 0 or more")
    unknown = [name for name in args.names if name not in PACKAGES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    return mc.exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
