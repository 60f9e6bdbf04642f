# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.12", "torchvision>=0.27", "pillow>=10.2", "tqdm>=4.66"]
# ///
"""Train a tiny convolutional network to read handwritten digits (MNIST).

    python mnist_classifier.py               # download the data, train, test, save
    python mnist_classifier.py --evaluate    # test the saved weights again

The assignment allows fewer than 20,000 parameters and fewer than 20 epochs, and asks for a test
accuracy of 99.4 % at the last epoch. Nothing is decided with the test set: not the learning rate,
not when to stop, not which weights are kept. README.md has the measurements.
"""

import argparse
import contextlib
import copy
import dataclasses
import errno
import hashlib
import io
import json
import math
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torch.optim.lr_scheduler import ReduceLROnPlateau
from tqdm import tqdm  # type: ignore[import-untyped]

IMAGE_SIZE = 28  # pixels, height and width
NUM_CLASSES = 10
MEAN = 0.1307  # of the training pixels, in the range 0 to 1
STD = 0.3081  # their standard deviation

MNIST_SHA256 = {  # of each file, unpacked
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
NETWORK_TIMEOUT = 20.0  # seconds without an answer

WEIGHTS_FILE = "final_model.pth"
ACCURACY_FILE = "test_accuracy.txt"
HISTORY_FILE = "history.csv"
SETTINGS_FILE = "settings.json"
MISTAKES_FILE = "mistakes.png"


class Failure(Exception):
    """Something that can be expected to go wrong; the message says all that a user needs."""


def one_line(error: Exception) -> str:
    """Return what `error` says on a single line or, if it says nothing, its type."""
    return " ".join(str(error).split()) or type(error).__name__


@dataclasses.dataclass(frozen=True)
class Config:
    """The hyperparameters of training. experiments/README.md tells what each contributes."""

    epochs: int = 9
    batch_size: int = 192  # images in a step, at the most
    lr: float = 0.12  # initial learning rate of the convolutions before the head
    lr_ratio: float = 0.5  # learning rate of all other parameters, as a share of lr
    momentum: float = 0.9
    averaging_divisor: int = 9  # k: average the weights over about the last 1/k of the steps
    lr_factor: float = 0.5  # a cut of the learning rates multiplies them by this
    lr_patience: int = 0  # epochs without progress that are allowed before a cut
    lr_threshold: float = 0.05  # progress: a loss this share below that at the last progress
    flagged_share: float = 0.25  # share of the training 1s that are given a flag
    rotation: float = 10.0  # degrees, either way
    translation: float = 2.0  # pixels, either way, along each axis
    scale: float = 0.1  # share of the size, either way, along each axis
    shear: float = 0.1  # pixels sideways per pixel of height, either way
    elastic: float = 0.7  # pixels, standard deviation of the displacements at 5x5 points
    clean_share: float = 1 / 6  # share of the epochs, at the end, without flags and distortion
    seed: int = 0  # of the first weights, the order of the images, augmentation and dropout

    def is_augmented(self, epoch: int) -> bool:
        """Tell whether this epoch, from 1, sees flags and distortion: all but the last ones do."""
        return epoch <= self.epochs - math.ceil(self.epochs * self.clean_share)


# --- network ---
def conv_block(inputs: int, outputs: int, kernel_size: int, stride: int = 1) -> list[nn.Module]:
    """Return an unpadded convolution, BatchNorm and Hardswish, as a list of layers."""
    return [
        # No bias: BatchNorm subtracts the mean, and any constant with it.
        nn.Conv2d(inputs, outputs, kernel_size, stride, bias=False),
        nn.BatchNorm2d(outputs),
        nn.Hardswish(),
    ]


class SmallCNN(nn.Module):
    """Map images (N, 1, 28, 28), from 0, the background, to 1, ink, to raw logits (N, 10)."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.features = nn.Sequential(  # (N, 1, 28, 28)
            *conv_block(1, 16, kernel_size=5, stride=2),  # (N, 16, 12, 12)
            *conv_block(16, 16, kernel_size=3),  # (N, 16, 10, 10)
            *conv_block(16, 32, kernel_size=3),  # (N, 32, 8, 8)
            *conv_block(32, 32, kernel_size=3),  # (N, 32, 6, 6)
        )
        self.head = nn.Conv2d(32, NUM_CLASSES, kernel_size=3)  # (N, 10, 4, 4), maps of scores
        self.dropout = nn.Dropout(dropout)  # here, where few values need a random number each
        self.global_pool = nn.AdaptiveAvgPool2d(1)  # (N, 10, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, 10) of `images` (N, 1, 28, 28), floats from 0 to 1.

        Raises TypeError for integers: pixels from 0 to 255 have to be divided by 255 first.
        Raises ValueError for another shape.
        """
        check_images(images)
        normalised = (images - MEAN) / STD
        score_maps = self.dropout(self.head(self.features(normalised)))
        logits: Tensor = self.global_pool(score_maps)
        return logits.flatten(1)

    def filters(self) -> list[nn.Parameter]:
        """Return the filters of the convolutions before the head."""
        return [p for p in self.features.parameters() if p.ndim == 4]


def check_images(images: Tensor) -> None:
    """Raise TypeError unless `images` are floats in a tensor, ValueError unless (N, 1, 28, 28)."""
    expected = f"images must be floats (N, 1, {IMAGE_SIZE}, {IMAGE_SIZE}) from 0 to 1"
    if not isinstance(images, Tensor):
        raise TypeError(f"{expected} in a torch tensor, not in a {type(images).__name__}")
    if not images.is_floating_point():
        raise TypeError(f"{expected}, not {images.dtype}: divide pixels from 0 to 255 by 255")
    if images.shape[1:] != (1, IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"{expected}, not {tuple(images.shape)}")


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


# --- data ---
@dataclasses.dataclass(frozen=True, eq=False)
class Digits:
    """A whole data set in memory, on the device that trains.

    Raises TypeError unless images and labels are tensors. Raises ValueError if they have another
    type or shape, if a label is none of the ten, or if there is no image.
    """

    images: Tensor  # (N, 1, 28, 28) uint8, ink 255 on background 0
    labels: Tensor  # (N,) int64, 0 to 9

    def __post_init__(self) -> None:
        for tensor in (self.images, self.labels):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"images and labels must be tensors, not {type(tensor).__name__}")
        if self.labels.dtype != torch.int64 or self.labels.ndim != 1:
            found = f"{self.labels.dtype} {tuple(self.labels.shape)}"
            raise ValueError(f"labels must be torch.int64 (N,), not {found}")
        shape = (len(self.labels), 1, IMAGE_SIZE, IMAGE_SIZE)
        if self.images.dtype != torch.uint8 or self.images.shape != shape:
            found = f"{self.images.dtype} {tuple(self.images.shape)}"
            raise ValueError(f"images must be torch.uint8 {shape} for these labels, not {found}")
        if len(self.labels) == 0:
            raise ValueError("there is no image")
        if not ((self.labels >= 0) & (self.labels < NUM_CLASSES)).all():
            lowest, highest = self.labels.aminmax()
            raise ValueError(f"labels must be from 0 to 9, not from {lowest} to {highest}")

    def scaled(self, indices: Tensor | slice = slice(None)) -> Tensor:
        """Return the images with these `indices`, by default all, as floats from 0 to 1."""
        return self.images[indices] / 255

    def __repr__(self) -> str:
        return f"Digits({len(self.labels)} images on {self.labels.device})"


def load_mnist(data_dir: str | Path, device: str | torch.device = "cpu") -> tuple[Digits, Digits]:
    """Return the training and the test set of MNIST; raise as `load_digits` does."""
    return load_digits(data_dir, "train", device), load_digits(data_dir, "t10k", device)


def load_digits(data_dir: str | Path, split: str, device: str | torch.device = "cpu") -> Digits:
    """Return a split of MNIST, "train" or "t10k" (the test set), from `data_dir`/MNIST/raw.

    What is not there is downloaded. Raises Failure if it can be neither found nor downloaded, or
    if something else has the name of one of its files, and ValueError for another split.
    """
    if split not in ("train", "t10k"):
        raise ValueError(f"the split must be 'train' or 't10k', not {split!r}")
    raw = Path(data_dir, "MNIST", "raw")
    images_file = raw / f"{split}-images-idx3-ubyte"
    labels_file = raw / f"{split}-labels-idx1-ubyte"
    if not (os.path.exists(images_file) and os.path.exists(labels_file)):
        download_mnist(data_dir)
    pixels = read_mnist_file(images_file)[16:]  # after the header
    labels = read_mnist_file(labels_file)[8:]
    images = pixels.view(-1, 1, IMAGE_SIZE, IMAGE_SIZE)
    return Digits(images.to(device), labels.long().to(device))


def read_mnist_file(path: Path) -> Tensor:
    """Return the bytes (N,) uint8 of `path`; raise Failure if they are not MNIST's."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {path} ({error.strerror}): see --data-dir") from error
    if hashlib.sha256(content).hexdigest() != MNIST_SHA256[path.name]:
        raise Failure(
            f"{path} is not MNIST's, or was cut short (its checksum is another): "
            "move it away, or name another folder with --data-dir"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def download_mnist(data_dir: str | Path) -> None:
    """Let torchvision download MNIST's files, check and unpack them, or raise Failure.

    MNIST's archives that are there already are only unpacked. No file is written over.
    """
    from torchvision.datasets import MNIST  # type: ignore[import-untyped]  # slow, so only here

    raw = Path(data_dir, "MNIST", "raw")
    print(f"Getting MNIST (12 MB) into {raw}", flush=True)
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_TIMEOUT)
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="new-data-", dir=raw) as scratch:
            new = Path(scratch, "MNIST", "raw")
            new.mkdir(parents=True)
            for name in MNIST_SHA256:
                archive = raw / f"{name}.gz"
                if archive.is_file():  # torchvision downloads it again if it is not MNIST's
                    shutil.copy(archive, new)
            with contextlib.redirect_stderr(io.StringIO()):  # its bars would fill a log
                MNIST(scratch, download=True)
            for path in new.iterdir():
                if not os.path.exists(raw / path.name):
                    os.replace(path, raw / path.name)
    except Exception as error:  # networks, servers and disks each fail in their own way
        raise Failure(
            f"cannot get MNIST into {raw} ({one_line(error)}): put its four .gz files there, whole, "
            "or name another folder with --data-dir"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)


# --- augmentation and batches ---
STROKE = 127  # of 255: brighter pixels belong to a stroke, darker ones may be its soft edge


def add_flags(digits: Digits, share: float) -> Digits:
    """Return `digits` with a flag on a `share` of the 1s, as many people write them.

    Few of MNIST's have one. A network that saw only those would read other people's as 7s.
    """
    images = digits.images.cpu().clone()
    has_stroke = images.amax(dim=(1, 2, 3)) > STROKE
    ones = (has_stroke & (digits.labels.cpu() == 1)).nonzero().flatten()
    chosen = ones[torch.rand(len(ones)) < share]
    images[chosen, 0] = draw_flags(images[chosen, 0])
    return Digits(images.to(digits.images.device), digits.labels)


def draw_flags(ones: Tensor) -> Tensor:
    """Return 1s (N, 28, 28) uint8 with a line from the top down to the left.

    Then each is moved sideways, so that its centre of mass is in the middle again.
    """
    # Doubles at first, as when the recipe was measured: floats would change a few pixels.
    random = torch.rand(len(ones), 3, 1, 1).double()
    angle = torch.deg2rad(30 + 40 * random[:, 0])  # (N, 1, 1), below the horizontal
    sin = angle.sin().float()
    cos = angle.cos().float()
    length = (4 + 10 * random[:, 1]).float()  # pixels
    half_width = (0.5 + random[:, 2]).float()  # pixels
    place = torch.arange(IMAGE_SIZE)
    has_stroke = ones.amax(dim=2, keepdim=True) > STROKE  # (N, 28, 1)
    top = has_stroke.int().argmax(dim=1, keepdim=True)  # (N, 1, 1), the first such row
    tip = centre_of_ink(torch.take_along_dim(ones, top, dim=1))  # (N, 1, 1), where the flag begins
    right = place - tip  # (N, 1, 28), pixels
    below = place[:, None] - top  # (N, 28, 1), pixels
    along = below * sin - right * cos  # (N, 28, 28), pixels down the flag
    along = along.clamp(min=0).minimum(length)
    from_flag = torch.hypot(right + along * cos, below - along * sin)
    flag = (half_width + 0.5 - from_flag).clamp(0, 1) * 255
    flagged = ones.maximum(flag.to(torch.uint8))
    centre = centre_of_ink(flagged.sum(dim=1, keepdim=True))
    shift = ((IMAGE_SIZE - 1) / 2 - centre).round().long()  # (N, 1, 1), to the right
    return torch.take_along_dim(flagged, (place - shift) % IMAGE_SIZE, dim=2)


def centre_of_ink(rows: Tensor) -> Tensor:
    """Return the centre of mass (N, 1, 1) of each row (N, 1, 28), in pixels from the left."""
    place = torch.arange(IMAGE_SIZE)
    return (rows * place).sum(dim=2, keepdim=True) / rows.sum(dim=2, keepdim=True)


def augment(images: Tensor, config: Config) -> Tensor:
    """Rotate, scale, shear, shift and bend each image (N, 1, 28, 28), 0 to 1, in its own way.

    What was outside the image is 0. (torchvision's transforms would move a whole batch alike.)
    """

    def uniform(limit: float) -> Tensor:  # (N,), between -limit and limit
        return (torch.rand(len(images), device=images.device) * 2 - 1) * limit

    pixel = 2 / IMAGE_SIZE  # grid_sample's coordinates run from -1 to 1 over the image
    angle = uniform(math.radians(config.rotation))
    shear = uniform(config.shear)
    scale_x = 1 + uniform(config.scale)
    scale_y = 1 + uniform(config.scale)
    shift_x = uniform(config.translation) * pixel
    shift_y = uniform(config.translation) * pixel
    sin = angle.sin()
    cos = angle.cos()
    # The result has at (x, y) the value that the image has at (x', y'):
    #     x' = (cos * scale_x) * x + (shear - sin * scale_y) * y + shift_x
    #     y' = (sin * scale_x) * x +         (cos * scale_y) * y + shift_y
    to_x = torch.stack([cos * scale_x, shear - sin * scale_y, shift_x], dim=1)
    to_y = torch.stack([sin * scale_x, cos * scale_y, shift_y], dim=1)
    matrices = torch.stack([to_x, to_y], dim=1)  # (N, 2, 3)
    centres = (torch.arange(IMAGE_SIZE, device=images.device) + 0.5) * pixel - 1  # of the pixels
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)]).flatten(1)  # (3, 784)
    # F.affine_grid does the same, but takes several times as long.
    grid = (matrices @ points).view(-1, 2, IMAGE_SIZE, IMAGE_SIZE)
    grid += bend(len(images), config.elastic * pixel, images.device)
    return F.grid_sample(images, grid.movedim(1, -1), align_corners=False)


def bend(count: int, amount: float, device: torch.device) -> Tensor:
    """Return a smooth random displacement (count, 2, 28, 28) along each axis.

    It is normal, with the standard deviation `amount`, at 5x5 points, and bicubic between them: a
    form of the elastic distortion of Simard et al. (2003).
    """
    coarse = torch.randn(count, 2, 5, 5, device=device) * amount
    # Interpolation is linear: a matrix, made once, interpolates all columns, and then all rows.
    # (F.interpolate(coarse, ...) does the same, but takes many times as long.)
    units = torch.eye(5, device=device)[None, None]  # a column for each point
    size = (IMAGE_SIZE, 5)
    matrix = F.interpolate(units, size, mode="bicubic", align_corners=True)[0, 0]  # (28, 5)
    return matrix @ coarse @ matrix.T


def make_batches(
    digits: Digits, config: Config, augmented: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images (B, 1, 28, 28), 0 to 1, and labels (B,): all of `digits` in random order.

    Their sizes differ by one image at the most. (With all of the same size but a last one, that
    one could be a single image, which a BatchNorm after the pooling refuses.)
    """
    order = torch.randperm(len(digits.labels)).to(digits.labels.device)
    for indices in torch.tensor_split(order, count_steps(digits, config)):
        images = digits.scaled(indices)
        if augmented:
            images = augment(images, config)
        yield images, digits.labels[indices]


def count_steps(digits: Digits, config: Config) -> int:
    """Return the number of batches in an epoch."""
    return math.ceil(len(digits.labels) / config.batch_size)


# --- optimizer and average ---
def orthogonalize(matrix: Tensor, steps: int = 3) -> Tensor:
    """Return `matrix` (M, N) made nearly orthogonal: all its singular values become about 1.

    Each step pushes them towards 1; most end between 0.7 and 1.2. This is the Newton-Schulz
    iteration of Jordan et al., "Muon" (2024), with its coefficients.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum that makes the updates of convolution filters orthogonal.

    The gradient of a filter matrix is often large in a few directions and tiny in the others;
    made orthogonal, the update moves all of them about equally far (Jordan et al., 2024). Written
    out because torch.optim.Muon takes plain matrices only, in bfloat16.

    `filters` are the parameters whose updates are made orthogonal, with the learning rate `lr`.
    The other `parameters` have plain updates, with `lr_others`: those of BatchNorm, and the head,
    whose rows are the ten classes. A parameter without a gradient, as in a frozen layer, stays as
    it is. So name all of them at once: no group can be added later.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        filters: Iterable[nn.Parameter],
        lr: float,
        lr_others: float,
        momentum: float,
    ) -> None:
        filters = list(filters)
        are_filters = set(filters)
        others = [p for p in parameters if p not in are_filters]
        groups = [
            {"params": filters, "lr": lr, "orthogonal": True},
            {"params": others, "lr": lr_others, "orthogonal": False},
        ]
        super().__init__(groups, {"momentum": momentum})
        for p in filters + others:
            self.state[p]["momentum_buffer"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Move every parameter by its gradient and its momentum."""
        for group in self.param_groups:
            momentum = group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p]["momentum_buffer"]
                buffer.mul_(momentum).add_(p.grad)
                update = p.grad.add(buffer, alpha=momentum)  # Nesterov's look ahead
                if group["orthogonal"]:
                    update = orthogonalize(update.flatten(1)).view_as(p)
                p.sub_(update, alpha=group["lr"])


class RunningAverage:
    """A copy of a model that follows it as an average over the latest part of its steps.

    After n steps, the next weights enter with the share k / (k + n), where k is the divisor. With
    k = 9 this is 1 % after 900 steps, so that the average covers about the last 100, a ninth.
    (Polynomial decay, Shamir and Zhang, 2013.) BatchNorm's statistics are averaged as well.
    """

    def __init__(self, model: SmallCNN, divisor: int) -> None:
        self.model = copy.deepcopy(model)
        self.divisor = divisor
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the weights that `model` has now."""
        share = self.divisor / (self.divisor + self.steps)
        averages = self.model.state_dict()
        for name, current in model.state_dict().items():
            if current.is_floating_point():  # BatchNorm's counters of steps are not averaged
                averages[name].lerp_(current, share)
        self.steps += 1


# --- training ---
class Score(NamedTuple):
    """How well a set of images was answered."""

    loss: float  # mean cross-entropy over all images
    accuracy: float  # fraction of correct answers

    def __repr__(self) -> str:
        return f"Score(loss={self.loss:.4f}, accuracy={self.accuracy:.4f})"


class Epoch(NamedTuple):
    """What is kept of an epoch."""

    number: int  # from 1
    learning_rate: float  # of the filters
    train: Score  # the schedule follows its loss
    test: Score  # only reported
    seconds: float  # of training, without the test


def train(config: Config, train_set: Digits, test_set: Digits) -> tuple[SmallCNN, list[Epoch]]:
    """Train from scratch; return the model, ready to read digits, and the history.

    The model has the averaged weights, which are more accurate than those that the optimizer
    moves. The test set is only reported. Sets torch's random seed. Raises Failure if the loss is
    no longer finite.

    Uses as many threads as torch is set to, which is one for each processor: call
    `torch.set_num_threads(default_threads())` first to do as the command line does.
    To train a class of your own, assign it to `mnist_classifier.SmallCNN`.
    """
    torch.manual_seed(config.seed)
    device = train_set.labels.device
    model = SmallCNN().to(device)
    if device.type == "cpu":  # this order of the values in memory is faster there
        model = model.to(memory_format=torch.channels_last)
    average = RunningAverage(model, config.averaging_divisor)
    optimizer = Muon(
        model.parameters(),
        model.filters(),
        lr=config.lr,
        lr_others=config.lr * config.lr_ratio,
        momentum=config.momentum,
    )
    scheduler = ReduceLROnPlateau(
        optimizer,
        mode="min",
        factor=config.lr_factor,
        patience=config.lr_patience,
        threshold=config.lr_threshold,
    )
    print(f"Total trainable parameters: {count_parameters(model)}", flush=True)
    with_flags = add_flags(train_set, config.flagged_share)
    history: list[Epoch] = []
    for number in range(1, config.epochs + 1):
        learning_rate = optimizer.param_groups[0]["lr"]
        started = time.perf_counter()
        digits = with_flags if config.is_augmented(number) else train_set
        train_score = train_epoch(number, config, model, average, optimizer, digits)
        seconds = time.perf_counter() - started
        test_score = evaluate(average.model, test_set)  # for the reader: it decides nothing
        history.append(Epoch(number, learning_rate, train_score, test_score, seconds))
        print_epoch(history[-1], config.epochs)
        if not math.isfinite(train_score.loss):
            raise Failure(f"the loss is not finite in epoch {number}; try a lower --lr")
        if number < config.epochs:  # a cut after the last one would have no effect
            step_schedule(scheduler, train_score.loss)
    return average.model.eval(), history


def train_epoch(
    number: int,
    config: Config,
    model: nn.Module,
    average: RunningAverage,
    optimizer: torch.optim.Optimizer,
    digits: Digits,
) -> Score:
    """Train `model` on all of `digits`, with a bar; return its score while it learned."""
    batches = make_batches(digits, config, augmented=config.is_augmented(number))
    steps = count_steps(digits, config)
    title = f"Epoch {number}/{config.epochs}"
    bar = tqdm(batches, title, total=steps, leave=False, disable=not can_draw_bar())
    # These stay on the device: reading them at every step would make a GPU wait.
    loss_sum = torch.zeros((), device=digits.labels.device)
    correct = torch.zeros((), device=digits.labels.device)
    seen = 0
    model.train()
    for step, (images, labels) in enumerate(bar, start=1):
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        average.update(model)
        loss_sum += loss.detach() * len(labels)
        correct += (logits.argmax(dim=1) == labels).sum()
        seen += len(labels)
        if step % 20 == 0 and not bar.disable:
            bar.set_postfix_str(f"loss={loss_sum / seen:.3f}, acc={correct / seen:.2%}")
    return Score((loss_sum / seen).item(), (correct / seen).item())


def can_draw_bar() -> bool:
    """Tell whether a bar can be drawn: on a terminal or in a notebook, but not in a log."""
    in_notebook = "ipykernel" in sys.modules
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    return in_notebook or on_terminal


def step_schedule(scheduler: ReduceLROnPlateau, train_loss: float) -> None:
    """Show `scheduler` the loss of an epoch, and say so if it cuts the learning rates."""
    before = scheduler.get_last_lr()
    scheduler.step(train_loss)
    after = scheduler.get_last_lr()
    if any(new < old for new, old in zip(after, before, strict=True)):
        rates = ", ".join(f"{rate:g}" for rate in after)
        print(f"Reduced the learning rates to {rates}", flush=True)


def print_epoch(epoch: Epoch, epochs: int) -> None:
    """Print a line on training and one on the test.

    Training looks worse than it is: its answers are to augmented images (but for the last epochs),
    under dropout, and given while the weights still change. The test is of the averaged weights.
    """
    print(
        f"Epoch {epoch.number}/{epochs}: loss={epoch.train.loss:.3f}, "
        f"acc={epoch.train.accuracy:.2%}, {epoch.seconds:.1f} s"
    )
    print_test(epoch.test)


def print_test(score: Score) -> None:
    """Print the score on the test set."""
    print(
        f"Test set: Average loss: {score.loss:.4f}, Accuracy: {score.accuracy:.2%}",
        flush=True,
    )


# --- evaluation ---
@torch.no_grad()
def compute_logits(model: nn.Module, images: Tensor, batch_size: int = 1000) -> Tensor:
    """Show `images` (N, 1, 28, 28), 0 to 1, to `model` in evaluation mode; return (N, 10).

    The images are made as precise as the weights, which may be in half or double precision.
    """
    model.eval()
    images = images.to(next(model.parameters(), images).dtype)
    return torch.cat([model(batch) for batch in torch.split(images, batch_size)])


def score_logits(logits: Tensor, labels: Tensor) -> Score:
    """Return the score of `logits` (N, 10) as answers to images with these `labels` (N,)."""
    correct = (logits.argmax(dim=1) == labels).sum().item()
    return Score(F.cross_entropy(logits, labels).item(), correct / len(labels))


def evaluate(model: nn.Module, digits: Digits) -> Score:
    """Score `model` on every one of `digits`. Leaves it in evaluation mode, else unchanged."""
    return score_logits(compute_logits(model, digits.scaled()), digits.labels)


def predict(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Read `images`; return the digits (N,) and their probabilities (N,).

    Leaves `model` in evaluation mode. Raises TypeError and ValueError as `SmallCNN.forward` does,
    and ValueError unless all pixels are from 0, the background, to 1, ink.
    """
    check_images(images)
    rounding = 0.5 / 255  # half a grey level: a blur, for example, may leave a bit of it
    if not ((images >= -rounding) & (images <= 1 + rounding)).all():
        lowest, highest = images.aminmax()
        raise ValueError(f"images must be from 0 to 1, not from {lowest:g} to {highest:g}")
    probabilities, digits = compute_logits(model, images).softmax(dim=1).max(dim=1)
    return digits, probabilities


# --- results ---
def find_weights() -> Path:
    """Return the file of weights in the current folder or, without one, beside this file."""
    here = Path(WEIGHTS_FILE)
    return here if here.exists() else Path(__file__).resolve().with_name(WEIGHTS_FILE)


def load_model(path: str | Path, device: str | torch.device = "cpu") -> SmallCNN:
    """Return the network with the weights in `path`, a file or its folder, ready to read digits.

    Nothing in that file is run. Raises Failure if it is not there or has no such weights.
    """
    path = Path(path)
    if os.path.isdir(path):
        path = path / WEIGHTS_FILE
    if not os.path.isfile(path):
        raise Failure(f"there are no weights in {path}: train first, or name another place")
    model = SmallCNN()
    state = read_state(path)
    for prefix in ("module.", "_orig_mod.", "module."):  # DataParallel, torch.compile, in any order
        consume_prefix_in_state_dict_if_present(state, prefix)
    check_state(path, state, model.state_dict())
    model.load_state_dict(state)
    return model.to(device).eval()


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors by their names in the file `path`; raise Failure if it holds no such."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {path} ({error.strerror})") from error
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken or hostile file makes torch say
        if "Unsupported global" not in str(error):  # torch's words for a class it does not trust
            raise Failure(f"{path} is not a file of weights ({type(error).__name__})") from error
        found = str(error).split("GLOBAL ")[-1].split()[0]
    else:
        others = other_entries(state)
        if not others:
            return {str(name): tensor for name, tensor in state.items()}
        found = ", ".join(others)
    raise Failure(f"{path} holds more than weights ({found}): save model.state_dict() instead")


def other_entries(state: object) -> list[str]:
    """Return the names of what is no tensor in `state` or, if it is no dict, its type's name."""
    if not isinstance(state, dict):
        return [type(state).__name__]
    return [str(name) for name, value in state.items() if not isinstance(value, Tensor)]


def check_state(path: Path, state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Raise Failure if `state` has other tensors than `expected`, or values that are not finite."""
    for name in expected | state:
        here = describe_tensor(state[name]) if name in state else "missing"
        wanted = describe_tensor(expected[name]) if name in expected else "none"
        if here != wanted:
            raise Failure(
                f"{path} has the weights of another network ({name} is {here}, "
                f"and this network has {wanted}): if you changed it, train first"
            )
    if not all(t.float().isfinite().all() for t in state.values()):  # as floats of 32 bits
        raise Failure(f"{path} has weights that are not finite numbers")


def describe_tensor(tensor: Tensor) -> str:
    """Return the kind of numbers and the shape of `tensor` as text."""
    kind = "floats" if tensor.is_floating_point() else "integers"
    return f"{kind} {tuple(tensor.shape)}"


def accuracy_text(accuracy: float) -> str:
    """Return what test_accuracy.txt says: percent, two decimals, nothing else."""
    return f"{100 * accuracy:.2f}"


def history_text(history: Sequence[Epoch]) -> str:
    """Return `history` as comma-separated values."""
    lines = ["epoch,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,seconds"]
    for epoch in history:
        rate = f"{epoch.learning_rate:g}"
        scores = [f"{value:.6f}" for value in (*epoch.train, *epoch.test)]
        lines.append(",".join([str(epoch.number), rate, *scores, f"{epoch.seconds:.3f}"]))
    return "\n".join(lines) + "\n"


def draw_mistakes(
    digits: Digits, logits: Tensor, columns: int = 8, limit: int = 200
) -> Image.Image:
    """Return a picture of the `digits` that `logits` (N, 10) answer wrongly, the surest first."""
    digit_size = 112  # pixels
    tile_width = 136
    tile_height = 180  # a digit, and two lines of text
    margin = 24
    title_height = 68
    labels = digits.labels.cpu()
    probabilities, answers = logits.cpu().softmax(dim=1).max(dim=1)
    wrong = (answers != labels).nonzero().flatten()
    surest_first = wrong[probabilities[wrong].argsort(descending=True)]
    shown = surest_first[:limit].tolist()

    width = margin + columns * tile_width
    height = title_height + math.ceil(len(shown) / columns) * tile_height
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=17)
    title = f"{len(wrong)} of {len(labels)} wrong, the surest first"
    draw.text((margin, margin), title, "black", font)
    for place, i in enumerate(shown):
        left = margin + place % columns * tile_width
        top = title_height + place // columns * tile_height
        digit = Image.fromarray(digits.images[i, 0].cpu().numpy())
        page.paste(digit.resize((digit_size, digit_size), Image.Resampling.BICUBIC), (left, top))
        caption = f"{labels[i]} read as {answers[i]}\n{probabilities[i]:.1%} sure"
        draw.text((left, top + digit_size + 2), caption, "black", font)
    return page


def print_confusion_matrix(labels: Tensor, predictions: Tensor) -> None:
    """Print how often each label (N,) was read as each digit, and the accuracy for each label."""
    cells = labels * NUM_CLASSES + predictions  # a number for each pair: 34 is a 3 read as a 4
    counts = cells.bincount(minlength=NUM_CLASSES**2).view(NUM_CLASSES, NUM_CLASSES)
    header = "".join(f"{digit:>5}" for digit in range(NUM_CLASSES))
    print(f"label   read as{header}  accuracy")
    for label, row in enumerate(counts.tolist()):
        numbers = "".join(f"{count or '.':>5}" for count in row)
        accuracy = row[label] / max(1, sum(row))
        print(f"{label:>5}          {numbers}{accuracy:>10.2%}")


def check_output_dir(folder: Path, option: str = "--output-dir") -> None:
    """Make `folder`; raise Failure, which names the `option`, if no results could go there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise Failure(f"cannot write into {folder} ({error}): see {option}") from error


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write all of `files` (name: content) into `folder`, or raise Failure.

    They are written elsewhere first, and then moved: whatever fails, and even after a kill, every
    file is whole, and an accuracy is never beside the weights of another run. (But for two runs
    that end in one folder at the same moment; --evaluate finds that.)
    """
    new = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)  # it may have been removed since the start
        new = Path(tempfile.mkdtemp(prefix="new-results-", dir=folder))
        for name, content in files.items():
            (new / name).write_bytes(content)
        if WEIGHTS_FILE in files:  # the old accuracy must not be beside the new weights
            (folder / ACCURACY_FILE).unlink(missing_ok=True)
        accuracy_last = sorted(files, key=lambda name: name == ACCURACY_FILE)
        for name in accuracy_last:
            os.replace(new / name, folder / name)
        new.rmdir()
    except OSError as error:
        names = ", ".join(files)
        some_are_there = f": see {new}" if new != folder else ""
        raise Failure(f"cannot write {names} into {folder} ({error}){some_are_there}") from error


def write_mistakes(folder: Path, digits: Digits, logits: Tensor) -> None:
    """Draw the mistakes into `folder`, or print a warning if that fails."""
    png = io.BytesIO()
    try:
        draw_mistakes(digits, logits).save(png, "PNG")
        write_files(folder, {MISTAKES_FILE: png.getvalue()})
    except (Failure, ImportError) as error:  # there are Pillows without fonts
        print(f"warning: {one_line(error)}", file=sys.stderr)


def run_training(config: Config, train_set: Digits, test_set: Digits, output_dir: Path) -> None:
    """Train as `config` says, and write the results into `output_dir`."""
    settings = dataclasses.asdict(config) | {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "device": str(train_set.labels.device),
        "threads": torch.get_num_threads(),
    }
    print("Settings:", ", ".join(f"{name}={value}" for name, value in settings.items()))
    model, history = train(config, train_set, test_set)

    weights = io.BytesIO()
    torch.save({name: t.cpu().contiguous() for name, t in model.state_dict().items()}, weights)
    files = {
        WEIGHTS_FILE: weights.getvalue(),
        HISTORY_FILE: history_text(history).encode(),
        SETTINGS_FILE: (json.dumps(settings, indent=4) + "\n").encode(),
        ACCURACY_FILE: accuracy_text(history[-1].test.accuracy).encode(),
    }
    write_files(output_dir, files)
    write_mistakes(output_dir, test_set, compute_logits(model, test_set.scaled()))
    print("Training completed!")


def run_evaluation(model: SmallCNN, test_set: Digits, claim: Path, output_dir: Path) -> None:
    """Test `model`, and compare with the accuracy in the file `claim`.

    Raises as `check_claim` does.
    """
    logits = compute_logits(model, test_set.scaled())
    score = score_logits(logits, test_set.labels)
    count = len(test_set.labels)
    print_test(score)
    standard_error = math.sqrt(score.accuracy * (1 - score.accuracy) / count)
    print(f"Standard error of the accuracy: {standard_error:.2%} ({count} images)")
    print_confusion_matrix(test_set.labels, logits.argmax(dim=1))
    write_mistakes(output_dir, test_set, logits)
    check_claim(claim, score.accuracy, count)


def check_claim(claim: Path, accuracy: float, count: int) -> None:
    """Say whether the file `claim` has this `accuracy` on `count` images, or raise Failure.

    Another processor rounds differently, which has changed the answers to one or two images. That
    much is accepted, and said.
    """
    if not os.path.isfile(claim):
        raise Failure(f"there is no {claim} to compare with: training writes one")
    try:
        claimed = float(claim.read_text(encoding="ascii"))
    except OSError as error:
        raise Failure(f"cannot read {claim} ({error.strerror})") from error
    except ValueError as error:
        raise Failure(f"{claim} is not an accuracy in percent: {one_line(error)}") from error
    different_images = abs(claimed / 100 - accuracy) * count
    if different_images < 0.5:
        print(f"{claim} claims the same: {claimed:.2f}")
    elif different_images < 2.5:
        print(f"{claim} claims {claimed:.2f}: one or two images, as another processor may round")
    else:
        measured = accuracy_text(accuracy)
        raise Failure(f"{claim} claims {claimed:.2f}, but these weights give {measured}")


# --- command line ---
class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print `message` and exit with 2."""
        self.exit(2, f"error: {message} (see --help)\n")


def default_threads() -> int:
    """Return half the number of processors that this process may use, or what OMP_NUM_THREADS says.

    With all of them, a single busy program beside this one would make it several times slower: at
    every operation, all threads wait for the slowest. More than 8 cannot help so small a network.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    if hasattr(os, "sched_getaffinity"):  # on Linux; under taskset and Slurm they are few
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return min(max(1, processors // 2), 8)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = Parser(
        description="Train a tiny convolutional network to read handwritten digits (MNIST).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--epochs", type=int, default=Config.epochs, help="passes over the data")
    add("--batch-size", type=int, default=Config.batch_size, help="images in a step, at most")
    add("--lr", type=float, default=Config.lr, help="initial learning rate of the filters")
    add("--seed", type=int, default=Config.seed, help="each trains another network")
    add("--device", default="auto", help="cpu, cuda, cuda:1, mps, ...; auto: a GPU if there is one")
    add("--threads", type=int, default=default_threads(), help="threads on the CPU")
    # Shells leave the ~ in --data-dir=~/folder to us.
    add("--data-dir", type=os.path.expanduser, default="data", help="where MNIST is, or will be")
    add("--output-dir", type=os.path.expanduser, default=".", help="where results are, or will be")
    add("--evaluate", action="store_true", help="test the saved weights instead of training")
    args = parser.parse_args(argv)
    rules = {
        "--epochs has to be from 1 to 19, which the assignment allows": 1 <= args.epochs <= 19,
        "--batch-size has to be from 1 to 60000": 1 <= args.batch_size <= 60_000,
        "--lr has to be above 0, and at most 10": 0 < args.lr <= 10,
        "--seed has to be from 0 to 4294967295": 0 <= args.seed < 2**32,
        "--threads has to be from 1 to 1024": 1 <= args.threads <= 1024,
    }
    for rule, is_kept in rules.items():
        if not is_kept:
            parser.error(rule)
    return args


def find_device(name: str) -> torch.device:
    """Return the device called `name`, for "auto" the best; raise Failure if it does not work."""
    if name == "auto":
        name = str(torch.accelerator.current_accelerator(check_available=True) or "cpu")
    try:
        probe = torch.zeros(1, device=name)
        probe.item()
    except Exception as error:  # each kind of device has its own ways not to work
        reason = one_line(error)
        raise Failure(f"device {name!r} fails ({reason}); try --device cpu") from error
    return probe.device


def run(args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code."""
    torch.set_num_threads(args.threads)
    device = find_device(args.device)
    output_dir = Path(args.output_dir)
    if args.evaluate:
        is_default = output_dir == Path(".")
        weights = find_weights() if is_default else output_dir / WEIGHTS_FILE
        print(f"Weights: {weights}")
        model = load_model(weights, device)
        test_set = load_digits(args.data_dir, "t10k", device)
        run_evaluation(model, test_set, weights.with_name(ACCURACY_FILE), output_dir)
    else:
        check_output_dir(output_dir)
        config = Config(epochs=args.epochs, batch_size=args.batch_size, lr=args.lr, seed=args.seed)
        run_training(config, *load_mnist(args.data_dir, device), output_dir)
    return 0


def exit_code(program: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Return the exit code of `program`, run with `args`.

    What can be expected to fail prints one line and returns 1; Ctrl-C returns 130. Everything
    else is a bug, and shows its traceback.
    """
    if sys.stderr is None:  # closed, as by 2>&-: print would take standard output instead
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as long as the program runs
    if isinstance(sys.stdout, io.TextIOWrapper):  # a console may lack the characters of a path
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = program(args)
        print(end="", flush=True)  # a reader that has gone is noticed here
        return code
    except OSError as error:
        end_output(error)
    except Failure as error:
        print("error:", one_line(error), file=sys.stderr)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print("error: out of memory", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 1


def end_output(error: OSError) -> None:
    """Print nothing more if `error` says that nobody reads on, or that the disk is full.

    Raises it if it says anything else.
    """
    if error.errno not in (errno.EPIPE, errno.ENOSPC):
        raise error
    # Python flushes standard output when it ends, which would fail once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.ENOSPC:  # but behind "| head", it ends quietly
        print("error: the disk is full, so that nothing more can be printed", file=sys.stderr)


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether there is not enough memory; torch says so in a different way on each device."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(w in str(error).lower() for w in words)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
