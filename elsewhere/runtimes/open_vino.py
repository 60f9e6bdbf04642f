"""OpenVINO: from torch, without ONNX; as it does by default, and in float32."""

from collections.abc import Callable, Iterator
from pathlib import Path

import openvino  # type: ignore[import-not-found]
import torch
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network from the files of the defaults, and from files with floats."""
    network = openvino.convert_model(model, example_input=torch.zeros(1, 1, 28, 28))
    file = folder / "digits.xml"
    openvino.save_model(network, file)  # with weights of 16 bits, in digits.bin
    version = openvino.__version__.split("-")[0]
    yield Program(f"OpenVINO {version}, defaults", size_of(file), runner(file, {}))
    yield Program(
        "- computed in float32", size_of(file), runner(file, {"INFERENCE_PRECISION_HINT": "f32"})
    )
    openvino.save_model(network, file, compress_to_fp16=False)
    yield Program(
        "- saved in float32, too", size_of(file), runner(file, {"INFERENCE_PRECISION_HINT": "f32"})
    )


def size_of(file: Path) -> int:
    """Return the bytes of the network's two files."""
    return file.stat().st_size + file.with_suffix(".bin").stat().st_size


def runner(file: Path, settings: dict[str, str]) -> Callable[[Array], Array]:
    """Return what runs the network in `file`, with one thread."""
    network = openvino.compile_model(file, "CPU", settings | {"INFERENCE_NUM_THREADS": "1"})

    def run(images: Array) -> Array:
        logits: Array = network(images)[0].copy()  # the next call writes over it
        return logits

    return run
