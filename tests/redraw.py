"""Redraw MNIST-like digits the way people's pictures look, and count how many are read rightly.

python -m tests.redraw DATA_DIR [WEIGHTS_DIR]     # on the real test set
"""

import io
import math
import random
import sys

import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torchvision.transforms.v2.functional import pil_to_tensor

from mnist_classifier import (
    Digits,
    Failure,
    evaluate,
    load_mnist,
    load_model,
    predict,
    to_mnist,
)


def redraw(digit: Tensor, rng: random.Random) -> Image.Image:
    """Picture of `digit` (28, 28) uint8: 60 to 800 pixels wide or high, anywhere on its canvas.

    Dark on light or light on dark, thick or thin, blurred, noisy, lit from one side, as a JPEG.
    """
    stroke = Image.fromarray(digit.numpy())
    stroke = stroke.crop(stroke.getbbox())
    canvas_width, canvas_height = rng.randint(60, 800), rng.randint(60, 800)
    size = rng.uniform(0.4, 0.85) * min(canvas_width, canvas_height)  # of the digit, in pixels
    scale = size / max(stroke.size)
    width, height = (max(1, round(side * scale)) for side in stroke.size)
    stroke = stroke.resize((width, height), Image.Resampling.BICUBIC)
    left = rng.randint(0, canvas_width - width)
    top = rng.randint(0, canvas_height - height)
    canvas = Image.new("L", (canvas_width, canvas_height))
    canvas.paste(stroke, (left, top))
    canvas = canvas.filter(ImageFilter.GaussianBlur(0.35 * scale))
    edge = rng.uniform(70, 160)  # the grey at which the pen's edge lies: low is a thick pen
    canvas = canvas.point([max(0, min(255, round(4 * (v - edge) + 128))) for v in range(256)])
    canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.012) * size))
    ink = pil_to_tensor(canvas)[0] / 255

    paper, pen = rng.uniform(170, 250), rng.uniform(10, 80)
    if rng.random() < 0.5:
        paper, pen = pen, paper
    y = torch.linspace(-1, 1, canvas_height).unsqueeze(1)
    x = torch.linspace(-1, 1, canvas_width)
    angle = rng.uniform(0, 2 * math.pi)
    light = 1 + rng.uniform(0, 0.25) * (x * math.cos(angle) + y * math.sin(angle))
    noise = torch.randn(ink.shape, generator=torch.Generator().manual_seed(rng.getrandbits(32)))
    pixels = (paper + (pen - paper) * ink) * light + rng.uniform(0, 10) * noise
    picture = Image.fromarray(pixels.clamp(0, 255).to(torch.uint8).numpy())
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=rng.randint(50, 95))
    return Image.open(file)


def read_redrawn(model: nn.Module, digits: Digits, count: int, seed: int) -> float:
    """Fraction of `count` redrawn `digits` that `model` reads rightly."""
    rng = random.Random(seed)
    chosen = rng.sample(range(len(digits.labels)), count)
    right = 0
    for i in chosen:
        try:
            answer = predict(model, to_mnist(redraw(digits.images[i, 0], rng)).unsqueeze(0))[0]
            right += int(answer == digits.labels[i])
        except Failure:  # nothing seen: not read
            pass
    return right / count


def read_as_files(model: nn.Module, digits: Digits) -> float:
    """Fraction of `digits` that `model` reads rightly from untouched 28x28 PNG files."""
    images = []
    for digit in digits.images[:, 0]:
        file = io.BytesIO()
        Image.fromarray(digit.numpy()).save(file, "PNG")
        images.append(to_mnist(Image.open(file)))
    return (predict(model, torch.stack(images))[0] == digits.labels).float().mean().item()


if __name__ == "__main__":
    cpu = torch.device("cpu")
    model = load_model(sys.argv[2] if len(sys.argv) > 2 else ".")
    test_set = load_mnist(sys.argv[1], cpu)[1]
    redrawn = read_redrawn(model, test_set, count=1000, seed=0)
    files, tested = read_as_files(model, test_set), evaluate(model, test_set).accuracy
    print(f"redrawn as people's pictures: {redrawn:.2%} of 1000 read rightly (98.50% wanted)")
    print(f"as 28x28 PNG files: {files:.2%} of {len(test_set.labels)}, as tensors: {tested:.2%}")
    sys.exit(redrawn < 0.985 or abs(files - tested) > 0.0005)
