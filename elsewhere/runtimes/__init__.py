"""What runs the network elsewhere, a module for each runtime.

Each has a function `programs(model, images, folder)`, which converts the trained `model` and
yields a Program for each way to do so. `images` (1000, 1, 28, 28), 0 to 1, are training images for
quantizers; files go into `folder`.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class Program(NamedTuple):
    """The network, converted."""

    name: str
    size: int  # bytes of its files
    run: Callable[[Array], Array] | None  # images (N, 1, 28, 28), 0 to 1, to logits (N, 10)
    clock: Callable[[], float] = time.perf_counter  # seconds, but for what is not the runtime's
    most: int = 10_000  # images that it is compared on; fewer if it is too slow to be timed

    def run_batches(self, images: Array, batch_size: int) -> Array:
        """Return the logits of `images`, given to the runtime in batches."""
        assert self.run is not None
        batches = np.split(images, len(images) // batch_size)
        return np.concatenate([self.run(batch) for batch in batches])


def one_by_one(run: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function of (N, 1, 28, 28) from one that takes a single image, (1, 1, 28, 28)."""
    return lambda images: np.concatenate([run(image) for image in np.split(images, len(images))])


def to_stored(values: Array, tensor: dict[str, Any]) -> npt.NDArray[Any]:
    """Return `values` as LiteRT's `tensor` stores them: as they are, or as integers of 8 bits."""
    if tensor["dtype"] is np.float32:
        return values
    stored = tensor["quantization_parameters"]
    integers = np.rint(values / stored["scales"]) + stored["zero_points"]
    clipped: npt.NDArray[np.int8] = np.clip(integers, -128, 127).astype(np.int8)
    return clipped


def from_stored(values: npt.NDArray[Any], tensor: dict[str, Any]) -> Array:
    """Return the numbers that LiteRT's `tensor` stores as `values`."""
    if tensor["dtype"] is np.float32:
        return values
    stored = tensor["quantization_parameters"]
    numbers: Array = (values.astype(np.float32) - stored["zero_points"]) * stored["scales"]
    return numbers.astype(np.float32)
