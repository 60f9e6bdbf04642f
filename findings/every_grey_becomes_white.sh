#!/usr/bin/env bash
# libvips writes a black-and-white PNG in which every grey but 0 is white: a digit whose
# background is not quite black vanishes in a white sheet. The same option for TIFF splits at 128.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    pyvips==3.2.0 pyvips-binary==8.18.7 numpy==2.4.6 pillow==13.0.0

venv/bin/python - <<'PYTHON'
import io
from importlib.metadata import version

import numpy as np
import pyvips
from PIL import Image

LEVELS = np.array([[0, 1, 64, 127, 128, 255]], dtype=np.uint8)


def written_with_one_bit(suffix: str) -> list[int]:
    """Return the levels that are read from a file of one bit a pixel: 0 black, 255 white."""
    picture = pyvips.Image.new_from_array(LEVELS)
    file = io.BytesIO(picture.write_to_buffer(suffix, bitdepth=1))
    return np.asarray(Image.open(file).convert("L"))[0].tolist()


print("versions: libvips", version("pyvips-binary"), "pyvips", version("pyvips"), end=" ")
print("Pillow", version("pillow"))
print("guess: one bit a pixel splits at 128, in a PNG as in a TIFF")
print("seen: the levels:      ", LEVELS[0].tolist())
print("seen: written as TIFF: ", written_with_one_bit(".tif"))
print("seen: written as PNG:  ", written_with_one_bit(".png"))

assert written_with_one_bit(".tif") == [0, 0, 0, 0, 255, 255], "TIFF splits elsewhere now"
assert written_with_one_bit(".png") == [0, 255, 255, 255, 255, 255], "PNG splits elsewhere now"
PYTHON
