"""ExecuTorch, for phones: with the operations of XNNPACK."""

from collections.abc import Iterator
from pathlib import Path

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import (  # type: ignore[import-not-found]
    XnnpackPartitioner,
)
from executorch.exir import to_edge_transform_and_lower  # type: ignore[import-not-found]
from executorch.runtime import Runtime  # type: ignore[import-not-found]
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program, one_by_one


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, which takes single images."""
    exported = torch.export.export(model, (torch.zeros(1, 1, 28, 28),))
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    content = lowered.to_executorch().buffer
    forward = Runtime.get().load_program(content).load_method("forward")

    def run(image: Array) -> Array:
        (logits,) = forward.execute([torch.from_numpy(image)])
        array: Array = logits.numpy().copy()
        return array

    yield Program("ExecuTorch, XNNPACK", len(content), one_by_one(run))
