"""numpy: the network written out, as a template for a language without a runtime."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from elsewhere.draw_page import Layer, to_layers
from elsewhere.runtimes import Array, Program

ACTIVATIONS = {
    "hardswish": lambda maps: maps * np.clip(maps / 6 + 0.5, 0, 1),
    "relu": lambda maps: np.maximum(maps, 0),
    "none": lambda maps: maps,
}


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, its five convolutions and nothing else."""
    layers = float_layers(model)
    size = sum(layer.weights.nbytes + layer.biases.nbytes for layer in layers)
    yield Program(f"numpy {np.__version__}", size, lambda images: compute_logits(layers, images))


def float_layers(model: nn.Module) -> list[Layer]:
    """Return the layers of `model`, with BatchNorm in the convolutions, in floats."""
    return [
        layer._replace(weights=layer.weights.float(), biases=layer.biases.float())
        for layer in to_layers(model)
    ]


def compute_logits(layers: list[Layer], images: Array) -> Array:
    """Return the logits (N, 10) of `images` (N, 1, 28, 28), 0 to 1."""
    x = images
    for layer in layers:
        kernel = layer.weights.numpy()  # (out, in, height, width)
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(2, 3))
        windows = windows[:, :, :: layer.stride, :: layer.stride]  # (N, in, y, x, height, width)
        x = np.tensordot(windows, kernel, axes=([1, 4, 5], [1, 2, 3]))  # (N, y, x, out)
        x = (x + layer.biases.numpy()).transpose(0, 3, 1, 2)
        x = ACTIVATIONS[layer.activation](x)
    logits: Array = x.mean(axis=(2, 3))
    return logits
