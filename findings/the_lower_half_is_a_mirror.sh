#!/usr/bin/env bash
# VTK reads a black-and-white TIFF, if its first row is the top one, with its upper half only: the
# lower half is the upper one once more, mirrored, so that a 7 becomes something like a 3. So it is
# with grey pixels of 2 and 4 bits; those of 8 bits are read rightly. It seems that the rows are
# turned over in place: when the lower ones are wanted, the upper ones have already been written
# over them.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check vtk==9.7.2 pillow==13.0.0 numpy==2.4.6

venv/bin/python - <<'PYTHON'
import struct
from importlib.metadata import version

import numpy as np
import vtk
from PIL import Image
from vtk.util.numpy_support import vtk_to_numpy

DIGIT = np.zeros((14, 12), np.uint8)  # a 7: 1 is ink, and white
DIGIT[1:3, 1:11] = 1
for row in range(3, 13):
    DIGIT[row, 9 - row // 2 : 11 - row // 2] = 1
HEIGHT, WIDTH = DIGIT.shape


def write_tiff(name: str, bits: int) -> None:
    """Write the digit as a TIFF of white on black, with `bits` for each pixel, uncompressed."""
    white = DIGIT[:, :, None].repeat(bits, axis=2).reshape(HEIGHT, WIDTH * bits)
    pixels = np.packbits(white, axis=1).tobytes()
    entries = [  # width, height, bits, no compression, 0 is black, first row on top
        (256, WIDTH), (257, HEIGHT), (258, bits), (259, 1), (262, 1),
        (273, 8), (274, 1), (277, 1), (278, HEIGHT), (279, len(pixels)),
    ]
    with open(name, "wb") as file:
        file.write(struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels)
        file.write(struct.pack("<H", len(entries)))
        for tag, value in entries:
            file.write(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value))
        file.write(bytes(4))


def by_vtk(name: str) -> np.ndarray:
    """Return the rows of the file as VTK reads them, from 0 to 1."""
    reader = vtk.vtkTIFFReader()
    reader.SetFileName(name)
    reader.Update()
    values = vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars())
    return values.reshape(HEIGHT, WIDTH, -1)[:, :, 0] // 255


print("versions: vtk", version("vtk"), "pillow", version("pillow"))
print("guess: VTK and Pillow read the same rows")
for bits, is_right in ((8, True), (4, False), (2, False), (1, False)):
    name = f"digit{bits}.tif"
    write_tiff(name, bits)
    seen = by_vtk(name)
    by_pillow = np.asarray(Image.open(name).convert("L")) // 255
    assert (by_pillow == DIGIT).all(), "Pillow reads another digit now"
    print(f"seen: {bits} bits: {(seen != DIGIT).sum()} of {DIGIT.size} pixels wrong")
    half = HEIGHT // 2
    expected = DIGIT if is_right else np.concatenate([DIGIT[:half], DIGIT[:half][::-1]])
    assert (seen == expected).all(), "VTK reads other rows now"
print("the digit, and what VTK reads with 1 bit:")
for row, seen_row in zip(DIGIT, seen):
    print("  ", *("".join(" #"[pixel] for pixel in line) for line in (row, seen_row)), sep="  ")
PYTHON
