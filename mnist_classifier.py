"""Train a tiny convolutional network to read handwritten digits (MNIST).

    python mnist_classifier.py                     # download, train, test, save
    python mnist_classifier.py --predict IMAGE...  # read digits from your own pictures
    python mnist_classifier.py --evaluate          # test the saved weights again
    python mnist_classifier.py --help              # the options and their defaults

Fewer than 20,000 parameters, at most 19 epochs, more than 99.4 % of the test set right after the
last one. The test set only reports: the learning rate follows the training loss, and the weights
that are saved are those of the last epoch. README.md has the measurements and how to repeat them.
"""

import argparse
import dataclasses
import gzip
import hashlib
import http.client
import json
import math
import os
import platform
import struct
import sys
import tempfile
import time
import urllib.request
import warnings
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn

import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from torchvision import datasets
from torchvision.transforms.v2.functional import pil_to_tensor
from tqdm import tqdm

IMAGE_SIZE = 28  # pixels, height and width
NUM_CLASSES = 10
MEAN, STD = 0.1307, 0.3081  # of the training pixels, in the range 0 to 1
MAX_EPOCHS = 19  # the claim is made for fewer than 20
WEIGHTS_FILE = "final_model.pth"
ACCURACY_FILE = "test_accuracy.txt"
HISTORY_FILE = "history.csv"
SETTINGS_FILE = "settings.json"
MISTAKES_FILE = "mistakes.png"
RESULT_FILES = (WEIGHTS_FILE, ACCURACY_FILE, HISTORY_FILE, SETTINGS_FILE, MISTAKES_FILE)
CHECKPOINT_FILE = "checkpoint.pth"
MAX_PIXELS = 20_000_000  # of a picture to be read, so that less than 1 GB of memory does
MNIST_SHA256 = {  # of the unpacked files: training images and labels, test images and labels
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MAX_BYTES = 50_000_000  # of one of these files; the largest has 47,040,016
NETWORK_TIMEOUT = 20.0  # seconds without an answer


@dataclasses.dataclass(frozen=True)
class Config:
    """Every default of the program, once. The README tells what each is worth."""

    epochs: int = 12  # on held-out training images, 19 were no better
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
    """Unpadded convolution, BatchNorm (whose shift makes a convolution bias useless), Hardswish."""
    return [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.Hardswish(),
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
    parts = []
    for name, sha256 in MNIST_SHA256.items():
        content = read_mnist_file(Path(data_dir, "MNIST", "raw", name), sha256)
        dimensions = content[3]  # after that, the big-endian length of each (the IDX format)
        shape = struct.unpack_from(f">{dimensions}I", content, offset=4)
        values = torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=4 + 4 * dimensions)
        parts.append(values.view(shape).to(device))
    train_images, train_labels, test_images, test_labels = parts
    return Digits(train_images, train_labels.long()), Digits(test_images, test_labels.long())


def read_mnist_file(path: Path, sha256: str) -> bytes:
    """Content of one of MNIST's files: as it is, or unpacked from its .gz, or downloaded.

    Whatever has another checksum is passed over; a file that had to be unpacked or downloaded is
    put in its place for the next time. Raises Failure if no source is whole.
    """
    packed = path.with_name(path.name + ".gz")
    sources = [path, packed, *(mirror + packed.name for mirror in datasets.MNIST.mirrors)]
    problems = []
    for source in sources:
        try:
            if isinstance(source, str):
                print(f"Downloading {source}", flush=True)
                with urllib.request.urlopen(source, timeout=NETWORK_TIMEOUT) as response:
                    content = gzip.GzipFile(fileobj=response).read(MAX_BYTES)
            else:
                with (open if source is path else gzip.open)(source, "rb") as file:
                    content = file.read(MAX_BYTES)
        except FileNotFoundError:
            continue
        except (OSError, EOFError, zlib.error, http.client.HTTPException) as error:
            problems.append(f"{source}: {error or type(error).__name__}")
            continue
        if hashlib.sha256(content).hexdigest() == sha256:
            break
        problems.append(f"{source}: not MNIST's file (wrong SHA-256)")
    else:
        files = ", ".join(f"{name}.gz" for name in MNIST_SHA256)
        raise Failure(
            f"cannot get MNIST ({'; '.join(problems)}). Put the four files {files} into "
            f"{path.parent}, or name another folder with --data-dir"
        )
    if source is not path:
        save_mnist_file(path, content)
    return content


def save_mnist_file(path: Path, content: bytes) -> None:
    """Put `content` in its place, if the folder can be written; two programs may do so at once."""
    new = path.with_name(f"{path.name}.{os.urandom(4).hex()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content)
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)


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
    axis = (torch.arange(IMAGE_SIZE, device=images.device) + 0.5) * pixels - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)]).flatten(1)  # (3, 784)
    grid = (transform @ points).view(-1, 2, IMAGE_SIZE, IMAGE_SIZE)
    return F.grid_sample(images, grid.movedim(1, -1), align_corners=False)


# --- training and evaluation ---


class Score(NamedTuple):
    """Mean cross-entropy (nats) and fraction of right answers over a whole pass."""

    loss: float
    accuracy: float

    def __str__(self) -> str:
        return f"Average loss: {self.loss:.4f}, Accuracy: {self.accuracy:.2%}"


@torch.inference_mode()
def compute_logits(model: nn.Module, images: Tensor, batch_size: int = 1000) -> Tensor:
    """Show `images` (N, 1, 28, 28), 0 to 1, to `model` in evaluation mode; return (N, 10)."""
    model.eval()
    return torch.cat([model(normalize(batch)) for batch in images.split(batch_size)])


def evaluate(model: nn.Module, digits: Digits) -> Score:
    """Score `model` on every one of `digits`. Leaves it in evaluation mode, otherwise unchanged."""
    logits = compute_logits(model, to_float(digits.images))
    correct = (logits.argmax(dim=1) == digits.labels).sum().item()
    return Score(F.cross_entropy(logits, digits.labels).item(), correct / len(digits.labels))


def predict(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Read `images` (N, 1, 28, 28), 0 to 1.

    Returns the digits, most probable first, and their probabilities, both (N, 10).
    """
    probabilities, digits = compute_logits(model, images).softmax(dim=1).sort(descending=True)
    return digits, probabilities


def orthogonalize(matrix: Tensor, steps: int = 3) -> Tensor:
    """Push every singular value of `matrix` (M, N) towards 1 and keep its directions.

    Newton-Schulz iteration with the quintic coefficients of Jordan et al., "Muon" (2024).
    """
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, gram.addmm(gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
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
        for p in (*filters, *rest):
            self.state[p]["velocity"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                velocity = self.state[p]["velocity"]
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

    def follow(averaged: list[Tensor], current: list[Tensor], steps: Tensor) -> None:
        share = window / (window + steps)
        for mine, new in zip(averaged, current, strict=True):
            mine.copy_(mine + (new - mine) * share)

    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True)


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
    batches = torch.randperm(len(digits.labels)).to(device).split(config.batch_size)
    losses = torch.zeros(len(batches), device=device)  # sums over each batch
    correct, seen = torch.zeros((), device=device), 0
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
            losses[step - 1] = loss.detach() * len(labels)
            correct += (logits.argmax(dim=1) == labels).sum()
            seen += len(labels)
            # Reading a number back makes a GPU wait, so only now and then.
            if on_terminal and (step % 25 == 0 or step == len(batches)):
                running = losses.sum().item() / seen, correct.item() / seen
                progress.set_postfix_str(describe(*running))
    if not losses.isfinite().all():
        step = losses.isfinite().int().argmin().item() + 1
        raise Failure(f"the loss is not finite at step {step} of epoch {epoch}; try a lower --lr")
    score = Score(losses.sum().item() / seen, correct.item() / seen)
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


class Epoch(NamedTuple):
    """One line of the history: what an epoch was trained with and what came of it."""

    epoch: int
    learning_rate: float
    train_loss: float  # what the schedule watches
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float  # of training, without the test


def train(
    config: Config,
    train_set: Digits,
    test_set: Digits,
    state: dict | None = None,
    keep: Callable[[dict], object] = lambda state: None,
) -> tuple[nn.Module, list[Epoch]]:
    """Train from scratch; return the averaged model and the history, an entry an epoch.

    The average over the last steps is what is tested and kept: it is steadier and more accurate
    than the weights that the optimizer moves. After each epoch `keep` gets the state of the run;
    with that as `state`, another call goes on from there, to the same bits.
    """
    torch.manual_seed(config.seed)
    device = train_set.labels.device
    model = SmallCNN().to(device)
    print(f"Total trainable parameters: {count_parameters(model)}", flush=True)
    average = make_average(model, config)
    optimizer = Muon(model, config)
    scheduler = make_scheduler(optimizer, config)
    parts = {"model": model, "average": average, "optimizer": optimizer, "scheduler": scheduler}
    history: list[Epoch] = []
    if state:
        try:
            for name, part in parts.items():
                part.load_state_dict(state[name])
            history = [Epoch(*line) for line in state["history"]]
            set_random_states(state["random"], device)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise Failure(f"{CHECKPOINT_FILE} does not hold a state of this run") from error
        check_finite(average, CHECKPOINT_FILE)
    for epoch in range(len(history) + 1, config.epochs + 1):
        rate, started = optimizer.param_groups[0]["lr"], time.perf_counter()
        train_score = train_epoch(model, average, optimizer, train_set, config, epoch)
        seconds = time.perf_counter() - started
        step_scheduler(scheduler, train_score.loss, epoch)
        test_score = evaluate(average.module, test_set)  # for the reader only: steers nothing
        print(f"Test set: {test_score}", flush=True)
        history.append(Epoch(epoch, rate, *train_score, *test_score, round(seconds, 3)))
        keep(
            {
                **{name: part.state_dict() for name, part in parts.items()},
                "history": [tuple(line) for line in history],
                "random": get_random_states(device),
            }
        )
    return average.module, history


def get_random_states(device: torch.device) -> list[Tensor]:
    """States of the random generators that training on `device` draws from."""
    on_device = [] if device.type == "cpu" else [torch.get_device_module(device).get_rng_state()]
    return [torch.get_rng_state(), *on_device]


def set_random_states(states: list[Tensor], device: torch.device) -> None:
    """Undo everything random since get_random_states gave `states`."""
    torch.set_rng_state(states[0])
    if device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[1])


# --- results ---


def write_files(output_dir: Path, writers: dict[str, Callable[[Path], object]]) -> None:
    """Write each named file into `output_dir` by calling its writer with a path: all, or none.

    Each is written beside its place first, so that a full disk leaves the earlier files whole.
    Raises Failure if they cannot be written.
    """
    places = {name: output_dir / f"{name}.new" for name in writers}
    try:
        for name, write in writers.items():
            write(places[name])
        for name, new in places.items():
            os.replace(new, output_dir / name)
    except (OSError, RuntimeError) as error:  # torch.save says RuntimeError when a disk is full
        raise Failure(f"cannot write {', '.join(writers)} into {output_dir}: {error}") from error
    finally:
        for new in places.values():
            new.unlink(missing_ok=True)


def write_results(
    model: nn.Module,
    history: list[Epoch],
    settings: dict[str, object],
    test_set: Digits,
    output_dir: Path,
) -> None:
    """Write the weights of one run with its test accuracy, history, settings and mistakes."""
    weights = {name: t.cpu().contiguous() for name, t in model.state_dict().items()}
    lines = [",".join(map(str, line)) for line in (Epoch._fields, *history)]
    texts = {
        ACCURACY_FILE: format_accuracy(history[-1].test_accuracy),
        HISTORY_FILE: "\n".join(lines) + "\n",
        SETTINGS_FILE: json.dumps(settings, indent=4) + "\n",
    }
    mistakes = draw_mistakes(model, test_set)
    write_files(
        output_dir,
        {
            WEIGHTS_FILE: lambda path: torch.save(weights, path),
            **{name: partial(Path.write_text, data=text) for name, text in texts.items()},
            MISTAKES_FILE: lambda path: mistakes.save(path, "PNG"),
        },
    )


def format_accuracy(accuracy: float) -> str:
    """Content of the accuracy file: a percentage, and nothing else."""
    return f"{100 * accuracy:.2f}"


def load_tensors(path: Path) -> dict:
    """Return what torch.save wrote to `path`, tensors on the CPU, running no code from it.

    Raises Failure if it is broken, FileNotFoundError if it is not there.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a broken or hostile file makes torch say
        raise Failure(f"{path} cannot be loaded: {str(error).splitlines()[0]}") from error


def load_model(output_dir: Path, device: torch.device) -> SmallCNN:
    """Return the network with the weights in `output_dir`. Raises Failure if that cannot be."""
    path = output_dir / WEIGHTS_FILE
    model = SmallCNN()
    try:
        model.load_state_dict(load_tensors(path))
    except FileNotFoundError as error:
        raise Failure(
            f"no weights at {path}: train first, or name their folder with --output-dir"
        ) from error
    except (RuntimeError, TypeError, AttributeError) as error:
        raise Failure(f"{path} does not hold the weights of this network") from error
    check_finite(model, str(path))
    return model.to(device)


def check_finite(model: nn.Module, name: str) -> None:
    """Raise Failure if a number in `model`, called `name`, is not finite."""
    if not all(t.isfinite().all() for t in model.state_dict().values()):
        raise Failure(f"{name} holds numbers that are not finite")


def load_checkpoint(path: Path, settings: dict[str, object]) -> dict | None:
    """Return the state of the run that `path` holds, or None if it is not there.

    Raises Failure if it is broken or of a run with other settings.
    """
    try:
        state = load_tensors(path)
    except FileNotFoundError:
        print(f"No checkpoint at {path}: starting at the first epoch", flush=True)
        return None
    if not isinstance(state, dict) or not isinstance(state.get("settings"), dict):
        raise Failure(f"{path} is not a checkpoint of this program")
    old = state["settings"]
    changes = [f"{k} was {old.get(k)}, is {v}" for k, v in settings.items() if old.get(k) != v]
    if changes:
        raise Failure(f"{path} is of a run with other settings: {', '.join(changes)}")
    return state


def draw_mistakes(model: nn.Module, digits: Digits, columns: int = 8) -> Image.Image:
    """Picture of the `digits` that `model` reads wrongly, the surest mistakes first."""
    answers, probabilities = (t[:, 0].cpu() for t in predict(model, to_float(digits.images)))
    images, labels = digits.images.cpu(), digits.labels.cpu()
    wrong = torch.nonzero(answers != labels).flatten()
    shown = wrong[probabilities[wrong].argsort(descending=True)][:200].tolist()
    title = f"{len(wrong)} of {len(labels)} test digits read wrongly"
    if shown:
        title += ", the surest first" + (", 200 shown" if len(wrong) > 200 else "")
    tile, gap, text = 112, 24, 44  # pixels: a digit, between tiles, below a digit
    rows = math.ceil(len(shown) / columns)
    size = (columns * (tile + gap) + gap, rows * (tile + text + gap) + text + gap)
    page = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=17)
    draw.text((gap, gap), title, "black", font)
    for place, i in enumerate(shown):
        left = gap + place % columns * (tile + gap)
        top = gap + text + place // columns * (tile + text + gap)
        picture = Image.fromarray(images[i].numpy())
        page.paste(picture.resize((tile, tile), Image.Resampling.BICUBIC), (left, top))
        answer, label = answers[i].item(), labels[i].item()
        draw.text((left, top + tile + 3), f"{label} read as {answer}", "black", font)
        draw.text((left, top + tile + 23), f"{probabilities[i]:.1%} sure", "dimgray", font)
    return page


def wilson_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % confidence interval of a fraction (Wilson, 1927)."""
    fraction, spread = correct / total, z * z / total
    middle = (fraction + spread / 2) / (1 + spread)
    half = math.sqrt(fraction * (1 - fraction) * spread + spread * spread / 4) / (1 + spread)
    return middle - half, middle + half


def report(model: nn.Module, test_set: Digits, output_dir: Path) -> None:
    """Print how `model` does on the test set, draw its mistakes, and check the claim beside it.

    Raises Failure if the accuracy is not the one in the accuracy file.
    """
    started = time.perf_counter()
    score = evaluate(model, test_set)
    seconds = time.perf_counter() - started
    answers = predict(model, to_float(test_set.images))[0][:, 0]
    labels = test_set.labels
    table = torch.zeros(NUM_CLASSES, NUM_CLASSES, dtype=torch.long)  # rows: labels
    table.index_put_((labels.cpu(), answers.cpu()), torch.tensor(1), accumulate=True)
    low, high = wilson_interval(table.trace().item(), len(labels))
    print(f"Test set: {score}")
    print(f"95% interval (Wilson): {low:.2%} to {high:.2%}, {len(labels)} images, {seconds:.2f} s")
    print("Accuracy of each digit:")
    for digit, row in enumerate(table):
        print(f"  {digit}: {row[digit] / row.sum():.2%} of {row.sum()}")
    wrong = table - table.diag().diag()
    print("Most frequent confusions:")
    for place in wrong.flatten().argsort(descending=True, stable=True)[:5].tolist():
        label, answer = divmod(place, NUM_CLASSES)
        if wrong[label, answer]:
            print(f"  {label} read as {answer}: {wrong[label, answer]}")
    claim = output_dir / ACCURACY_FILE
    measured = format_accuracy(score.accuracy)
    claimed = claim.read_text(encoding="ascii").strip()
    if measured != claimed:
        raise Failure(f"{claim} claims {claimed!r}, but these weights give {measured}")
    print(f"{claim} claims the same: {claimed}")
    mistakes = draw_mistakes(model, test_set)
    write_files(output_dir, {MISTAKES_FILE: lambda path: mistakes.save(path, "PNG")})
    print(f"Mistakes drawn: {output_dir / MISTAKES_FILE}")


# --- reading pictures ---


def read_picture(path: str) -> Tensor:
    """Return the digit in an image file of any kind that Pillow knows: (1, 28, 28), 0 to 1.

    Raises Failure if there is none.
    """
    if not Path(path).is_file():
        raise Failure("not a file" if Path(path).exists() else "no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is whether a digit can be seen
            with Image.open(path) as picture:
                pixels = picture.width * picture.height
                if pixels > MAX_PIXELS:
                    raise Failure(f"too large: {pixels:,} pixels; at most {MAX_PIXELS:,} are read")
                if picture.format == "EPS":
                    raise Failure("a program in PostScript, which is not run")
                return to_mnist(picture)
    except Failure:
        raise
    except Image.UnidentifiedImageError as error:
        raise Failure("not an image") from error
    except Image.DecompressionBombError as error:
        raise Failure(f"too large; at most {MAX_PIXELS:,} are read") from error
    except Exception as error:  # each format has its own ways to be broken
        raise Failure(f"broken image ({error or type(error).__name__})") from error


def to_mnist(picture: Image.Image) -> Tensor:
    """Turn a picture of one digit into what MNIST would have made of it: (1, 28, 28), 0 to 1.

    Dark ink or light, on a background that may be unevenly lit, anywhere in the picture. As in
    MNIST, the digit is scaled to fit 20x20 pixels and its centre of mass put in the middle of
    28x28. Pictures that are like that already stay as they are. Raises Failure if there is
    nothing to be seen.
    """
    if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # copies are large: only if turned
        picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data:
        layer = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        picture = Image.new("L", layer.size, "white")
        picture.paste(layer.convert("L"), mask=layer.getchannel("A"))
    deep = picture.mode[0] in "IF"  # more than 8 bits, which converting to "L" would clip
    gray = picture.convert("F" if deep else "L")
    gray.thumbnail((400, 400), Image.Resampling.BOX)  # enough to see a digit
    pixels = pil_to_tensor(gray)[0].float().nan_to_num(0, 0, 0)
    if deep:
        pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()).clamp(min=1e-9) * 255
    if is_like_mnist(pixels):
        return pixels.unsqueeze(0) / 255
    ink = fit(crop_to_ink(find_ink(pixels)), 20)
    height, width = ink.shape
    ink = (ink / ink.quantile(0.95).clamp(min=0.5 * ink.max())).clamp(max=1)  # thin ones faded
    digit = torch.zeros(1, IMAGE_SIZE, IMAGE_SIZE)
    top, left = (round(IMAGE_SIZE / 2 - middle) for middle in centre_of_mass(ink))
    top, left = min(top, IMAGE_SIZE - height), min(left, IMAGE_SIZE - width)
    digit[0, top : top + height, left : left + width] = ink
    return digit


def fit(image: Tensor, size: int) -> Tensor:
    """Scale `image` (H, W) so that the longer side is `size`; averages when it shrinks."""
    shape = [max(1, round(size * side / max(image.shape))) for side in image.shape]
    return F.interpolate(image[None, None], shape, mode="bilinear", antialias=True)[0, 0]


def centre_of_mass(image: Tensor) -> list[float]:
    """(row, column) in pixels from the top left corner of `image` (H, W)."""
    mass = image / image.sum()
    return [((torch.arange(n) + 0.5) @ mass.sum(1 - i)).item() for i, n in enumerate(mass.shape)]


def is_like_mnist(pixels: Tensor) -> bool:
    """Whether `pixels` (H, W) are 28x28 with a light digit in the middle of a black ground."""
    if pixels.shape != (IMAGE_SIZE, IMAGE_SIZE) or pixels.max() == 0:
        return False
    frame = torch.cat([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    off_centre = max(abs(middle - IMAGE_SIZE / 2) for middle in centre_of_mass(pixels))
    return frame.median().item() == 0 and off_centre < 1.5


def find_ink(pixels: Tensor) -> Tensor:
    """How much each of `pixels` (H, W) differs from the background, in the ink's direction.

    The background is a plane, for a light from one side, through the pixels along the border:
    the plane with the least absolute error, so that ink there does not count for much.
    """
    height, width = pixels.shape
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    plane = torch.stack([torch.ones_like(x), x, y], dim=-1)  # (H, W, 3)
    border = torch.maximum(x.abs(), y.abs()) > 0.96
    points, values = plane[border], pixels[border].unsqueeze(1)
    weights = torch.ones_like(values)
    for _ in range(10):  # reweighted least squares
        background = torch.linalg.lstsq(points * weights, values * weights).solution
        weights = ((points @ background - values).abs() + 1).rsqrt()
    ink = pixels - (plane @ background).squeeze(-1)
    return ink if ink.pow(3).sum() > 0 else -ink  # strokes are few but strong


def crop_to_ink(ink: Tensor) -> Tensor:
    """Cut the box around the strokes out of `ink` (H, W); return it from 0 (none) to 1 (full).

    Raises Failure if nothing stands out of the noise.
    """
    smooth = F.avg_pool2d(ink.unsqueeze(0), 3, stride=1, padding=1, count_include_pad=False)[0]
    peak, noise = smooth.max(), (ink - smooth).abs().median()
    if peak < max(8, 6 * noise):
        raise Failure("blank: no digit stands out")
    strokes = smooth > 0.4 * peak
    rows, columns = (torch.nonzero(strokes.any(dim)).flatten() for dim in (1, 0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return ((box / peak - 0.2) / 0.6).clamp(0, 1)


def preview(digit: Tensor) -> str:
    """Draw `digit` (1, 28, 28) as 14 lines of text: characters are about twice as high as wide."""
    shades = " .:-=+*#%@"
    levels = (F.avg_pool2d(digit, (2, 1))[0] * (len(shades) - 1)).round().int()
    return "\n".join("".join(shades[level] for level in line) for line in levels.tolist())


def predict_files(paths: Sequence[str], model: nn.Module, with_preview: bool) -> int:
    """Print a line (file, digit, probability) for each of `paths`; return the exit code."""
    names, digits = [], []
    for path in paths:
        name = "".join(c if c.isprintable() else "?" for c in path)
        try:
            digits.append(read_picture(path))
            names.append(name)
        except Failure as failure:
            print_error(f"{name}: {failure}")
    if digits:
        answers, probabilities = (t.tolist() for t in predict(model, torch.stack(digits)))
        for name, digit, answer, sure in zip(names, digits, answers, probabilities, strict=True):
            print(f"{name}\t{answer[0]}\t{sure[0]:.4f}")
            if with_preview:
                print(f"{preview(digit)}\nsecond guess: {answer[1]}, {sure[1]:.4f}")
    return int(len(names) < len(paths))


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


class Parser(argparse.ArgumentParser):
    """Says what is wrong on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (--help shows the options)\n")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
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
    add("--output-dir", default=Config.output_dir, help="where weights and results are")
    mode = parser.add_mutually_exclusive_group().add_argument
    flag = partial(mode, action="store_true")
    mode("--predict", nargs="+", metavar="IMAGE", help="read these pictures instead of training")
    flag("--evaluate", help="test the saved weights instead of training")
    flag("--resume", help="go on with an interrupted training")
    flag("--dry-run", help="a few steps on noise; downloads and keeps nothing")
    add("--preview", action="store_true", help="with --predict: draw what the network sees")
    args = parser.parse_args(argv)
    if args.preview and not args.predict:
        parser.error("--preview needs --predict")
    return args


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


def print_error(message: str) -> None:
    """Print `message` on one line of standard error."""
    print("error:", *message.split(), file=sys.stderr)


def describe_run(config: Config, device: torch.device) -> dict[str, object]:
    """Everything that decides the result of a run, to the bit."""
    settings = dataclasses.asdict(config)
    del settings["data_dir"], settings["output_dir"]
    settings |= {"device": str(device), "threads": torch.get_num_threads()}
    versions = {"python": platform.python_version(), "torch": str(torch.__version__)}
    return settings | versions | {"machine": platform.machine()}


def prepare_output(output_dir: Path) -> None:
    """Make `output_dir`. Raises Failure now if nothing could be written there after training."""
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output_dir).close()
        for name in RESULT_FILES:
            if (output_dir / name).is_dir():
                raise IsADirectoryError(None, f"{name} is a folder there")
    except OSError as error:
        raise Failure(
            f"cannot write into {output_dir}: {error.strerror}; --output-dir names another folder"
        ) from error


def run_training(config: Config, train_set: Digits, test_set: Digits, resume: bool) -> None:
    """Train as `config` says, keeping a checkpoint meanwhile, and write the results."""
    output_dir, settings = Path(config.output_dir), describe_run(config, train_set.labels.device)
    prepare_output(output_dir)
    print("Settings:", ", ".join(f"{name}={value}" for name, value in settings.items()))
    checkpoint = output_dir / CHECKPOINT_FILE
    state = load_checkpoint(checkpoint, settings) if resume else None

    def keep(state: dict) -> None:
        contents = {**state, "settings": settings}
        write_files(output_dir, {CHECKPOINT_FILE: partial(torch.save, contents)})

    model, history = train(config, train_set, test_set, state, keep)
    write_results(model, history, settings, test_set, output_dir)
    checkpoint.unlink()
    print("Training completed!")


def rehearse(config: Config, device: torch.device) -> None:
    """Do a few steps of everything on noise, and keep nothing."""
    print("Dry run on noise: nothing is learned, and nothing is kept.")
    with tempfile.TemporaryDirectory() as scratch:
        short = dataclasses.replace(config, epochs=min(config.epochs, 3), output_dir=scratch)
        run_training(short, random_digits(600, device), random_digits(200, device), resume=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    args = parse_args(argv)
    names = [field.name for field in dataclasses.fields(Config) if field.name in args]
    config = Config(**{name: getattr(args, name) for name in names})
    output_dir = Path(config.output_dir)
    try:
        if args.predict:
            model = load_model(output_dir, torch.device("cpu"))
            return predict_files(args.predict, model, args.preview)
        device = find_device(config.device)
        if args.dry_run:
            rehearse(config, device)
        elif args.evaluate:
            model = load_model(output_dir, device)
            report(model, load_mnist(config.data_dir, device)[1], output_dir)
        else:
            run_training(config, *load_mnist(config.data_dir, device), args.resume)
        return 0
    except (Failure, OSError) as error:
        print_error(str(error))
        return 1
    except KeyboardInterrupt:
        training = not (args.predict or args.evaluate or args.dry_run)
        hint = "; the same command with --resume goes on" if training else ""
        print(f"interrupted{hint}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
