"""numpy: the network written out, as a template for a language without a runtime."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program
from mnist_classifier import MEAN, STD

STRIDES = (2, 1, 1, 1, 1)


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, its five convolutions and nothing else."""
    layers = folded_layers(model)
    size = sum(kernel.nbytes + bias.nbytes for kernel, bias in layers)
    yield Program(f"numpy {np.__version__}", size, lambda images: compute_logits(layers, images))


def folded_layers(model: nn.Module) -> list[tuple[Array, Array]]:
    """Return kernel (out, in, height, width) and bias (out,) of each convolution.

    BatchNorm multiplies and adds the same numbers to every image, so that it goes into them.
    """
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    layers = []
    for i in (0, 3, 6, 9):
        norm = f"features.{i + 1}"
        scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        bias = state[f"{norm}.bias"] - scale * state[f"{norm}.running_mean"]
        layers.append((state[f"features.{i}.weight"] * scale[:, None, None, None], bias))
    return [*layers, (state["head.weight"], state["head.bias"])]


def compute_logits(layers: list[tuple[Array, Array]], images: Array) -> Array:
    """Return the logits (N, 10) of `images` (N, 1, 28, 28), 0 to 1."""
    x = ((images - MEAN) / STD).astype(np.float32)
    for number, ((kernel, bias), stride) in enumerate(zip(layers, STRIDES, strict=True)):
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(2, 3))
        windows = windows[:, :, ::stride, ::stride]  # (N, in, y, x, height, width)
        x = np.tensordot(windows, kernel, axes=([1, 4, 5], [1, 2, 3])) + bias  # (N, y, x, out)
        x = x.transpose(0, 3, 1, 2)
        if number < len(layers) - 1:  # not after the head
            x = x * np.clip(x / 6 + 0.5, 0, 1)  # Hardswish
    logits: Array = x.mean(axis=(2, 3))
    return logits
