# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.10", "torchvision>=0.25", "pillow>=10.1", "tqdm>=4.66"]
# ///
"""Train a tiny convolutional network to read handwritten digits (MNIST).

    python mnist_classifier.py                     # download, train, test, save
    python mnist_classifier.py --predict IMAGE...  # read digits from your own pictures
    python mnist_classifier.py --evaluate          # test the saved weights again

The test set only reports: the learning rate follows the training loss, and what is saved is what
the last epoch ends with. README.md has the measurements, and how to repeat them.
"""

import argparse
import dataclasses
import glob
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
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":  # Ctrl-C while torch is being imported ends the program quietly
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm  # type: ignore[import-untyped]

Batch = tuple[Tensor, Tensor]  # normalised images (B, 1, 28, 28) and labels (B,)
IMAGE_SIZE = 28  # pixels, height and width
NUM_CLASSES = 10
MEAN, STD = 0.1307, 0.3081  # of the training pixels, in the range 0 to 1
MNIST_SHA256 = {  # of the values in each file, without its header; load_mnist uses this order
    "train-images-idx3-ubyte": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train-labels-idx1-ubyte": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "t10k-images-idx3-ubyte": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "t10k-labels-idx1-ubyte": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
NETWORK_TIMEOUT = 20.0  # seconds without an answer
WEIGHTS_FILE = "final_model.pth"
ACCURACY_FILE = "test_accuracy.txt"
# Pixels of a picture that 1 GB of memory is enough for, with torch; EPS is a program, and not run.
MAX_PIXELS = dict.fromkeys(("BMP", "GIF", "JPEG", "MPO", "PNG", "PPM"), 100_000_000)
MAX_PIXELS |= {"progressive JPEG": 50_000_000, "TIFF": 50_000_000, "other": 15_000_000, "EPS": 0}
GRID = 256  # the digit is looked for in about GRID x GRID pixels, more in a long picture
SURE = 0.95  # answers with a lower probability are marked


@dataclasses.dataclass(frozen=True)
class Config:
    """Every hyperparameter, once. The README tells what each is worth."""

    epochs: int = 12  # more are no more accurate; 19 is the limit that the project sets itself
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
    convolution = nn.Conv2d(inputs, outputs, kernel_size, stride, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.Hardswish()]


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
    parts = [load_mnist_file(Path(data_dir, "MNIST", "raw", n)).to(device) for n in MNIST_SHA256]
    return Digits(*parts[:2]), Digits(*parts[2:])


def load_mnist_file(path: Path) -> Tensor:
    """Values of `path` or, if it is not MNIST's, of the .gz beside it or, without one, a download.
    Raises Failure if it cannot be had, or if something else is there and no good .gz beside it."""
    taken = path.exists()
    if (values := read_mnist_file(path)) is not None:
        return values
    from torchvision.datasets import MNIST, utils  # type: ignore[import-untyped] # slow: only here

    archive = path.with_name(path.name + ".gz")
    md5 = dict(MNIST.resources)[archive.name]
    packed = utils.check_integrity(archive, md5)
    if taken and not packed:
        raise Failure(f"{path} is not MNIST's: move it away, or see --data-dir for another folder")
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
                problems.append(f"{mirror}: {error!r}")
    names = ", ".join(f"{name}.gz" for name in MNIST_SHA256)
    advice = f"put {names} into {path.parent}, or name another folder with --data-dir"
    raise Failure(f"cannot download MNIST ({'; '.join(problems)}): {advice}")


def read_mnist_file(path: Path) -> Tensor | None:
    """Images (N, 1, 28, 28) uint8 or labels (N,) int64, behind the header of an unpacked file of
    MNIST; None if it is missing, cut off or something else."""
    has_images = "images" in path.name
    values = bytearray(path.read_bytes() if path.exists() else b"")[16 if has_images else 8 :]
    if hashlib.sha256(values).hexdigest() != MNIST_SHA256[path.name]:
        return None
    tensor = torch.frombuffer(values, dtype=torch.uint8)
    return tensor.view(-1, 1, IMAGE_SIZE, IMAGE_SIZE) if has_images else tensor.long()


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
    grid = (torch.stack(rows, dim=1).view(-1, 2, 3) @ points).view(-1, 2, IMAGE_SIZE, IMAGE_SIZE)
    return F.grid_sample(images, grid.movedim(1, -1), align_corners=False)


def make_batches(digits: Digits, config: Config, augmented: bool) -> Iterator[Batch]:
    """Yield all of `digits` once, in random order."""
    order = torch.randperm(len(digits.labels)).to(digits.labels.device)
    for batch in order.split(config.batch_size):
        images = digits.images[batch] / 255
        images = augment(images, config) if augmented else images
        yield (images - MEAN) / STD, digits.labels[batch]


def orthogonalize(matrix: Tensor, steps: int = 3) -> Tensor:
    """Push every singular value of `matrix` (M, N) towards 1 and keep its directions:
    Newton-Schulz iteration with the quintic coefficients of Jordan et al., "Muon" (2024)."""
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, gram.addmm(gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum SGD that makes the update of the convolution filters (group 0) orthogonal:
    all directions of a filter matrix move equally far, however lopsided the gradient (Jordan et
    al., 2024). Written out because torch.optim.Muon takes plain matrices only, in bfloat16."""

    def __init__(self, model: SmallCNN, config: Config) -> None:
        filters = [p for p in model.features.parameters() if p.ndim == 4]
        rest = [p for p in model.parameters() if all(p is not f for f in filters)]
        rest_lr = config.lr * config.lr_ratio
        groups = [{"params": filters, "lr": config.lr}, {"params": rest, "lr": rest_lr}]
        super().__init__(groups, {"momentum": config.momentum})
        self.state.update((p, {"velocity": torch.zeros_like(p)}) for p in model.parameters())

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
    """Copy of `model`, batch statistics included, that follows it as an average over a share of the
    steps so far (the polynomial decay of Shamir and Zhang, 2013; torch has fixed decays only)."""
    window = 1 / config.average_memory  # 9: a share of 9 / (9 + steps) remembers the last ninth

    def follow(averaged: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor | int) -> None:
        share = window / (window + steps)
        for mine, new in zip(averaged, current, strict=True):
            mine.copy_(mine + (new - mine) * share)

    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True)


# --- training ---
class Score(NamedTuple):
    loss: float  # mean cross-entropy over all images, nats
    accuracy: float  # fraction of right answers


class Epoch(NamedTuple):  # a line of the history
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
    """Take a step for each of `batches`; return the score of the answers given before each step."""
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
    model = SmallCNN().to(train_set.labels.device)
    if train_set.labels.is_cpu:  # the faster layout there; on MPS, torch has bugs in it
        model = model.to(memory_format=torch.channels_last)
    average = make_average(model, config)
    optimizer = Muon(model, config)
    plateau = config.lr_factor, config.lr_patience, config.lr_threshold
    scheduler = ReduceLROnPlateau(optimizer, "min", *plateau)
    print(f"Total trainable parameters: {count_parameters(model)}", flush=True)
    steps = math.ceil(len(train_set.labels) / config.batch_size)
    augmented_epochs = config.epochs - round(config.epochs * config.clean_share)
    history: list[Epoch] = []
    for epoch in range(1, config.epochs + 1):
        title, started = f"Epoch {epoch}/{config.epochs}", time.perf_counter()
        rates = [group["lr"] for group in optimizer.param_groups]
        batches = make_batches(train_set, config, augmented=epoch <= augmented_epochs)
        progress = tqdm(batches, title, total=steps, leave=False, disable=None)
        loss, accuracy = train_epoch(model, average, optimizer, progress)
        seconds = time.perf_counter() - started
        print(f"{title}: loss={loss:.3f}, acc={accuracy:.2%}, {seconds:.1f} s", flush=True)
        if epoch < config.epochs:
            scheduler.step(loss)
        for i, group in enumerate(optimizer.param_groups):
            if (rate := group["lr"]) < rates[i]:
                print(f"Epoch {epoch:05}: reducing learning rate of group {i} to {rate:.4e}.")
        test_loss, right = evaluate(average.module, test_set)  # for the reader: steers nothing
        print(f"Test set: Average loss: {test_loss:.4f}, Accuracy: {right:.2%}", flush=True)
        if not math.isfinite(loss + test_loss):
            raise Failure(f"the loss is not finite in epoch {epoch}; try a lower --lr")
        history.append(Epoch(epoch, rates[0], loss, accuracy, test_loss, right, round(seconds, 3)))
    return average.module, history


# --- evaluation and results ---
@torch.inference_mode()
def compute_logits(model: nn.Module, images: Tensor, batch_size: int = 1000) -> Tensor:
    """Show `images` (N, 1, 28, 28), 0 to 1, to `model` in evaluation mode; return (N, 10)."""
    model.eval()
    return torch.cat([model((batch - MEAN) / STD) for batch in images.split(batch_size)])


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
    except Exception as error:  # whatever a missing, broken or hostile file makes torch say
        reason = str(error).splitlines()[0]
        raise Failure(f"no weights in {path} ({reason}): train, or see --output-dir") from error
    if not all(t.isfinite().all() for t in model.state_dict().values()):
        raise Failure(f"{path} holds numbers that are not finite")
    return model.to(device).eval()


def draw_mistakes(digits: Digits, logits: Tensor, columns: int = 8) -> Image.Image:
    """Picture of the `digits` that `logits` (N, 10) answer wrongly, the surest mistakes first."""
    probabilities, answers = (t.cpu() for t in logits.softmax(dim=1).max(dim=1))
    images, labels = digits.images.cpu(), digits.labels.cpu()
    wrong = torch.nonzero(answers != labels).flatten()
    shown = wrong[probabilities[wrong].argsort(descending=True)][:200].tolist()
    tile, width, height = 112, 136, 180  # pixels: a digit, and its place with two lines of text
    page_size = columns * width + 24, math.ceil(len(shown) / columns) * height + 68
    page = Image.new("RGB", page_size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=17)
    draw.text((24, 24), f"{len(wrong)} of {len(labels)} wrong, the surest first", "black", font)
    for place, i in enumerate(shown):
        left, top = place % columns * width + 24, place // columns * height + 68
        picture = Image.fromarray(images[i, 0].numpy())
        page.paste(picture.resize((tile, tile), Image.Resampling.BICUBIC), (left, top))
        caption = f"{labels[i]} read as {answers[i]}\n{probabilities[i]:.1%} sure"
        draw.text((left, top + tile + 2), caption, "black", font)
    return page


def write_files(folder: Path, files: dict[str, Callable[[Path], object]]) -> None:
    """Call each of `files` with a path beside its place, then move all there, or raise Failure.
    The old accuracy goes before the weights do: whatever fails, and even after a kill in between,
    weights may lack their accuracy, but never have another run's."""
    new = {name: folder / f"{name}.new" for name in files}
    try:
        for name, write in files.items():
            write(new[name])
        if WEIGHTS_FILE in files:
            (folder / ACCURACY_FILE).unlink(missing_ok=True)
        for name, path in new.items():
            os.replace(path, folder / name)
    except (OSError, RuntimeError) as error:  # torch.save says RuntimeError when a disk is full
        raise Failure(f"cannot write {', '.join(files)} into {folder}: {error}") from error
    finally:
        for path in new.values():
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
    """Return the digit in a file, as to_mnist does. Raises Failure, or whatever Pillow raises."""
    if not os.path.isfile(path):
        raise Failure("not a file" if os.path.exists(path) else "no such file")
    with Image.open(path) as picture:
        kind = "progressive JPEG" if "progressive" in picture.info else str(picture.format)
        limit = MAX_PIXELS.get(kind, MAX_PIXELS["other"])
        if picture.width * picture.height > limit:
            raise Failure(f"{kind} of more than {limit:,} pixels is not read: save a small JPEG")
        picture.draft("L", (3 * GRID // 2, 3 * GRID // 2))  # decodes JPEG at part of a large size
        return to_mnist(picture)


def to_mnist(picture: Image.Image) -> Tensor:
    """Turn a picture of a digit, dark or light, into what MNIST would have made of it: (1, 28, 28),
    0 to 1, scaled to fit 20x20 pixels, its centre of mass in the middle; 28x28 pixels of which most
    are 0 are like that already, and stay. Raises Failure if nothing can be seen."""
    pixels = to_gray(picture)
    if pixels.shape == (IMAGE_SIZE, IMAGE_SIZE) and pixels.median() == 0 and pixels.max() > 30:
        return pixels.unsqueeze(0) / 255
    longer = GRID * min(4, (max(pixels.shape) / min(pixels.shape)) ** 0.5)  # of the sides
    ink = fit(cut_out_digit(find_ink(fit(pixels, round(longer)))), 20)
    ink = (ink / ink.quantile(0.95).clamp(min=0.5 * ink.max())).clamp(max=1)  # thin ones have faded
    (height, width), size = ink.shape, IMAGE_SIZE
    row = (ink.sum(1) @ (torch.arange(height) + 0.5) / ink.sum()).item()  # the centre of mass
    column = (ink.sum(0) @ (torch.arange(width) + 0.5) / ink.sum()).item()
    top = min(max(0, round(size / 2 - row)), size - height)
    left = min(max(0, round(size / 2 - column)), size - width)
    return F.pad(ink, (left, size - left - width, top, size - top - height)).unsqueeze(0)


def to_gray(picture: Image.Image) -> Tensor:
    """Grey values (H, W) of `picture`, 0 to 255: upright, on white, shrunk to a few GRID x GRID."""
    picture.load()  # which may turn it
    width, height = picture.size
    factor = max(1, math.isqrt(width * height) // (3 * GRID // 2))
    gray = Image.new("F", (math.ceil(width / factor), math.ceil(height / factor)))
    rows = factor * max(1, 250_000 // (width * factor))  # strip by strip, so that copies are small
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        if strip.has_transparency_data and strip.mode[0] not in "IF":
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        gray.paste(strip.convert("F").reduce(factor), (0, top // factor))
    gray.getexif()[ExifTags.Base.Orientation] = picture.getexif().get(ExifTags.Base.Orientation, 1)
    gray = ImageOps.exif_transpose(gray)
    pixels = torch.frombuffer(bytearray(gray.tobytes()), dtype=torch.float).view(gray.size[::-1])
    if picture.mode[0] in "IF":  # more than 8 bits, of any range
        pixels = pixels.nan_to_num(0, 0, 0)
        pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()).clamp(min=1e-9) * 255
    return pixels


def fit(image: Tensor, size: int) -> Tensor:
    """Scale `image` (H, W) so that the longer side is `size`; averages when it shrinks."""
    shape = [max(1, round(size * side / max(image.shape))) for side in image.shape]
    return F.interpolate(image[None, None], shape, mode="bilinear", antialias=True)[0, 0]


def dilate(image: Tensor, power: int) -> Tensor:
    """Largest value of `image` (H, W) in the square with sides of 3**power around each pixel."""
    for _ in ("rows", "columns"):
        image = F.pad(image, [3**power // 2] * 2, value=-math.inf)
        for step in range(power):
            image = F.max_pool1d(image, 3, stride=1, dilation=3**step)
        image = image.T
    return image


def find_ink(pixels: Tensor) -> Tensor:
    """How much darker each of `pixels` (H, W) is than the paper around it, 0 to 1. Paper is what is
    left when all that is dark and narrow is filled in (a closing): the edges of shadows are."""
    pixels = F.avg_pool2d(pixels[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    wide = F.pad(pixels[None, None], [13] * 4, mode="replicate")  # what ends at the border goes on
    light, dark = -dilate(-dilate(wide[0, 0], 3), 3), dilate(-dilate(-wide[0, 0], 3), 3)
    around = F.interpolate(F.adaptive_avg_pool2d(wide, 3), light.shape, mode="bilinear")[0, 0]
    rare = ((light - dark) * (2 * around - light - dark)).mean()  # above 0: dark is, near edges ...
    if rare + (pixels.median() - pixels.mean()) < 0:  # ... and, added to break ties, everywhere
        pixels = 255 - pixels  # light ink
    light = -dilate(-dilate(pixels, 4), 4)
    ink = (light - pixels) / (light + 20)  # 20: in the dark, noise is no ink
    return (ink - ink.median()).clamp(min=0)


def find_pieces(mask: Tensor) -> Tensor:
    """Give each connected piece of `mask` (H, W) a number, diagonal neighbours the same; else 0."""
    numbers = mask.flatten().cumsum(0).view_as(mask) * mask  # of its pixels, 1 to N
    neighbours = F.unfold(numbers[None, None].float(), 3, padding=1)[0].T[mask.flatten()].long()
    piece_of = torch.arange(len(neighbours) + 1)  # each of the N a piece of its own; 0 none
    while not torch.equal(piece_of, near := F.pad(piece_of[neighbours].amax(dim=1), (1, 0))):
        piece_of = piece_of.scatter_reduce(0, piece_of, near, "amax")  # join those that touch ...
        piece_of = piece_of[piece_of]  # ... to what those were joined to
    return piece_of[numbers]


def cut_out_digit(ink: Tensor) -> Tensor:
    """The heaviest connected piece of `ink` (H, W), with what belongs to it, cut to its box. What
    lies along the border or across the paper is no ink, unless there is nothing else. Raises
    Failure if nothing stands out; warns if others are as large. Tuned on training digits."""
    pieces = find_pieces(ink > 0.33 * ink.max().clamp(min=0.12))  # fainter is no ink
    masses = pieces.flatten().bincount(ink.flatten() * (pieces.flatten() > 0))
    boxes, sizes = {}, {}  # of the heaviest pieces: top, left, bottom, right; the longer side
    frame, border = torch.zeros_like(ink), torch.ones_like(ink).bool()
    border[1:-1, 1:-1] = False
    for piece in masses.argsort(descending=True)[:20].tolist():
        if masses[piece] > 0.01 * masses.max():
            part = pieces == piece
            (t, l), (b, r) = (corner.tolist() for corner in part.nonzero().aminmax(dim=0))
            boxes[piece], sizes[piece] = (t, l, b + 1, r + 1), max(b - t, r - l) + 1
            length = (part & border).sum()
            if length > sizes[piece] / 2 or (length and sizes[piece] >= min(ink.shape)):
                frame[part] = ink[part & border].max()  # darker: a digit written across it
    if frame.any() and (rest := (ink - dilate(frame, 2)).clamp(min=0)).max() > 0.35 * ink.max():
        with suppress(Failure):  # nothing else: the frame is the digit
            return cut_out_digit(rest)
    digit = next(iter(boxes), 0)
    if sizes.get(digit, 0) < GRID // 30 or masses[digit] < 0.02 * masses.sum():  # noise
        raise Failure("blank: no digit stands out")
    (top, left, bottom, right), size, taken = boxes[digit], sizes[digit], {digit}
    for piece, (t, l, b, r) in boxes.items():
        rows, columns = max(top, t) - min(bottom, b), max(left, l) - min(right, r)  # gaps
        t, l, b, r = min(top, t), min(left, l), max(bottom, b), max(right, r)
        both = max(b - t, r - l)
        stacked = rows < 0.25 * both and columns < 0 and sizes[piece] > 0.3 * size  # a 5's bar
        if stacked or max(rows, columns) < 0.08 * size:
            (top, left, bottom, right), size, taken = (t, l, b, r), both, {*taken, piece}
    if others := sum(sizes[p] > 0.6 * size for p in boxes if p not in taken):
        warnings.warn(f"{others + 1} things are as large as a digit; one is read", stacklevel=1)
    strokes = torch.isin(pieces, torch.tensor(list(taken)))
    ink = ink / ink[strokes].quantile(0.9) * dilate(strokes.float(), 2)  # with their soft edges
    return ((ink[top:bottom, left:right] - 0.15) / 0.6).clamp(0, 1)


def predict_files(paths: Sequence[str], model: nn.Module, with_preview: bool) -> int:
    """Print file, digit, probability, and "unsure" or nothing, between tabs, for each of `paths`;
    return the exit code. Patterns such as *.png are expanded, which Windows' shells leave to us."""
    files, code = [], 0
    for path in paths:
        files += [path] if os.path.exists(path) else sorted(glob.glob(path)) or [path]
    for path in files:
        name = "".join(c if c.isprintable() else "?" for c in path)
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            try:
                image = read_picture(path)
            except Exception as error:  # noqa: BLE001 - each format has its own ways to be broken
                broken = f"cannot be read ({error!r}); save it as JPEG or PNG"
                reason = str(error) if isinstance(error, Failure) else broken
                print(f"error: {name}:", *reason.split(), file=sys.stderr)
                code = 1
                continue
        for note in [n for n in notes if n.filename == __file__]:  # not those of Pillow
            print(f"note: {name}: {note.message}", file=sys.stderr)
        digit, sure = (t.item() for t in predict(model, image.unsqueeze(0)))
        print(f"{name}\t{digit}\t{sure:.4f}\t{'' if sure >= SURE else 'unsure'}")
        if with_preview:  # 14 lines: characters are about twice as high as wide
            levels = (F.avg_pool2d(image, (2, 1))[0] * 9).round().int().tolist()
            lines = ("".join(" .:-=+*#%@"[level] for level in line) for line in levels)
            print(f"{name}:", *lines, sep="\n", file=sys.stderr)
    return code


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
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, ... (pictures: cpu)")
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
            parser.error(f"--{name.replace('_', '-')} {value}: it must be from {low} to {high}")
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
        reason = str(error).splitlines()[0]
        raise Failure(f"device {str(best)!r} fails ({reason}); try --device cpu") from error


def run_training(config: Config, train_set: Digits, test_set: Digits, output_dir: Path) -> None:
    """Train as `config` says, and write the results. Fails before that if they could not be."""
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output_dir).close()
    except OSError as error:
        raise Failure(f"cannot write into {output_dir} ({error}): see --output-dir") from error
    settings = dataclasses.asdict(config) | {"torch": str(torch.__version__)}
    settings |= {"device": str(test_set.labels.device), "threads": torch.get_num_threads()}
    print("Settings:", ", ".join(f"{name}={value}" for name, value in settings.items()))
    model, history = train(config, train_set, test_set)
    weights = {name: t.cpu().contiguous() for name, t in model.state_dict().items()}
    accuracy = f"{100 * history[-1].test_accuracy:.2f}"
    table = "".join(",".join(map(str, line)) + "\n" for line in (Epoch._fields, *history))
    text = json.dumps(settings, indent=4) + "\n"
    files: dict[str, Callable[[Path], object]] = {
        WEIGHTS_FILE: lambda path: torch.save(weights, path),
        ACCURACY_FILE: lambda path: path.write_bytes(accuracy.encode()),
        "history.csv": lambda path: path.write_bytes(table.encode()),
        "settings.json": lambda path: path.write_bytes(text.encode()),
    }
    write_files(output_dir, files)
    write_mistakes(test_set, compute_logits(model, test_set.images / 255), output_dir)
    print("Training completed!")


def run_evaluation(model: nn.Module, test_set: Digits, output_dir: Path) -> None:
    """Print and draw how `model` answers `test_set`, or raise Failure if that is not the claim."""
    logits = compute_logits(model, test_set.images / 255)
    loss, accuracy = score(test_set, logits)
    error = math.sqrt(accuracy * (1 - accuracy) / len(logits))
    print(f"Test set: Average loss: {loss:.4f}, Accuracy: {accuracy:.2%}", end="")
    print(f", standard error {error:.2%} ({len(logits)} images)")
    cells = test_set.labels * NUM_CLASSES + logits.argmax(dim=1)
    table = cells.bincount(minlength=NUM_CLASSES**2).view(NUM_CLASSES, NUM_CLASSES)
    print("label  answered" + "".join(f"{answer:>5}" for answer in range(NUM_CLASSES)) + "   right")
    for label, row in enumerate(table.tolist()):
        counts = "".join(f"{count or '.':>5}" for count in row)
        print(f"{label:>5}{counts:>60}{row[label] / max(1, sum(row)):>9.2%}")
    write_mistakes(test_set, logits, output_dir)
    claim, measured = output_dir / ACCURACY_FILE, f"{100 * accuracy:.2f}"
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
            if args.output_dir == "." and not Path(WEIGHTS_FILE).exists():
                output_dir = Path(__file__).parent
            code = predict_files(args.predict, load_model(output_dir), args.preview)
        elif args.evaluate:
            model = load_model(output_dir, device := find_device(args.device))
            run_evaluation(model, load_mnist(args.data_dir, device)[1], output_dir)
        else:
            config = Config(args.epochs, args.batch_size, args.lr, seed=args.seed)
            run_training(config, *load_mnist(args.data_dir, find_device(args.device)), output_dir)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # nobody reads on, as behind "| head": end quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Failure, MemoryError, OSError, RuntimeError) as error:
        print("error:", *(str(error) or "out of memory").split(), file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
