"""Hundreds of broken, hostile and odd files for --predict."""

import io
import os
import random
import re
import struct
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import PROGRAM, start
from tests.test_pictures import draw_seven

KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "ICO", "TGA", "PPM", "PCX", "JPEG2000")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "LAB")


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(10_000_000), 9)
    chunks = (header, data, b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks
    )


def damaged_files(rng: random.Random) -> dict[str, bytes]:
    """Files of common formats, cut off or with bytes changed, anywhere."""
    files = {}
    for kind in KINDS:
        whole = encode(draw_seven("RGB", "white", "black", size=(64, 160)), kind)
        for i in range(12):
            files[f"cut-{i}.{kind}"] = whole[: rng.randrange(len(whole))]
            flipped = bytearray(whole)
            region = min(len(whole), rng.choice((40, 10**9)))  # the header, or anywhere
            for _ in range(rng.choice((1, 3, 30))):
                flipped[rng.randrange(region)] = rng.randrange(256)
            files[f"flipped-{i}.{kind}"] = bytes(flipped)
    return files


def odd_files(rng: random.Random) -> dict[str, bytes]:
    files = {
        "bomb.png": png_that_claims(50_000, 50_000),
        "just too large.png": encode(Image.new("1", (10_001, 10_000)), "PNG"),
        "bomb.gif": b"GIF89a" + struct.pack("<HHBBB", 50_000, 50_000, 0, 0, 0) + b"\x3b",
        "bomb.bmp": b"BM" + bytes(12) + struct.pack("<IiiHH24x", 40, 50_000, 50_000, 1, 24),
        "empty.png": b"",
        "text.jpg": b"a five, written with care",
        "noise.bin": rng.randbytes(5000),
        "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n{} loop\n",
        "vector.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "dot.png": encode(Image.new("L", (1, 1), 99), "PNG"),
        "long.png": encode(Image.new("L", (1, 10_000), 99), "PNG"),
        "wide.png": encode(Image.new("RGB", (10_000, 1), "red"), "PNG"),
        "noise.png": encode(Image.frombytes("RGB", (200, 100), rng.randbytes(60_000)), "PNG"),
    }
    for mode in MODES:
        for name, size in (("black", (90, 90)), ("line", (1, 300)), ("dot", (2, 1))):
            files[f"{name}-{mode}.tiff"] = encode(Image.new(mode, size), "TIFF")
    return files


def good_files() -> dict[str, bytes]:
    seven = draw_seven()
    clear = draw_seven("RGBA", (9, 9, 9, 0), (0, 0, 0, 255))
    frames = [Image.new("L", (200, 160), shade) for shade in (255, 0)]
    return {
        "plain.png": encode(seven, "PNG"),
        "-dash.png": encode(seven, "PNG"),
        "line\nfeed \x1b[31m.png": encode(seven, "PNG"),
        "caf\udce9.png": encode(seven, "PNG"),  # the byte E9, which is not UTF-8
        "cmyk.jpg": encode(seven.convert("CMYK"), "JPEG"),
        "20 megapixels.png": encode(clear.resize((5_000, 4_000)), "PNG", compress_level=1),
        "48 megapixels.jpg": encode(seven.resize((8_000, 6_000)), "JPEG", quality=70),
        "palette.gif": encode(seven.convert("P"), "GIF"),
        "16-bit.png": encode(draw_seven("I;16", 60_000, 0), "PNG"),
        "32-bit.tiff": encode(draw_seven("I", 2_000_000, 5), "TIFF"),
        "animated.gif": encode(seven, "GIF", save_all=True, append_images=frames),
    }


def write_what_can_be(folder: Path, files: dict[str, bytes]) -> list[str]:
    """Write `files`; return the names of those that this system allows."""
    written = []
    for name, content in files.items():
        try:
            (folder / name).write_bytes(content)
            written.append(os.path.join(".", name))
        except (OSError, UnicodeError):  # macOS wants UTF-8, Windows no line feed in a name
            pass
    return written


def test_hundreds_of_bad_files_do_no_harm_and_the_good_ones_are_answered(tmp_path, finished_run):
    rng = random.Random(0)
    good = write_what_can_be(tmp_path, good_files())
    bad = write_what_can_be(tmp_path, damaged_files(rng) | odd_files(rng))
    (tmp_path / "folder").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        bad.append(os.path.join(".", "pipe"))
    names = [*good, *bad, "folder"]
    rng.shuffle(names)
    assert len(names) > 300

    options = [f"--output-dir={finished_run}", "--predict", *names]
    process = start([PROGRAM, *options], cwd=tmp_path, text=True, encoding="utf-8")
    out, err = process.communicate(timeout=300)
    answers = out.splitlines()
    pattern = r"\.[/\\][^\t]+\t\d\t[01]\.\d{4}\t(unsure)?"
    assert [line for line in answers if not re.fullmatch(pattern, line)] == []
    errors = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert [line for line in errors if not re.match(r"error: (\.[/\\]|folder: )", line)] == []
    assert len(answers) + len(errors) == len(names)
    for name in good:
        assert f"{''.join(c if c.isprintable() else '?' for c in name)}\t7\t" in out
    for name in ("bomb.png", "bomb.gif", "bomb.bmp", "text.jpg", "black-L.tiff"):
        assert f"error: {os.path.join('.', name)}: " in err
    assert "script.eps: is a program" in err
    resource = pytest.importorskip("resource", reason="the peak of memory is not known here")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the hungriest child
    assert peak * (1 if sys.platform == "darwin" else 1024) < 1e9
