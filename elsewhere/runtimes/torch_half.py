"""torch itself, with numbers of 16 bits."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network in both kinds of 16 bits, and under autocast."""
    for dtype in (torch.float16, torch.bfloat16):
        half = deepcopy(model).to(dtype)
        size = sum(t.nbytes for t in half.state_dict().values())
        yield Program(
            f"torch {torch.__version__.split('+')[0]}, {dtype}", size, runner(half, dtype)
        )
    size = sum(t.nbytes for t in model.state_dict().values())

    def run(images: Array) -> Array:
        with torch.autocast("cpu"):
            return runner(model, torch.float32)(images)

    yield Program("- autocast to bfloat16", size, run)


def runner(model: nn.Module, dtype: torch.dtype) -> Callable[[Array], Array]:
    """Return what runs `model` on images of this `dtype`."""

    @torch.inference_mode()
    def run(images: Array) -> Array:
        array: Array = model(torch.from_numpy(images).to(dtype)).float().numpy()
        return array

    return run
