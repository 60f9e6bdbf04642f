"""LiteRT (TensorFlow Lite), for phones: with floats, and with weights and values of 8 bits."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import litert_torch  # type: ignore[import-not-found]
import torch
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]
from ai_edge_quantizer import recipe  # type: ignore[import-not-found]
from ai_edge_quantizer.calibrator import (  # type: ignore[import-not-found]
    CalibrationInterpreter,
    CalibrationMode,
)
from ai_edge_quantizer.quantizer import Quantizer  # type: ignore[import-not-found]
from ai_edge_quantizer.utils import qsv_utils  # type: ignore[import-not-found]
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program, from_stored, one_by_one, to_stored


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, which takes single images: in floats, and quantized in three ways."""
    content = to_float(model, folder)
    yield Program(f"LiteRT, litert-torch {litert_torch.__version__}", len(content), runner(content))

    static = to_int8(content, images)
    yield Program("- static int8", len(static), runner(static))

    averaged = to_int8(content, images, qsv_utils.moving_average_update)  # as it is by default
    yield Program("- static int8, averaged ranges", len(averaged), runner(averaged))

    dynamic = quantize(content, recipe.dynamic_wi8_afp32())
    yield Program("- dynamic int8", len(dynamic), runner(dynamic))


def to_float(model: nn.Module, folder: Path) -> bytes:
    """Return the content of a LiteRT file for a single image."""
    edge_model = litert_torch.convert(model, (torch.zeros(1, 1, 28, 28),))
    edge_model.export(str(folder / "digits.tflite"))
    return (folder / "digits.tflite").read_bytes()


def to_int8(
    content: bytes, images: Tensor, update: Callable[..., Any] = qsv_utils.min_max_update
) -> bytes:
    """Return the LiteRT file with weights and values of 8 bits, those it takes and gives too.

    `images` (N, 1, 28, 28), 0 to 1, show the range of the values in each layer. `update` joins
    the range of one image with that of those before it.
    """
    mode = CalibrationMode.CALIBRATION_PRESERVE_ALL_TENSORS
    interpreter = CalibrationInterpreter(content, mode, update)
    calibrate = interpreter.get_signature_runner()
    for image in torch.split(images, 1):
        calibrate(args_0=image.numpy())
    return quantize(content, recipe.static_wi8_ai8(), interpreter.get_calibration_results())


def quantize(content: bytes, how: Any, ranges: Any = None) -> bytes:
    """Return the LiteRT file quantized by the recipe `how`, with known `ranges` if it needs them."""
    result = Quantizer(content, how).quantize(ranges, enable_progress_report=False)
    return bytes(result.quantized_model)


def runner(content: bytes) -> Callable[[Array], Array]:
    """Return what runs the LiteRT file with this `content`, with one thread."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()

    def run(image: Array) -> Array:
        interpreter.set_tensor(source["index"], to_stored(image, source))
        interpreter.invoke()
        return from_stored(interpreter.get_tensor(result["index"]), result)

    return one_by_one(run)
