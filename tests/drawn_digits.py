"""Digits that the tests draw themselves, like those of a pocket calculator, in MNIST's format.

python -m tests.drawn_digits DATA_DIR ...    # the program, trusting the digits in DATA_DIR
"""

import hashlib
import struct
import sys
from pathlib import Path

import torch

import mnist_classifier
from mnist_classifier import Digits

# Each segment as (top, bottom, left, right) pixels of a 28x28 image.
SEGMENTS = {"a": (4, 6, 9, 19), "g": (13, 15, 9, 19), "d": (22, 24, 9, 19)}
SEGMENTS |= {"f": (5, 14, 9, 11), "b": (5, 14, 17, 19), "e": (14, 23, 9, 11), "c": (14, 23, 17, 19)}
LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")


def draw_digits(count: int, seed: int) -> Digits:
    """Return `count` digits, each shifted by up to a pixel along each axis, and noisy."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (count,), generator=generator)
    images = torch.zeros(count, 1, 28, 28)
    for image, label in zip(images[:, 0], labels.tolist(), strict=True):
        down, right = (torch.randint(-1, 2, (2,), generator=generator)).tolist()
        for segment in LIT[label]:
            top, bottom, left, end = SEGMENTS[segment]
            image[top + down : bottom + down, left + right : end + right] = 220
    images += 30 * torch.rand(images.shape, generator=generator)
    return Digits(images.to(torch.uint8), labels)


def write_drawn_mnist(data_dir: Path, train: int, test: int) -> None:
    """Write a small set of drawn digits where MNIST's unpacked files belong, in their format."""
    raw = data_dir / "MNIST" / "raw"
    raw.mkdir(parents=True)
    drawn = [*draw_digits(train, seed=1), *draw_digits(test, seed=2)]
    for name, values in zip(mnist_classifier.MNIST_SHA256, drawn, strict=True):
        values = values.squeeze().to(torch.uint8)
        header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        (raw / name).write_bytes(header + values.numpy().tobytes())


def checksums(data_dir: Path) -> dict[str, str]:
    """What the program's own list of checksums would be if these files were MNIST."""
    sums = {}
    for name in mnist_classifier.MNIST_SHA256:
        content = (data_dir / "MNIST" / "raw" / name).read_bytes()
        sums[name] = hashlib.sha256(content[4 + 4 * content[3] :]).hexdigest()
    return sums


if __name__ == "__main__":
    data_dir, *arguments = sys.argv[1:]
    mnist_classifier.MNIST_SHA256 = checksums(Path(data_dir))
    sys.exit(mnist_classifier.main([f"--data-dir={data_dir}", *arguments]))
