"""Train a tiny convolutional network to read handwritten digits (MNIST).

    python mnist_classifier.py                 # download, train, test, save
    python mnist_classifier.py --help          # the options and their defaults

Fewer than 20,000 parameters, at most 19 epochs, more than 99.4 % of the test set right after the
last one. The test set only reports: the learning rate follows the training loss, and the weights
that are saved are those of the last epoch. README.md has the measurements and how to repeat them.
"""

import argparse
import dataclasses
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from torchvision import datasets
from tqdm import tqdm

IMAGE_SIZE = 28  # pixels, height and width
NUM_CLASSES = 10
MEAN, STD = 0.1307, 0.3081  # of the training pixels, in the range 0 to 1
MAX_EPOCHS = 19  # the claim is made for fewer than 20
WEIGHTS_FILE = "final_model.pth"
ACCURACY_FILE = "test_accuracy.txt"


@dataclasses.dataclass(frozen=True)
class Config:
    """Every default of the program, once. The README tells what each is worth."""

    epochs: int = 19
    batch_size: int = 128
    lr: float = 0.1  # of the convolution filters, whose updates are near-orthogonal matrices
    lr_rest: float = 0.5  # of the other parameters, as a multiple of lr
    momentum: float = 0.9
    average_window: int = 9  # the averaged weights remember the last 1/9 of the steps so far
    lr_factor: float = 0.5  # multiplies the rate ...
    lr_patience: int = 0  # ... after the first epoch in which the training loss ...
    lr_threshold: float = 0.05  # ... is not a twentieth below its lowest
    rotation: float = 10.0  # degrees, either way
    translation: float = 2.0  # pixels, either way, along each axis
    scale: float = 0.1  # share of the size, either way, along each axis
    shear: float = 0.1  # pixels sideways per pixel of height, either way
    clean_epochs: int = 2  # the last ones, without augmentation
    seed: int = 0
    device: str = "auto"
    data_dir: str = "data"
    output_dir: str = "."


class Failure(Exception):
    """An expected failure: its message is all that the user needs to see."""


# --- model ---


def conv_block(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
) -> list[nn.Module]:
    """Unpadded convolution, BatchNorm (whose shift makes a convolution bias useless), SiLU."""
    return [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.SiLU(inplace=True),
    ]


class SmallCNN(nn.Module):
    """Map normalised images (N, 1, 28, 28) to raw logits (N, 10)."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.features = nn.Sequential(  # (N, 1, 28, 28)
            *conv_block(1, 16, kernel_size=5, stride=2),  # (N, 16, 12, 12)
            *conv_block(16, 24, kernel_size=3),  # (N, 24, 10, 10)
            *conv_block(24, 24, kernel_size=3),  # (N, 24, 8, 8)
            *conv_block(24, 24, kernel_size=3),  # (N, 24, 6, 6)
            *conv_block(24, 24, kernel_size=3),  # (N, 24, 4, 4)
        )
        self.global_pool = nn.AdaptiveAvgPool2d(1)  # (N, 24, 1, 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(24, NUM_CLASSES, kernel_size=1)  # (N, 10, 1, 1)
        self.to(memory_format=torch.channels_last)  # the faster layout for so few channels

    def forward(self, images: Tensor) -> Tensor:
        features = self.global_pool(self.features(images))
        return self.head(self.dropout(features)).flatten(1)


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


# --- data ---


class Digits(NamedTuple):
    """A whole data set in memory, on the device that trains."""

    images: Tensor  # (N, 28, 28) uint8, ink 255 on background 0
    labels: Tensor  # (N,) int64, 0 to 9


def load_mnist(data_dir: str | Path, device: torch.device) -> tuple[Digits, Digits]:
    """Return the training and the test set, downloaded into `data_dir` if they are not there.

    Raises Failure if they can be neither found nor downloaded.
    """
    try:
        parts = [datasets.MNIST(data_dir, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError, ValueError) as error:
        folder = Path(data_dir, "MNIST", "raw")
        raise Failure(
            f"cannot get MNIST: {error}. Without a network, put its four .gz files into {folder} "
            "(--data-dir names another place)"
        ) from error
    train, test = (Digits(part.data.to(device), part.targets.to(device)) for part in parts)
    return train, test


def random_digits(count: int, device: torch.device) -> Digits:
    """Noise in the shape of MNIST, for the dry run."""
    images = torch.randint(256, (count, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
    return Digits(images.to(device), torch.randint(NUM_CLASSES, (count,)).to(device))


def to_float(images: Tensor) -> Tensor:
    """Bytes (N, 28, 28), 0 to 255, as floats (N, 1, 28, 28), 0 to 1."""
    return images.unsqueeze(1).float() / 255


def normalize(images: Tensor) -> Tensor:
    """Floats, 0 to 1, as the network wants them: mean 0 and standard deviation 1 over MNIST."""
    return (images - MEAN) / STD


def augment(images: Tensor, config: Config) -> Tensor:
    """Rotate, scale, shear and shift each image (N, 1, 28, 28), 0 to 1, by its own random amounts.

    One batched resampling; what comes in from outside is background (0).
    """

    def uniform(limit: float) -> Tensor:  # (N,), between -limit and limit
        return (torch.rand(len(images), device=images.device) * 2 - 1) * limit

    angle = uniform(math.radians(config.rotation))
    cos, sin, shear = angle.cos(), angle.sin(), uniform(config.shear)
    scale_x, scale_y = 1 + uniform(config.scale), 1 + uniform(config.scale)
    pixels = 2 / IMAGE_SIZE  # grid_sample's coordinates run from -1 to 1
    shift_x, shift_y = (uniform(config.translation) * pixels for _ in "xy")
    transform = torch.stack(
        [cos * scale_x, shear - sin * scale_y, shift_x, sin * scale_x, cos * scale_y, shift_y],
        dim=1,
    ).view(-1, 2, 3)
    grid = F.affine_grid(transform, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


# --- training and evaluation ---


class Score(NamedTuple):
    """Mean cross-entropy (nats) and fraction of right answers over a whole pass."""

    loss: float
    accuracy: float


@torch.inference_mode()
def evaluate(model: nn.Module, digits: Digits, batch_size: int = 1000) -> Score:
    """Score `model` on every one of `digits`. Leaves it in evaluation mode, otherwise unchanged."""
    model.eval()
    loss_sum = correct = 0.0
    for images, labels in zip(*(part.split(batch_size) for part in digits), strict=True):
        logits = model(normalize(to_float(images)))
        loss_sum += F.cross_entropy(logits, labels, reduction="sum").item()
        correct += (logits.argmax(dim=1) == labels).sum().item()
    return Score(loss_sum / len(digits.labels), correct / len(digits.labels))


def orthogonalize(matrix: Tensor, steps: int = 3) -> Tensor:
    """Push every singular value of `matrix` (M, N) towards 1 and keep its directions.

    Newton-Schulz iteration with the quintic coefficients of Jordan et al., "Muon" (2024).
    """
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum SGD that makes the update of each convolution's filters orthogonal.

    All directions of a filter matrix (out_channels, all else) then move equally far, however
    lopsided the gradient (Jordan et al., 2024). Group 0 holds the filters, group 1 the rest.
    Written out here because torch.optim.Muon takes plain matrices only, in bfloat16.
    """

    def __init__(self, model: SmallCNN, config: Config) -> None:
        filters = [p for p in model.features.parameters() if p.ndim == 4]
        rest = [p for p in model.parameters() if all(p is not f for f in filters)]
        groups = [
            {"params": filters, "lr": config.lr, "orthogonal": True},
            {"params": rest, "lr": config.lr * config.lr_rest, "orthogonal": False},
        ]
        super().__init__(groups, {"momentum": config.momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.mul_(group["momentum"]).add_(p.grad)
                update = p.grad.add(velocity, alpha=group["momentum"])
                if group["orthogonal"]:
                    update = orthogonalize(update.flatten(1)).view_as(p)
                p.sub_(update, alpha=group["lr"])


def make_average(model: nn.Module, config: Config) -> AveragedModel:
    """Copy of `model` that follows it as a running average, batch statistics included.

    The share of step t grows like t**(window - 1), so that the memory grows with the
    training: short while the weights improve fast, long when they only jitter. This is the
    polynomial-decay averaging of Shamir and Zhang, 2013.
    """
    window = config.average_window

    def follow(averaged: Tensor, current: Tensor, steps: Tensor) -> Tensor:
        return averaged + (current - averaged) * (window / (window + steps))

    return AveragedModel(model, avg_fn=follow, use_buffers=True)


def train_epoch(
    model: nn.Module,
    average: AveragedModel,
    optimizer: torch.optim.Optimizer,
    digits: Digits,
    config: Config,
    epoch: int,
) -> Score:
    """Show every image of `digits` once, augmented, in random order. Return the running score."""
    model.train()
    title, started = f"Epoch {epoch}/{config.epochs}", time.perf_counter()
    device = digits.labels.device
    loss_sum, correct, seen = torch.zeros((), device=device), torch.zeros((), device=device), 0
    batches = torch.randperm(len(digits.labels)).to(device).split(config.batch_size)
    with tqdm(batches, desc=title, disable=None) as progress:
        on_terminal = not progress.disable
        for step, batch in enumerate(progress, start=1):
            images = to_float(digits.images[batch])
            if epoch <= config.epochs - config.clean_epochs:
                images = augment(images, config)
            images = normalize(images)
            labels = digits.labels[batch]
            logits = model(images)
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update_parameters(model)
            loss_sum += loss.detach() * len(labels)
            correct += (logits.argmax(dim=1) == labels).sum()
            seen += len(labels)
            # Reading a number back makes a GPU wait, so only now and then.
            if on_terminal and (step % 25 == 0 or step == len(batches)):
                progress.set_postfix_str(describe(loss_sum.item() / seen, correct.item() / seen))
    score = Score(loss_sum.item() / seen, correct.item() / seen)
    if not on_terminal:  # one line, to be read in a log
        seconds = time.perf_counter() - started
        print(f"{title}: {describe(*score)}, {seconds:.1f} s", flush=True)
    return score


def describe(loss: float, accuracy: float) -> str:
    """The running figures of an epoch, for its bar or its line in a log."""
    return f"loss={loss:.3f}, acc={accuracy:.2%}"


def make_scheduler(optimizer: torch.optim.Optimizer, config: Config) -> ReduceLROnPlateau:
    """Schedule that expects the training loss of every epoch."""
    return ReduceLROnPlateau(
        optimizer,
        factor=config.lr_factor,
        patience=config.lr_patience,
        threshold=config.lr_threshold,
    )


def step_scheduler(scheduler: ReduceLROnPlateau, loss: float, epoch: int) -> None:
    """Tell `scheduler` the loss of `epoch`, and the reader if that lowers a rate."""
    groups = scheduler.optimizer.param_groups
    rates = [group["lr"] for group in groups]
    scheduler.step(loss)
    for i, (rate, group) in enumerate(zip(rates, groups, strict=True)):
        if group["lr"] < rate:
            print(f"Epoch {epoch:05}: reducing learning rate of group {i} to {group['lr']:.4e}.")


def train(config: Config, train_set: Digits, test_set: Digits) -> tuple[nn.Module, Score]:
    """Train from scratch; return the averaged model and its score on the test set at the end.

    The average over the last steps is what is tested and kept: it is steadier and more accurate
    than the weights that the optimizer moves.
    """
    torch.manual_seed(config.seed)
    model = SmallCNN().to(train_set.labels.device)
    print(f"Total trainable parameters: {count_parameters(model)}", flush=True)
    average = make_average(model, config)
    optimizer = Muon(model, config)
    scheduler = make_scheduler(optimizer, config)
    for epoch in range(1, config.epochs + 1):
        train_score = train_epoch(model, average, optimizer, train_set, config, epoch)
        step_scheduler(scheduler, train_score.loss, epoch)
        test_score = evaluate(average.module, test_set)  # for the reader only: steers nothing
        print(
            f"Test set: Average loss: {test_score.loss:.4f}, Accuracy: {test_score.accuracy:.2%}",
            flush=True,
        )
    return average.module, test_score


def write_results(model: nn.Module, accuracy: float, output_dir: Path) -> None:
    """Write the weights and the test accuracy (in percent) of one run, both or neither.

    Each is written beside its place first, so that a full disk leaves the earlier pair whole.
    Raises Failure if they cannot be written.
    """
    weights = {name: t.cpu().contiguous() for name, t in model.state_dict().items()}
    try:
        with tempfile.TemporaryDirectory(dir=output_dir, prefix=".unfinished-") as temporary:
            new = Path(temporary)
            torch.save(weights, new / WEIGHTS_FILE)
            (new / ACCURACY_FILE).write_text(f"{100 * accuracy:.2f}", encoding="ascii")
            for name in (WEIGHTS_FILE, ACCURACY_FILE):
                os.replace(new / name, output_dir / name)
    except (OSError, RuntimeError) as error:  # torch.save says RuntimeError when a disk is full
        raise Failure(f"cannot write the results into {output_dir}: {error}") from error


# --- command line ---


def number(convert: Callable[[str], float], low: float, high: float) -> Callable[[str], float]:
    """Return an argparse type: what `convert` reads, if it lies from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            value = convert(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            kind = "a whole number" if convert is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind} from {low:g} to {high:g}")
        return value

    return parse


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a tiny convolutional network to read handwritten digits (MNIST).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--epochs",
        type=number(int, 1, MAX_EPOCHS),
        default=Config.epochs,
        help="passes over the training set",
    )
    add(
        "--batch-size", type=number(int, 1, 60_000), default=Config.batch_size, help="images a step"
    )
    add("--lr", type=number(float, 1e-9, 10), default=Config.lr, help="initial learning rate")
    add("--seed", type=number(int, 0, 2**63 - 1), default=Config.seed, help="of all randomness")
    add("--device", default=Config.device, help="auto, cpu, cuda, cuda:1, mps, ...")
    add("--data-dir", default=Config.data_dir, help="where MNIST is, or is downloaded to")
    add("--output-dir", default=Config.output_dir, help="where the results are written")
    add("--dry-run", action="store_true", help="a few steps on noise; downloads and keeps nothing")
    return parser.parse_args(argv)


def find_device(name: str) -> torch.device:
    """Turn `name` into a device that works here. Raises Failure if it does not."""
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        probe = torch.zeros(1, device=name)
        probe.item()
        return probe.device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise Failure(
            f"device {name!r} cannot be used here ({reason}); try --device cpu"
        ) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    args = vars(parse_args(argv))
    dry_run = args.pop("dry_run")
    config = Config(**args)
    try:
        device = find_device(config.device)
        with tempfile.TemporaryDirectory() as scratch:
            if dry_run:
                print("Dry run on noise: nothing is learned, and nothing is kept.")
                config = dataclasses.replace(
                    config, epochs=min(config.epochs, 3), output_dir=scratch
                )
                train_set, test_set = random_digits(600, device), random_digits(200, device)
            else:
                train_set, test_set = load_mnist(config.data_dir, device)
            output_dir = Path(config.output_dir)
            output_dir.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=output_dir).close()  # better to fail now than after training
            model, score = train(config, train_set, test_set)
            write_results(model, score.accuracy, output_dir)
        print("Training completed!")
        return 0
    except (Failure, OSError) as error:
        print("error:", *str(error).split(), file=sys.stderr)  # on one line
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
