#!/usr/bin/env bash
# kornia-rs reads a PNG with a palette of 8 bits a pixel as a grey picture of its pixels' numbers:
# no colour is looked up. Its documentation names grey, RGB and RGBA only, but it does not refuse
# the file, as it does with 1, 2 or 4 bits. A digit of black ink, which is colour 1, on white paper,
# which is colour 0, gets the values 1 and 0. If the palette goes from white down to black, the PNG
# is read as its negative.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    kornia-rs==0.2.0 pillow==13.0.0 numpy==2.4.6 scikit-learn==1.9.1

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import kornia_rs
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

INK = (load_digits().images[7] * 255 / 16).astype(np.uint8)  # 8 x 8, 0 is paper


def write_with_palette(pixels: np.ndarray, greys: list[int]) -> np.ndarray:
    """Write a PNG whose `pixels` are numbers of the `greys`. Return what it shows."""
    image = Image.fromarray(pixels)
    image.putpalette([grey for grey in greys for _ in "RGB"])
    image.save("digit.png")  # 8 bits a pixel, as the palette is long
    shown = np.asarray(Image.open("digit.png").convert("L"))
    assert (shown == np.array(greys)[pixels]).all(), "Pillow reads it otherwise now"
    return shown


def by_kornia() -> np.ndarray:
    """Return the values that kornia-rs reads for red, or for grey."""
    return np.asarray(kornia_rs.io.read_image("digit.png"))[:, :, 0]


print("versions: kornia-rs", version("kornia-rs"), "pillow", version("pillow"))
print("guess: kornia-rs reads the greys that the PNG shows")
for kind, pixels, greys in (
    ("black on white", (INK > 128).astype(np.uint8), [255] + 255 * [0]),
    ("256 greys", INK, list(range(255, -1, -1))),
):
    shown = write_with_palette(pixels, greys)
    seen = by_kornia()
    print(f"seen: {kind}: a row that shows {shown[3]} is read as {seen[3]}")
    assert (seen == pixels).all(), "it looks the colours up now"
    assert (seen != shown).mean() > 0.9, "the numbers are the greys now"
    Image.fromarray(shown).save("digit.png")
    assert (by_kornia() == shown).all(), "it reads a PNG without a palette otherwise now"
print("  without a palette, both are read as they are shown")
PYTHON
