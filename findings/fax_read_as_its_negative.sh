#!/usr/bin/env bash
# imageio reads one and the same black-and-white TIFF as a picture or as its negative. Given the
# path, its TIFF reader overlooks that the file says 0 is white; given the bytes of the file, it
# lets Pillow read them, which heeds it. Faxes and many black-and-white scans are stored this way.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    imageio==2.38.1 pillow==13.0.0 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import imageio.v3 as imageio
import numpy as np
from PIL import Image

BLACK_IS_ZERO, WHITE_IS_ZERO = 1, 0  # what the tag PhotometricInterpretation, 262, can say

paper = np.ones((28, 28), dtype=bool)  # True is white
paper[4:24, 13:16] = False  # a digit 1 in black ink


def read_twice(zero: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture that imageio reads from a file's bytes, and from its path."""
    Image.fromarray(paper).save("scan.tif", tiffinfo={262: zero})
    with open("scan.tif", "rb") as file:
        from_bytes = imageio.imread(file.read())
    from_path = imageio.imread("scan.tif")
    shares = f"{from_bytes.mean():.0%} white from the bytes, {from_path.mean():.0%} from the path"
    print(f"seen: {'0 is black' if zero else '0 is white'}: {shares}")
    return from_bytes, from_path


print("versions: imageio", version("imageio"), "Pillow", version("pillow"))
print("guess: the path and the bytes of a file give the same picture")
black_bytes, black_path = read_twice(BLACK_IS_ZERO)
white_bytes, white_path = read_twice(WHITE_IS_ZERO)

assert np.array_equal(black_bytes, paper), "0 is black: the bytes are read otherwise now"
assert np.array_equal(black_path, paper), "0 is black: the path is read otherwise now"
assert np.array_equal(white_bytes, paper), "0 is white: the bytes are read otherwise now"
assert np.array_equal(white_path, ~paper), "the path does not give the negative any more"
PYTHON
