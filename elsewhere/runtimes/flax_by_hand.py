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
from elsewhere.runtimes.numpy_by_hand import float_layers

ACTIVATIONS = {"hardswish": jax.nn.hard_swish, "relu": jax.nn.relu, "none": jax.nn.identity}


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, with BatchNorm in the convolutions, and channels last."""
    layers = []
    for folded in float_layers(model):
        outputs, inputs, *size = folded.weights.shape
        layer = nnx.Conv(inputs, outputs, size, folded.stride, padding="VALID", rngs=nnx.Rngs(0))
        layer.kernel[...] = jnp.asarray(folded.weights.numpy().transpose(2, 3, 1, 0))
        layer.bias[...] = jnp.asarray(folded.biases.numpy())
        layers.append((layer, ACTIVATIONS[folded.activation]))

    @jax.jit  # type: ignore[untyped-decorator]
    def forward(images: jax.Array) -> jax.Array:
        x = images.transpose(0, 2, 3, 1)
        for layer, activation in layers:
            x = activation(layer(x))
        return x.mean(axis=(1, 2))

    def run(images: Array) -> Array:
        return np.asarray(forward(images))

    size = sum(layer.kernel[...].nbytes + layer.bias[...].nbytes for layer, _ in layers)
    yield Program(f"flax {flax.__version__}", size, run)
