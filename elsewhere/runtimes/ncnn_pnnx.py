"""ncnn, for phones: converted by pnnx, with weights of 16 bits."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import ncnn  # type: ignore[import-not-found]
import numpy as np
import pnnx  # type: ignore[import-not-found]
import torch
from torch import Tensor, nn

from elsewhere.runtimes import Array, Program, one_by_one


def programs(model: nn.Module, images: Tensor, folder: Path) -> Iterator[Program]:
    """Yield the network, which takes single images."""
    with contextlib.chdir(folder):
        pnnx.export(model, "digits.pt", torch.zeros(1, 1, 28, 28))
    files = [folder / "digits.ncnn.param", folder / "digits.ncnn.bin"]
    network = ncnn.Net()
    network.opt.num_threads = 1
    network.load_param(str(files[0]))
    network.load_model(str(files[1]))

    def run(image: Array) -> Array:
        extractor = network.create_extractor()
        extractor.input("in0", ncnn.Mat(image[0]).clone())  # without a copy, it crashes
        _, logits = extractor.extract("out0")
        return np.array(logits, dtype=np.float32).reshape(1, 10)

    size = sum(file.stat().st_size for file in files)
    yield Program(f"ncnn {ncnn.__version__}", size, one_by_one(run))
