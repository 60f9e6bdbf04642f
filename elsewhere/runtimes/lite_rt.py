"""LiteRT (TensorFlow Lite), for phones: with floats, and with weights and values of 8 bits."""

from collections.abc import Callable, Iterator
from pathlib import Path

import litert_torch  # type: ignore[import-not-found]
import torch
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program, one_by_one


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, which takes single images."""
    content = to_float(model, folder)
    yield Program(f"LiteRT, litert-torch {litert_torch.__version__}", len(content), runner(content))


def to_float(model: nn.Module, folder: Path) -> bytes:
    """Return the content of a LiteRT file for a single image."""
    edge_model = litert_torch.convert(model, (torch.zeros(1, 1, 28, 28),))
    edge_model.export(str(folder / "digits.tflite"))
    return (folder / "digits.tflite").read_bytes()


def runner(content: bytes) -> Callable[[Array], Array]:
    """Return what runs the LiteRT file with this `content`, with one thread."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()

    def run(image: Array) -> Array:
        interpreter.set_tensor(source["index"], image)
        interpreter.invoke()
        logits: Array = interpreter.get_tensor(result["index"])
        return logits

    return one_by_one(run)
