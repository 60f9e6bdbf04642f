#!/usr/bin/env bash
# A black-and-white scan in a PDF may name its two greys in a palette. pikepdf's as_pil_image gives
# such a picture with black in place of the second grey: if 0 means black and 1 white, all of it is
# black; of 64 and 240, the 240 becomes 0. If the second grey is black, nothing is lost. A palette
# of 8-bit pixels, or one in red, green and blue, is read rightly, and extract_to writes a right
# PNG. This is for scans that are not fax-coded.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    pikepdf==10.18.0 pillow==13.0.0 numpy==2.4.6 pypdfium2==5.15.2

"$folder/venv/bin/python" - <<'PYTHON'
import io
from importlib.metadata import version

import numpy as np
import pikepdf
import pypdfium2
from pikepdf import Name

DIGIT = np.zeros((28, 28), np.uint8)  # a 7: 1 is paper, 0 is ink
DIGIT[:] = 1
DIGIT[5:8, 7:21] = 0
for row in range(8, 24):
    DIGIT[row, 18 - row // 3 : 21 - row // 3] = 0


def scan(base: Name, bits: int, greys: tuple[int, int]) -> bytes:
    """Return a PDF that has the digit as its page: its pixels are numbers of two `greys`."""
    entries = [[grey] * (3 if base == Name.DeviceRGB else 1) for grey in greys]
    colours = pikepdf.Array([Name.Indexed, base, 1, pikepdf.String(bytes(sum(entries, [])))])
    pixels = np.packbits(DIGIT, axis=1) if bits == 1 else DIGIT
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(28, 28))
    image = pdf.make_stream(
        pixels.tobytes(), Type=Name.XObject, Subtype=Name.Image, Width=28, Height=28,
        BitsPerComponent=bits, ColorSpace=colours,
    )
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Scan=image))
    page.Contents = pdf.make_stream(b"28 0 0 28 0 0 cm /Scan Do")
    file = io.BytesIO()
    pdf.save(file)
    return file.getvalue()


def by_pikepdf(file: bytes) -> np.ndarray:
    """Return the greys of the picture that pikepdf takes out of the page."""
    with pikepdf.open(io.BytesIO(file)) as pdf:
        image = pikepdf.PdfImage(pdf.pages[0].Resources.XObject.Scan).as_pil_image()
    return np.asarray(image.convert("L"))


def as_drawn(file: bytes) -> np.ndarray:
    """Return the greys that PDFium draws for the page."""
    return np.asarray(pypdfium2.PdfDocument(file)[0].render(scale=1).to_pil().convert("L"))


print("versions:", *(f"{name} {version(name)}" for name in ("pikepdf", "pillow", "pypdfium2")))
print("guess: the picture has the two greys of the palette, as in the page that is drawn")
for base, bits, greys, is_right in (
    (Name.DeviceGray, 1, (0, 255), False),
    (Name.DeviceGray, 1, (64, 240), False),
    (Name.DeviceGray, 1, (255, 0), True),
    (Name.DeviceGray, 8, (0, 255), True),
    (Name.DeviceRGB, 1, (0, 255), True),
):
    file = scan(base, bits, greys)
    seen = by_pikepdf(file)
    right = np.array(greys)[DIGIT]
    assert (as_drawn(file) == right).all(), "PDFium draws another page now"
    print(f"seen: {base}, {bits} bits, palette {greys}:", *np.unique(seen), end="; ")
    print("right" if (seen == right).all() else f"{(seen != right).sum()} pixels wrong")
    expected = right if is_right else np.where(DIGIT, 0, greys[0])
    assert (seen == expected).all(), "it reads other greys now"
PYTHON
