"""tinygrad: the network written out with its tensors. It compiles with clang: that must be there."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from tinygrad import Tensor as TinyTensor  # type: ignore[import-not-found]
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program
from elsewhere.runtimes.numpy_by_hand import float_layers

ACTIVATIONS = {
    "hardswish": TinyTensor.hardswish,
    "relu": TinyTensor.relu,
    "none": lambda maps: maps,
}


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, with BatchNorm in the convolutions."""
    layers = [
        (TinyTensor(layer.weights.numpy()), TinyTensor(layer.biases.numpy()), layer)
        for layer in float_layers(model)
    ]

    def run(images: Array) -> Array:
        x = TinyTensor(images)
        for kernel, bias, layer in layers:
            maps = x.conv2d(kernel, bias, stride=layer.stride)
            x = ACTIVATIONS[layer.activation](maps)
        logits: Array = x.mean(axis=(2, 3)).numpy()
        return logits

    size = sum(kernel.nbytes() + bias.nbytes() for kernel, bias, _ in layers)
    yield Program(f"tinygrad {version('tinygrad')}", size, run)
