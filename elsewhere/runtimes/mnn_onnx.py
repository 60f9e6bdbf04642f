"""MNN, for phones: converted from the exported file, with weights of 32, 16 and 8 bits."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import MNN  # type: ignore[import-not-found]
import numpy as np
from torch import Tensor, nn

from elsewhere.export import INPUT, OUTPUT, to_onnx
from elsewhere.runtimes import Array, Program

WINOGRAD_MEMORY_LEVEL = 3  # its number in MNN's header Interpreter.hpp; Python has no name for it


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network with each kind of weights; the values between the layers are floats."""
    exported = folder / "digits.onnx"
    exported.write_bytes(to_onnx(model))
    name = f"MNN {version('MNN')}"
    for title, options in (
        (name, []),
        ("- weights of 16 bits", ["--fp16"]),
        ("- weights of 8 bits", ["--weightQuantBits", "8"]),
    ):
        file = folder / "digits.mnn"
        convert(exported, file, options)
        yield Program(title, file.stat().st_size, runner(file))


def convert(exported: Path, file: Path, options: list[str]) -> None:
    """Convert the ONNX file `exported` to `file`."""
    # MNN's command mnnconvert does this as well, and then reports it to its makers.
    program = "import sys, _tools; _tools.mnnconvert(sys.argv)"
    command = [sys.executable, "-c", program, "-f", "ONNX"]
    files = ["--modelFile", str(exported), "--MNNModel", str(file)]
    subprocess.run([*command, *files, *options], check=True, stdout=subprocess.DEVNULL)


def runner(file: Path) -> Callable[[Array], Array]:
    """Return what runs `file`, with one thread."""
    runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": 1},))
    runtime.set_hint(WINOGRAD_MEMORY_LEVEL, 0)  # else logits are off by up to 0.003
    network = MNN.nn.load_module_from_file(str(file), [INPUT], [OUTPUT], runtime_manager=runtime)

    def run(images: Array) -> Array:
        given = MNN.expr.placeholder(list(images.shape), MNN.expr.NCHW)
        given.write(np.ascontiguousarray(images))
        (logits,) = network.forward([given])
        return np.array(logits.read(), dtype=np.float32).reshape(len(images), 10)

    return run
