# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.10", "torchvision>=0.25", "pillow>=10.1", "tqdm>=4.66"]
# ///
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
import hashlib
import json
import math
import os
import signal
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":  # Ctrl-C while torch is being imported ends the program quietly, too
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from torchvision.datasets import MNIST, mnist, utils  # type: ignore[import-untyped]
from torchvision.transforms.v2.functional import pil_to_tensor  # type: ignore[import-untyped]
from tqdm import tqdm  # type: ignore[import-untyped]

IMAGE_SIZE = 28  # pixels, height and width
NUM_CLASSES = 10
MEAN, STD = 0.1307, 0.3081  # of the training pixels, in the range 0 to 1
MNIST_SHA256 = {  # of the values in each file: bytes, row by row, without the file's header
    "train-images-idx3-ubyte": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train-labels-idx1-ubyte": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "t10k-images-idx3-ubyte": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "t10k-labels-idx1-ubyte": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
NETWORK_TIMEOUT = 20.0  # seconds without an answer
WEIGHTS_FILE = "final_model.pth"
ACCURACY_FILE = "test_accuracy.txt"


@dataclasses.dataclass(frozen=True)
class Config:
    """Every hyperparameter, once. The README tells what each is worth."""

    epochs: int = 12  # more of them are no more accurate
    batch_size: int = 128
    lr: float = 0.1  # of the convolution filters, whose updates are near-orthogonal matrices
    lr_ratio: float = 0.5  # rate of all other parameters, as a share of lr
    momentum: float = 0.9
    average_memory: float = 1 / 9  # share of the steps so far that the averaged weights remember
    lr_factor: float = 0.5  # multiplies the rates ...
    lr_patience: int = 0  # ... after the first epoch in which the training loss ...
    lr_threshold: float = 0.05  # ... is not a twentieth below its lowest
    rotation: float = 10.0  # degrees, either way
    translation: float = 2.0  # pixels, either way, along each axis
    scale: float = 0.1  # share of the size, either way, along each axis
    shear: float = 0.1  # pixels sideways per pixel of height, either way
    clean_share: float = 1 / 6  # of the epochs, the last ones: images as they are
    seed: int = 0


class Failure(Exception):
    """An expected failure: its message is all that the user needs to see."""


# --- network ---


def conv_block(inputs: int, outputs: int, kernel_size: int, stride: int = 1) -> list[nn.Module]:
    """Unpadded convolution, BatchNorm (whose shift makes a convolution bias useless), Hardswish."""
    return [
        nn.Conv2d(inputs, outputs, kernel_size, stride, bias=False),
        nn.BatchNorm2d(outputs),
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

    def forward(self, images: Tensor) -> Tensor:
        features = self.global_pool(self.features(images))
        return self.head(self.dropout(features)).flatten(1)


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


# --- data ---


class Digits(NamedTuple):
    """A whole data set in memory, on the device that trains."""

    images: Tensor  # (N, 1, 28, 28) uint8, ink 255 on background 0
    labels: Tensor  # (N,) int64, 0 to 9


def load_mnist(data_dir: str | Path, device: torch.device) -> tuple[Digits, Digits]:
    """Return the training and the test set, downloaded into `data_dir` if they are not there.
    Raises Failure if they can be neither found nor downloaded, or are not MNIST."""
    parts = []
    for archive, md5 in MNIST.resources:  # images and labels to train with, then those to test with
        path = Path(data_dir, "MNIST", "raw", archive.removesuffix(".gz"))
        parts.append(load_mnist_file(path, md5).to(device))
    return Digits(parts[0].unsqueeze(1), parts[1]), Digits(parts[2].unsqueeze(1), parts[3])


def load_mnist_file(path: Path, md5: str) -> Tensor:
    """Values of `path`, unpacked from the .gz beside it or, without one of this `md5`, downloaded.
    Raises Failure if it cannot be had, or if something else is in its place."""
    taken = path.exists()
    if (values := read_mnist_file(path)) is not None:
        return values
    archive = path.with_name(path.name + ".gz")
    packed = utils.check_integrity(archive, md5)
    if taken and not packed:
        raise Failure(
            f"{path} is not MNIST's: move it away, or name another folder with --data-dir"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    socket.setdefaulttimeout(NETWORK_TIMEOUT)  # torchvision would wait for ever
    problems = []
    with tempfile.TemporaryDirectory(prefix="unpacking-", dir=path.parent) as scratch:
        unpacked = Path(scratch, path.name)
        source = path.parent if packed else scratch  # where torchvision looks before it downloads
        for mirror in MNIST.mirrors:
            try:
                utils.download_and_extract_archive(mirror + archive.name, source, scratch, md5=md5)
                if (values := read_mnist_file(unpacked)) is not None:
                    os.replace(unpacked, path)  # whole: another program may be reading it
                    return values
            except (OSError, RuntimeError, HTTPException) as error:
                problems.append(f"{mirror}: {error or type(error).__name__}")
    files = ", ".join(f"{name}.gz" for name in MNIST_SHA256)
    raise Failure(
        f"cannot download MNIST ({'; '.join(problems)}). Put the four files {files} into "
        f"{path.parent}, or name another folder with --data-dir"
    )


def read_mnist_file(path: Path) -> Tensor | None:
    """Values of an unpacked file of MNIST; None if it is missing, cut off or something else."""
    read = mnist.read_image_file if "images" in path.name else mnist.read_label_file
    try:
        values = read(str(path))
    except (FileNotFoundError, AssertionError, LookupError, RuntimeError, TypeError, ValueError):
        return None  # torchvision's ways to say that this is not the format
    digest = hashlib.sha256(values.to(torch.uint8).numpy()).hexdigest()
    return values if digest == MNIST_SHA256[path.name] else None


def normalize(images: Tensor) -> Tensor:
    """Floats, 0 to 1, as the network wants them: mean 0 and standard deviation 1 over MNIST."""
    return (images - MEAN) / STD


# --- recipe ---


def augment(images: Tensor, config: Config) -> Tensor:
    """Rotate, scale, shear and shift each image (N, 1, 28, 28), 0 to 1, by its own random amounts.
    What comes in from outside is 0. torchvision's transforms would move a whole batch alike."""

    def uniform(limit: float) -> Tensor:  # (N,), between -limit and limit
        return (torch.rand(len(images), device=images.device) * 2 - 1) * limit

    angle = uniform(math.radians(config.rotation))
    cos, sin, shear = angle.cos(), angle.sin(), uniform(config.shear)
    scale_x, scale_y = 1 + uniform(config.scale), 1 + uniform(config.scale)
    pixels = 2 / IMAGE_SIZE  # grid_sample's coordinates run from -1 to 1
    shift_x, shift_y = (uniform(config.translation) * pixels for _ in "xy")
    rows = [cos * scale_x, shear - sin * scale_y, shift_x, sin * scale_x, cos * scale_y, shift_y]
    axis = (torch.arange(IMAGE_SIZE, device=images.device) + 0.5) * pixels - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)]).flatten(1)  # (3, 784)
    grid = torch.stack(rows, dim=1).view(-1, 2, 3) @ points  # (N, 2, 784)
    grid = grid.view(-1, 2, IMAGE_SIZE, IMAGE_SIZE).movedim(1, -1)
    return F.grid_sample(images, grid, align_corners=False)


Batch = tuple[Tensor, Tensor]  # normalised images (B, 1, 28, 28), labels (B,)


def make_batches(digits: Digits, config: Config, augmented: bool) -> Iterator[Batch]:
    """Yield all of `digits` once, in random order."""
    order = torch.randperm(len(digits.labels)).to(digits.labels.device)
    for batch in order.split(config.batch_size):
        images = digits.images[batch] / 255
        yield normalize(augment(images, config) if augmented else images), digits.labels[batch]


def orthogonalize(matrix: Tensor, steps: int = 3) -> Tensor:
    """Push every singular value of `matrix` (M, N) towards 1 and keep its directions:
    Newton-Schulz iteration with the quintic coefficients of Jordan et al., "Muon" (2024)."""
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, gram.addmm(gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum SGD that makes the update of each convolution's filters orthogonal: all
    directions of a filter matrix (outputs, all else) move equally far, however lopsided the
    gradient (Jordan et al., 2024). Group 0 holds the filters, group 1 all the rest.
    Written out because torch.optim.Muon takes plain matrices only, in bfloat16."""

    def __init__(self, model: SmallCNN, config: Config) -> None:
        filters = [p for p in model.features.parameters() if p.ndim == 4]
        rest = [p for p in model.parameters() if all(p is not f for f in filters)]
        rest_lr = config.lr * config.lr_ratio
        groups = [{"params": filters, "lr": config.lr}, {"params": rest, "lr": rest_lr}]
        super().__init__(groups, {"momentum": config.momentum})
        for p in model.parameters():
            self.state[p]["velocity"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                velocity = self.state[p]["velocity"]
                velocity.mul_(group["momentum"]).add_(p.grad)
                update = p.grad.add(velocity, alpha=group["momentum"])
                if group is self.param_groups[0]:
                    update = orthogonalize(update.flatten(1)).view_as(p)
                p.sub_(update, alpha=group["lr"])


def make_average(model: nn.Module, config: Config) -> AveragedModel:
    """Copy of `model` that follows it as a running average, batch statistics included. It remembers
    a share of the steps so far: few while the weights improve fast, many when they only jitter
    (the polynomial decay of Shamir and Zhang, 2013; torch has fixed decays only)."""
    window = 1 / config.average_memory

    def follow(averaged: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor | int) -> None:
        share = window / (window + steps)
        for mine, new in zip(averaged, current, strict=True):
            mine.copy_(mine + (new - mine) * share)

    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True)


def step_scheduler(scheduler: ReduceLROnPlateau, loss: float, epoch: int) -> None:
    """Tell `scheduler` the loss of `epoch`, and the reader if that lowers a rate."""
    before = [group["lr"] for group in scheduler.optimizer.param_groups]
    scheduler.step(loss)
    for i, (rate, group) in enumerate(zip(before, scheduler.optimizer.param_groups, strict=True)):
        if group["lr"] < rate:
            print(f"Epoch {epoch:05}: reducing learning rate of group {i} to {group['lr']:.4e}.")


# --- training ---


class Score(NamedTuple):
    """Mean cross-entropy (nats) and fraction of right answers over a whole pass."""

    loss: float
    accuracy: float

    def __str__(self) -> str:
        return f"Average loss: {self.loss:.4f}, Accuracy: {self.accuracy:.2%}"


class Epoch(NamedTuple):
    """One line of the history: what an epoch was trained with and what came of it."""

    epoch: int
    learning_rate: float
    train_loss: float  # what the schedule watches
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float  # of training, without the test


def train_epoch(
    model: nn.Module, average: AveragedModel, optimizer: Muon, batches: Iterable[Batch]
) -> Score:
    """Take a step for each of `batches`; return the score of the answers as they were learned."""
    model.train()
    losses, hits, seen = [], [], 0
    for images, labels in batches:
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        losses.append(loss.detach() * len(labels))  # not read yet: that would make a GPU wait
        hits.append((logits.argmax(dim=1) == labels).sum())
        seen += len(labels)
    return Score(torch.stack(losses).sum().item() / seen, torch.stack(hits).sum().item() / seen)


def train(config: Config, train_set: Digits, test_set: Digits) -> tuple[nn.Module, list[Epoch]]:
    """Train from scratch; return the averaged model, which is more accurate than the one that the
    optimizer moves, and the history. Raises Failure if the loss is no longer finite."""
    torch.manual_seed(config.seed)
    model, device = SmallCNN(), train_set.labels.device
    if device.type == "cpu":  # the faster layout there; on MPS, torch has bugs with it
        model = model.to(memory_format=torch.channels_last)
    model = model.to(device)
    average = make_average(model, config)
    optimizer = Muon(model, config)
    scheduler = ReduceLROnPlateau(
        optimizer, "min", config.lr_factor, config.lr_patience, config.lr_threshold
    )
    print(f"Total trainable parameters: {count_parameters(model)}", flush=True)
    steps = math.ceil(len(train_set.labels) / config.batch_size)
    augmented_epochs = config.epochs - round(config.epochs * config.clean_share)
    history: list[Epoch] = []
    for epoch in range(1, config.epochs + 1):
        title, rate = f"Epoch {epoch}/{config.epochs}", optimizer.param_groups[0]["lr"]
        started = time.perf_counter()
        batches = make_batches(train_set, config, augmented=epoch <= augmented_epochs)
        progress = tqdm(batches, title, total=steps, leave=False, disable=None)
        loss, accuracy = train_epoch(model, average, optimizer, progress)
        seconds = time.perf_counter() - started
        print(f"{title}: loss={loss:.3f}, acc={accuracy:.2%}, {seconds:.1f} s", flush=True)
        if epoch < config.epochs:
            step_scheduler(scheduler, loss, epoch)
        test_score = evaluate(average.module, test_set)  # for the reader only: steers nothing
        print(f"Test set: {test_score}", flush=True)
        if not math.isfinite(loss + test_score.loss):
            raise Failure(f"the loss is not finite in epoch {epoch}; try a lower --lr")
        history.append(Epoch(epoch, rate, loss, accuracy, *test_score, round(seconds, 3)))
    return average.module, history


# --- evaluation and results ---


@torch.inference_mode()
def compute_logits(model: nn.Module, images: Tensor, batch_size: int = 1000) -> Tensor:
    """Show `images` (N, 1, 28, 28), 0 to 1, to `model` in evaluation mode; return (N, 10)."""
    model.eval()
    return torch.cat([model(normalize(batch)) for batch in images.split(batch_size)])


def score(digits: Digits, logits: Tensor) -> Score:
    """Score of `logits` (N, 10) as answers to `digits`."""
    correct = (logits.argmax(dim=1) == digits.labels).sum().item()
    return Score(F.cross_entropy(logits, digits.labels).item(), correct / len(logits))


def evaluate(model: nn.Module, digits: Digits) -> Score:
    """Score `model` on every one of `digits`. Leaves it in evaluation mode, otherwise unchanged."""
    return score(digits, compute_logits(model, digits.images / 255))


def predict(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Read `images` (N, 1, 28, 28), 0 to 1; return digits (N,) and their probabilities (N,)."""
    probabilities, digits = compute_logits(model, images).softmax(dim=1).max(dim=1)
    return digits, probabilities


def load_model(folder: str | Path = ".", device: str | torch.device = "cpu") -> SmallCNN:
    """Return the network with the weights in `folder`, ready to read digits on `device`.
    Nothing in that file is run. Raises Failure if it is not there, or holds no such weights."""
    path, model = Path(folder, WEIGHTS_FILE), SmallCNN()
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise Failure(f"no weights at {path}: train first, or see --output-dir") from error
    except Exception as error:  # whatever a broken or hostile file makes torch say
        reason = str(error).splitlines()[0]
        raise Failure(f"{path} does not hold the weights of this network: {reason}") from error
    if not all(t.isfinite().all() for t in model.state_dict().values()):
        raise Failure(f"{path} holds numbers that are not finite")
    return model.to(device).eval()


def print_table(digits: Digits, logits: Tensor) -> None:
    """Print how often each of the ten labels of `digits` got each answer from `logits` (N, 10)."""
    cells = digits.labels * NUM_CLASSES + logits.argmax(dim=1)
    table = cells.bincount(minlength=NUM_CLASSES**2).view(NUM_CLASSES, NUM_CLASSES)
    print("label  answered" + "".join(f"{answer:>5}" for answer in range(NUM_CLASSES)) + "   right")
    for label, row in enumerate(table.tolist()):
        counts = "".join(f"{count or '.':>5}" for count in row)
        print(f"{label:>5}{counts:>60}{row[label] / max(1, sum(row)):>9.2%}")


def draw_mistakes(digits: Digits, logits: Tensor, columns: int = 8) -> Image.Image:
    """Picture of the `digits` that `logits` (N, 10) answer wrongly, the surest mistakes first."""
    probabilities, answers = (t.cpu() for t in logits.softmax(dim=1).max(dim=1))
    images, labels = digits.images.cpu(), digits.labels.cpu()
    wrong = torch.nonzero(answers != labels).flatten()
    shown = wrong[probabilities[wrong].argsort(descending=True)][:200].tolist()
    tile, gap, text = 112, 24, 44  # pixels: a digit, between tiles, below a digit
    rows = math.ceil(len(shown) / columns)
    size = (columns * (tile + gap) + gap, rows * (tile + text + gap) + text + gap)
    page = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=17)
    title = f"{len(wrong)} of {len(labels)} test digits read wrongly, the surest first"
    draw.text((gap, gap), title + ", 200 shown" * (len(wrong) > 200), "black", font)
    for place, i in enumerate(shown):
        left = gap + place % columns * (tile + gap)
        top = gap + text + place // columns * (tile + text + gap)
        picture = Image.fromarray(images[i, 0].numpy())
        page.paste(picture.resize((tile, tile), Image.Resampling.BICUBIC), (left, top))
        draw.text((left, top + tile + 3), f"{labels[i]} read as {answers[i]}", "black", font)
        draw.text((left, top + tile + 23), f"{probabilities[i]:.1%} sure", "dimgray", font)
    return page


def write_files(folder: Path, files: dict[str, str | Callable[[Path], object]]) -> None:
    """Write texts, or let writers write, beside their places; then move all there or raise Failure.
    The accuracy of old weights is put aside before they are replaced: whatever fails, and even
    after a kill in between, weights may lack their accuracy but never have another run's."""
    new = {name: folder / f"{name}.new" for name in files}
    new_weights = folder / f"{WEIGHTS_FILE}.new"
    claim, aside = folder / ACCURACY_FILE, folder / f"{ACCURACY_FILE}.old"
    try:
        aside.unlink(missing_ok=True)
        for name, file in files.items():
            new[name].write_bytes(file.encode()) if isinstance(file, str) else file(new[name])
        if new_weights.exists() and claim.exists():
            os.replace(claim, aside)
        for name, path in new.items():
            os.replace(path, folder / name)
    except (OSError, RuntimeError) as error:  # torch.save says RuntimeError when a disk is full
        raise Failure(f"cannot write {', '.join(files)} into {folder}: {error}") from error
    finally:
        if new_weights.exists() and aside.exists():  # the old weights are still in place
            os.replace(aside, claim)
        for path in (*new.values(), aside):
            path.unlink(missing_ok=True)


def write_mistakes(digits: Digits, logits: Tensor, folder: Path) -> None:
    """Draw the mistakes into `folder`; a picture that cannot be drawn is no more than a warning."""
    try:
        page = draw_mistakes(digits, logits)
        write_files(folder, {"mistakes.png": lambda path: page.save(path, "PNG")})
    except (Failure, ImportError, OSError, ValueError) as error:
        print(f"warning: {error}", file=sys.stderr)


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
                if pixels > 20_000_000:
                    raise Failure(f"too large: {pixels:,} pixels; at most {20_000_000:,} are read")
                if picture.format == "EPS":
                    raise Failure("a program in PostScript, which is not run")
                return to_mnist(picture)
    except Failure:
        raise
    except Image.UnidentifiedImageError as error:
        raise Failure("not an image") from error
    except Image.DecompressionBombError as error:
        raise Failure(f"too large; at most {20_000_000:,} are read") from error
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
            print(f"{name}\t{answer}\t{sure:.4f}")
            if with_preview:
                print(preview(digit))
    return int(len(names) < len(paths))


# --- command line ---


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a tiny convolutional network to read handwritten digits (MNIST).",
        usage=argparse.SUPPRESS,  # so that an error is one line
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add, default = parser.add_argument, Config()
    add("--epochs", type=int, default=default.epochs, help="passes over the training set")
    add("--batch-size", type=int, default=default.batch_size, help="images a step")
    add("--lr", type=float, default=default.lr, help="initial learning rate of the filters")
    add("--seed", type=int, default=default.seed, help="of all randomness")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, ...")
    add("--data-dir", default="data", help="where MNIST is, or is downloaded to")
    add("--output-dir", default=".", help="where weights and results are")
    mode = parser.add_mutually_exclusive_group().add_argument
    mode("--predict", nargs="+", metavar="IMAGE", help="read these pictures instead of training")
    mode("--evaluate", action="store_true", help="test the saved weights instead of training")
    add("--preview", action="store_true", help="with --predict: draw what the network sees")
    args = parser.parse_args(argv)
    limits = {"epochs": (1, 19), "batch_size": (1, 60_000), "lr": (1e-9, 10), "seed": (0, 2**63)}
    for name, (low, high) in limits.items():
        if not low <= (value := getattr(args, name)) <= high:
            parser.error(f"--{name.replace('_', '-')} {value}: it goes from {low} to {high}")
    if args.preview and not args.predict:
        parser.error("--preview needs --predict")
    return args


def find_device(name: str) -> torch.device:
    """Turn `name` into a device that works here, "auto" into the best. Raises Failure if none."""
    best = torch.accelerator.current_accelerator(check_available=True) if name == "auto" else name
    try:
        probe = torch.zeros(1, device=best or "cpu")
        probe.item()
        return probe.device
    except Exception as error:  # each kind of device has its own ways not to work
        problem = f"device {str(best)!r} cannot be used here ({str(error).splitlines()[0]})"
        if name != "auto":
            raise Failure(f"{problem}; try --device cpu") from error
        print(f"warning: {problem}; using the CPU", file=sys.stderr)
        return torch.device("cpu")


def print_error(message: object) -> None:
    """Print `message` on one line of standard error."""
    print("error:", *str(message).split(), file=sys.stderr)


def run_training(config: Config, train_set: Digits, test_set: Digits, output_dir: Path) -> None:
    """Train as `config` says, and write the results. Fails before that if they could not be."""
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output_dir).close()
    except OSError as error:
        problem = f"cannot write into {output_dir}: {error.strerror}"
        raise Failure(f"{problem}; --output-dir names another folder") from error
    settings = dataclasses.asdict(config) | {"torch": str(torch.__version__)}
    settings |= {"device": str(test_set.labels.device), "threads": torch.get_num_threads()}
    print("Settings:", ", ".join(f"{name}={value}" for name, value in settings.items()))
    model, history = train(config, train_set, test_set)
    weights = {name: t.cpu().contiguous() for name, t in model.state_dict().items()}
    lines = [",".join(map(str, line)) + "\n" for line in (Epoch._fields, *history)]
    files: dict[str, str | Callable[[Path], object]] = {
        WEIGHTS_FILE: lambda path: torch.save(weights, path),
        ACCURACY_FILE: f"{100 * history[-1].test_accuracy:.2f}",
        "history.csv": "".join(lines),
        "settings.json": json.dumps(settings, indent=4) + "\n",
    }
    write_files(output_dir, files)
    write_mistakes(test_set, compute_logits(model, test_set.images / 255), output_dir)
    print("Training completed!")


def run_evaluation(model: nn.Module, test_set: Digits, output_dir: Path) -> None:
    """Print and draw how `model` answers the test set. Raises Failure if its accuracy is not the
    one that the accuracy file claims."""
    logits = compute_logits(model, test_set.images / 255)
    result = score(test_set, logits)
    error = math.sqrt(result.accuracy * (1 - result.accuracy) / len(logits))
    print(f"Test set: {result}, standard error {error:.2%} ({len(logits)} images)")
    print_table(test_set, logits)
    write_mistakes(test_set, logits, output_dir)
    claim, measured = output_dir / ACCURACY_FILE, f"{100 * result.accuracy:.2f}"
    claimed = claim.read_text(encoding="ascii", errors="replace").strip()
    if measured != claimed:
        raise Failure(f"{claim} claims {claimed!r}, but these weights give {measured}")
    print(f"{claim} claims the same: {claimed}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    args = parse_args(argv)
    output_dir, code = Path(args.output_dir), 0
    if hasattr(sys.stdout, "reconfigure"):  # a console may not know a file name's characters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        if args.predict:
            code = predict_files(args.predict, load_model(output_dir), args.preview)
        elif args.evaluate:
            model = load_model(output_dir, device := find_device(args.device))
            run_evaluation(model, load_mnist(args.data_dir, device)[1], output_dir)
        else:
            config = Config(args.epochs, args.batch_size, args.lr, seed=args.seed)
            data = load_mnist(args.data_dir, find_device(args.device))
            run_training(config, *data, output_dir)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # nobody reads on, as behind "| head": end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (MemoryError, torch.OutOfMemoryError):
        print_error("out of memory: try a smaller --batch-size, or --device cpu")
    except (Failure, OSError, RuntimeError) as error:
        print_error(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
