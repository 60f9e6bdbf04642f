"""Digits that the tests draw themselves, like those of a pocket calculator, and a reader of them.

python -m tests.drawn_digits DATA_DIR ...    # the program, trusting the digits in DATA_DIR
"""

import hashlib
import struct
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import mnist_classifier
from mnist_classifier import Digits

# Each segment as (top, bottom, left, right) pixels of a 28x28 image.
SEGMENTS = {
    "a": (4, 6, 9, 19),
    "g": (13, 15, 9, 19),
    "d": (22, 24, 9, 19),
    "f": (5, 14, 9, 11),
    "b": (5, 14, 17, 19),
    "e": (14, 23, 9, 11),
    "c": (14, 23, 17, 19),
}
LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")


def draw_digits(count: int, seed: int) -> Digits:
    """Return `count` digits, each shifted by up to a pixel along each axis, and noisy."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (count,), generator=generator)
    images = torch.zeros(count, 1, 28, 28)
    for image, label in zip(images[:, 0], labels.tolist(), strict=True):
        down, right = torch.randint(-1, 2, (2,), generator=generator).tolist()
        for segment in LIT[label]:
            top, bottom, left, end = SEGMENTS[segment]
            image[top + down : bottom + down, left + right : end + right] = 220
    images += 30 * torch.rand(images.shape, generator=generator)
    return Digits(images.to(torch.uint8), labels)


class SegmentReader(nn.Module):
    """Reads drawn digits by their segments, so that a test depends on no training."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 10) of `images` (N, 1, 28, 28), 0 to 1."""
        return torch.stack([self.read(image[0]) for image in images])

    def read(self, image: Tensor) -> Tensor:
        inked = image > 0.4
        rows = inked.any(dim=1).nonzero().flatten()
        columns = inked.any(dim=0).nonzero().flatten()
        if len(rows) == 0:
            return torch.zeros(10)
        height = int(rows[-1] - rows[0]) + 1
        width = int(columns[-1] - columns[0]) + 1
        if width < 0.4 * height:
            return 20 * torch.eye(10)[1]
        digit = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        digit = nn.functional.interpolate(digit[None, None], (20, 10), mode="bilinear")[0, 0]
        lit = {}
        for name, (top, bottom, left, right) in SEGMENTS.items():
            lit[name] = 2 * digit[top - 4 : bottom - 4, left - 9 : right - 9].mean() - 1
        logits = [sum(lit[s] if s in segments else -lit[s] for s in lit) for segments in LIT]
        return 4 * torch.stack(logits)


def write_drawn_mnist(data_dir: Path, train: int, test: int) -> None:
    """Write a small set of drawn digits where MNIST's unpacked files belong, in their format."""
    raw = data_dir / "MNIST" / "raw"
    raw.mkdir(parents=True)
    train_set = draw_digits(train, seed=1)
    test_set = draw_digits(test, seed=2)
    drawn = [train_set.images, train_set.labels, test_set.images, test_set.labels]
    for name, values in zip(mnist_classifier.MNIST_SHA256, drawn, strict=True):
        values = values.squeeze().to(torch.uint8)
        header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        (raw / name).write_bytes(header + values.numpy().tobytes())


def checksums(data_dir: Path) -> dict[str, str]:
    """What the program's own list of checksums would be if these files were MNIST."""
    raw = data_dir / "MNIST" / "raw"
    names = mnist_classifier.MNIST_SHA256
    return {name: hashlib.sha256((raw / name).read_bytes()).hexdigest() for name in names}


if __name__ == "__main__":
    data_dir, *arguments = sys.argv[1:]
    mnist_classifier.MNIST_SHA256 = checksums(Path(data_dir))
    sys.exit(mnist_classifier.main([f"--data-dir={data_dir}", *arguments]))
