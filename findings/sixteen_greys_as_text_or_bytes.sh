#!/usr/bin/env bash
# OpenCV reads the same PGM of 16 grey levels in two ways: with its numbers as text (P2), white is
# 255; as bytes (P5), white is 15, so that a digit is black on black. The format says that the
# maximum which the header names is white. This is so for all maxima below 255.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    opencv-python-headless==5.0.0.93 numpy==2.4.6 pillow==13.0.0

"$folder/venv/bin/python" - <<'PYTHON'
import io
from importlib.metadata import version

import cv2
import numpy as np
from PIL import Image


def pgm_files(white: int) -> tuple[bytes, bytes]:
    """Return black, the middle and `white` as a PGM of one row: as text, and as bytes."""
    levels = [0, white // 2, white]
    head = f"3 1\n{white}\n"
    text = f"P2\n{head}" + " ".join(map(str, levels)) + "\n"
    return text.encode(), f"P5\n{head}".encode() + bytes(levels)


def by_opencv(file: bytes) -> list[int]:
    """Return the levels that OpenCV reads."""
    return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_GRAYSCALE).ravel().tolist()


def by_pillow(file: bytes) -> list[int]:
    """Return the levels that Pillow reads."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("L")).ravel().tolist()


print("versions: OpenCV", cv2.__version__, "Pillow", version("pillow"))
print("guess: text and bytes with the same numbers are the same picture")
for white in (15, 16, 255):
    text, binary = pgm_files(white)
    print(f"seen: white is {white} in the file")
    print("  Pillow, text and bytes:", by_pillow(text), by_pillow(binary))
    print("  OpenCV, text and bytes:", by_opencv(text), by_opencv(binary))
    assert by_pillow(text) == by_pillow(binary), "Pillow reads them differently now"
    assert by_opencv(text)[2] == 255, "OpenCV reads another white from text now"
    assert by_opencv(binary) == [0, white // 2, white], "OpenCV scales bytes as well now"
PYTHON
