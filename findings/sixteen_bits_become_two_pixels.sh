#!/usr/bin/env bash
# pypdf takes a picture of 16-bit greys out of a PDF as one of 8 bits in which every value has
# become two pixels: its high byte, then its low byte. There is room for half of them only. So each
# row of the upper half fills two rows: its left half, at twice its width, then its right half. The
# lower half is missing. Such PDFs come from 16-bit PNGs, which img2pdf embeds as they are.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    pypdf==7.1.1 img2pdf==0.6.3 pillow==13.0.0 numpy==2.4.6 pypdfium2==5.15.2 scikit-learn==1.9.1

"$folder/venv/bin/python" - <<'PYTHON'
import io
from importlib.metadata import version

import img2pdf
import numpy as np
import pypdf
import pypdfium2
from PIL import Image
from sklearn.datasets import load_digits

digit = load_digits().images[3].repeat(4, axis=0).repeat(4, axis=1) / 16  # 32 x 32, from 0 to 1


def page_of(pixels: np.ndarray) -> bytes:
    """Return a PDF made by img2pdf from a grey PNG; a pixel is a point of the page."""
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return img2pdf.convert(png.getvalue(), layout_fun=img2pdf.get_fixed_dpi_layout_fun((72, 72)))


def by_pypdf(file: bytes) -> np.ndarray:
    """Return the picture that pypdf takes out of the first page."""
    image = pypdf.PdfReader(io.BytesIO(file)).pages[0].images[0].image
    assert image.mode == "L", "it is a picture of another kind now"
    return np.asarray(image)


def as_drawn(file: bytes) -> np.ndarray:
    """Return the greys that PDFium draws for the page."""
    return np.asarray(pypdfium2.PdfDocument(file)[0].render(scale=1).to_pil().convert("L"))


names = ("pypdf", "img2pdf", "pillow", "pypdfium2")
print("versions:", *(f"{name} {version(name)}" for name in names))
print("guess: a digit of 16 bits comes out as that of 8 bits does, or as one of 16 bits")
right = (digit * 255).astype(np.uint8)
for kind in (np.uint8, np.uint16):
    pixels = (digit * np.iinfo(kind).max).astype(kind)
    file = page_of(pixels)
    assert abs(as_drawn(file) - right.astype(int)).max() <= 1, "PDFium draws another page now"
    seen = by_pypdf(file)
    wrong = (abs(seen - right.astype(int)) > 1).sum()
    print(f"seen: {8 * pixels.itemsize} bits: {seen.shape}, {wrong} of {seen.size} pixels wrong")
    if kind == np.uint8:
        assert wrong == 0, "8 bits are read otherwise now"
    else:
        for row in (4, 5):
            print(f"  row {row} of the digit:", right[row, ::4], "seen:", seen[row, ::4])
        upper_half = pixels[:16].astype(">u2").tobytes()
        assert seen.tobytes() == upper_half, "16 bits are read otherwise now"
        assert wrong > 300, "the bytes are not wrong now"
PYTHON
