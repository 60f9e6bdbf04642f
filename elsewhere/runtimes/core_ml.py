"""Core ML, for Apple's devices. It runs nowhere else, so that this only converts."""

from collections.abc import Iterator
from pathlib import Path

import coremltools  # type: ignore[import-not-found]
import numpy as np
import torch
from torch import Tensor, nn

from elsewhere.runtimes import Program


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the converted network, which takes single images."""
    traced = torch.jit.trace(model, torch.zeros(1, 1, 28, 28))  # type: ignore[no-untyped-call]
    inputs = [coremltools.TensorType(name="images", shape=(1, 1, 28, 28), dtype=np.float32)]
    outputs = [coremltools.TensorType(name="logits")]
    network = coremltools.convert(traced, inputs=inputs, outputs=outputs)
    network.save(folder / "digits.mlpackage")
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    yield Program(f"Core ML, coremltools {coremltools.__version__}", size, None)
