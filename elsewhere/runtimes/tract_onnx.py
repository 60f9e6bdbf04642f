"""tract, written in Rust: it reads the exported file."""

from collections.abc import Iterator
from pathlib import Path

import tract  # type: ignore[import-not-found]
from torch import Tensor, nn

from elsewhere.export import to_onnx
from elsewhere.runtimes import Array, Program


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network in floats."""
    file = folder / "digits.onnx"
    size = file.write_bytes(to_onnx(model))
    network = tract.onnx().load(file).into_model().into_runnable()

    def run(images: Array) -> Array:
        logits: Array = network.run([images])[0].to_numpy()
        return logits

    yield Program(f"tract {tract.version()}", size, run)
