"""flax and JAX: the network written out with their layers."""

from collections.abc import Iterator
from pathlib import Path

import flax  # type: ignore[import-not-found]
import jax  # type: ignore[import-not-found]
import jax.numpy as jnp  # type: ignore[import-not-found]
import numpy as np
from flax import nnx
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program
from elsewhere.runtimes.numpy_by_hand import STRIDES, folded_layers
from mnist_classifier import MEAN, STD


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, with BatchNorm in the convolutions, and channels last."""
    layers = []
    for (kernel, bias), stride in zip(folded_layers(model), STRIDES, strict=True):
        outputs, inputs, *size = kernel.shape
        layer = nnx.Conv(inputs, outputs, size, stride, padding="VALID", rngs=nnx.Rngs(0))
        layer.kernel[...] = jnp.asarray(kernel.transpose(2, 3, 1, 0))
        layer.bias[...] = jnp.asarray(bias)
        layers.append(layer)

    @jax.jit  # type: ignore[untyped-decorator]
    def forward(images: jax.Array) -> jax.Array:
        x = ((images - MEAN) / STD).transpose(0, 2, 3, 1)
        for layer in layers[:-1]:
            x = jax.nn.hard_swish(layer(x))
        return layers[-1](x).mean(axis=(1, 2))

    def run(images: Array) -> Array:
        return np.asarray(forward(images))

    size = sum(layer.kernel[...].nbytes + layer.bias[...].nbytes for layer in layers)
    yield Program(f"flax {flax.__version__}", size, run)
