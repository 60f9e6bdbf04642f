#!/usr/bin/env bash
# imagecodecs saves 16-bit greys as a TIFF or a JPEG 2000 with the bytes of each value exchanged, if
# the array has its high bytes first, as one has that comes straight from a PGM or an IDX file:
# 16384 becomes 64. Its encoder of PNG refuses such an array. With the same values in the machine's
# own order, all is well.
#
# This is for machines that have their low bytes first, which almost all have.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    imagecodecs==2026.3.6 pillow==13.0.0 numpy==2.4.6 scikit-learn==1.9.1

"$folder/venv/bin/python" - <<'PYTHON'
import io
from importlib.metadata import version

import imagecodecs
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

# A PGM of 16 bits, as a scanner or netpbm writes it: a header of three lines, then the values.
digit = np.round(load_digits().images[0] * 65535 / 16).astype(">u2")
pgm = b"P5\n8 8\n65535\n" + digit.tobytes()
pixels = np.frombuffer(pgm, ">u2", offset=len(b"P5\n8 8\n65535\n")).reshape(8, 8)

print("versions: imagecodecs", version("imagecodecs"), "pillow", version("pillow"))
print("guess: the file has the values of the array, or the array is refused")
print("the values of a row:", *pixels[3])
for encode, decode in (
    (imagecodecs.tiff_encode, imagecodecs.tiff_decode),
    (imagecodecs.jpeg2k_encode, imagecodecs.jpeg2k_decode),
):
    name = encode.__name__.removesuffix("_encode")
    for order, array in (("its own order", pixels.astype(np.uint16)), ("the PGM's", pixels)):
        assert (array == pixels).all(), "the two arrays are not the same"
        file = encode(array)
        seen = decode(file)
        if name == "tiff":
            assert (np.asarray(Image.open(io.BytesIO(file))) == seen).all(), "Pillow differs now"
        print(f"seen: {name}, bytes in {order}:", *seen[3])
        expected = pixels.byteswap() if array is pixels else pixels
        assert (seen == expected).all(), "other values are saved now"
        assert array is not pixels or (seen != pixels).mean() > 0.5, "they are not wrong now"
try:
    imagecodecs.png_encode(pixels)
except ValueError as error:
    print("its encoder of PNG refuses the second array:", type(error).__name__)
else:
    raise AssertionError("it does not refuse it now")
PYTHON
