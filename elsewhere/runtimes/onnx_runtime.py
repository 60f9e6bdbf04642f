"""onnxruntime: the exported file, with floats, and with 8 bits in two ways."""

from collections.abc import Callable, Iterator
from pathlib import Path

import onnx  # type: ignore[import-not-found]
import onnxruntime  # type: ignore[import-not-found]
from onnxruntime.quantization import quantize_dynamic  # type: ignore[import-not-found]
from torch import Tensor, nn

from elsewhere.export import INPUT, OUTPUT, to_int8, to_onnx
from elsewhere.runtimes import Array, Program


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network in floats, and quantized with known and with measured ranges."""
    content = to_onnx(model)
    version = onnxruntime.__version__
    yield Program(f"onnxruntime {version}", len(content), runner(content))

    static = to_int8(content, images)
    yield Program("- static int8", len(static), runner(static))

    quantize_dynamic(onnx.load_from_string(content), folder / "dynamic.onnx")
    dynamic = (folder / "dynamic.onnx").read_bytes()
    yield Program("- dynamic int8", len(dynamic), runner(dynamic))


def runner(content: bytes) -> Callable[[Array], Array]:
    """Return what runs the ONNX file with this `content`, with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # OMP_NUM_THREADS says nothing to it
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(images: Array) -> Array:
        logits: Array = session.run([OUTPUT], {INPUT: images})[0]
        return logits

    return run
