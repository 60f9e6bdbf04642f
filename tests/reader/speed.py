"""Measure how long the reader takes for large pictures, and how much memory, on Linux.

python -m tests.reader.speed
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from digit_reader import open_picture, read_digit
from mnist_classifier import find_weights, load_model
from tests.conftest import ROOT

PHOTO = ROOT / "tests" / "photo_of_a_5.jpg"
PICTURES = {  # width and height, of which the photo is enlarged to
    "1 megapixel.jpg": (1156, 867),
    "48 megapixels.jpg": (8000, 6000),
    "40 megapixels.png": (7300, 5475),
    "40 megapixels.jp2": (7300, 5475),
}
READINGS = 5  # the shortest is the one that other programs disturbed least


def measure(path: str) -> None:
    """Print the shortest of several times of the processor, and the memory that it took."""
    torch.set_num_threads(1)
    model = load_model(find_weights())
    read_digit(Image.open(PHOTO), model)
    before = peak_memory()
    seconds = []
    for _ in range(READINGS):
        start = time.process_time()
        with open_picture(path) as picture:
            read_digit(picture, model)
        seconds.append(time.process_time() - start)
    milliseconds = 1000 * min(seconds)
    more = peak_memory() - before
    print(f"{Path(path).name}: {milliseconds:.0f} ms, {before:.0f} MB and {more:.0f} MB more")


def peak_memory() -> float:
    """Return the largest memory of this process so far, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, size in PICTURES.items():
            Image.open(PHOTO).resize(size).save(Path(folder, name))
            command = [sys.executable, "-m", "tests.reader.speed", Path(folder, name)]
            subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(sys.argv[1])
    else:
        main()
