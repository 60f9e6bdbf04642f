"""LiteRT for microcontrollers: the interpreter that runs there, compiled for this machine."""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from ai_edge_quantizer import recipe  # type: ignore[import-not-found]
from tflite_micro import runtime  # type: ignore[import-not-found]
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program, from_stored, one_by_one, to_stored
from elsewhere.runtimes.lite_rt import quantize, to_float, to_int8


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, which takes single images, from three of the files for LiteRT."""
    content = to_float(model, folder)
    name = f"LiteRT for microcontrollers, tflite-micro {version('tflite-micro')}"
    yield Program(name, len(content), runner(content))

    static = to_int8(content, images)
    yield Program("- static int8", len(static), runner(static))

    weights = quantize(content, recipe.weight_only_wi8_afp32())
    yield Program("- int8 weights, floats between them", len(weights), runner(weights))


def runner(content: bytes) -> Callable[[Array], Array]:
    """Return what runs the LiteRT file with this `content`; print the memory that it needs."""
    interpreter = runtime.Interpreter.from_bytes(content)
    source = interpreter.get_input_details(0)
    result = interpreter.get_output_details(0)

    def run(image: Array) -> Array:
        interpreter.set_input(to_stored(image, source), 0)
        interpreter.invoke()
        return from_stored(interpreter.get_output(0), result)

    interpreter.invoke()
    interpreter.print_allocations()  # to standard error
    return one_by_one(run)
