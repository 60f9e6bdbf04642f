"""tinygrad: the network written out with its tensors. It compiles with clang, which must be there."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from tinygrad import Tensor as TinyTensor  # type: ignore[import-not-found]
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program
from elsewhere.runtimes.numpy_by_hand import STRIDES, folded_layers
from mnist_classifier import MEAN, STD


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, with BatchNorm in the convolutions."""
    layers = [(TinyTensor(kernel), TinyTensor(bias)) for kernel, bias in folded_layers(model)]

    def run(images: Array) -> Array:
        x = (TinyTensor(images) - MEAN) / STD
        for number, ((kernel, bias), stride) in enumerate(zip(layers, STRIDES, strict=True)):
            x = x.conv2d(kernel, bias, stride=stride)
            if number < len(layers) - 1:  # not after the head
                x = x.hardswish()
        logits: Array = x.mean(axis=(2, 3)).numpy()
        return logits

    size = sum(t.nbytes() for layer in layers for t in layer)
    yield Program(f"tinygrad {version('tinygrad')}", size, run)
