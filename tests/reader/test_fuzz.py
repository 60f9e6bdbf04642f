"""Hundreds of broken, hostile and odd files for the reader."""

import io
import os
import random
import re
import struct
import sys

import pytest
from PIL import Image, ImageOps

from tests.conftest import start
from tests.reader.sevens import draw_seven

MEMORY = 400_000_000  # bytes: what the largest of these pictures may need beyond a tiny one
# The reader, with a limit of memory. What a process has mapped says little about that: right after
# torch was installed, more of its files are in memory. So the limit is on what it allocates.
RUN = """
import sys, pathlib
from digit_reader import __main__ as program
from tests.drawn_digits import SegmentReader
program.load_model = lambda path: SegmentReader()
memory, tiny, *names = sys.argv[1:]
assert program.main([tiny]) == 0
if sys.platform == "linux":
    import resource
    allocated = pathlib.Path("/proc/self/status").read_text().split("VmData:")[1].split()[0]
    limit = int(allocated) * 1024 + int(memory)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
code = program.main(names)
assert "torchvision" not in sys.modules  # a second, and 170 MB
sys.exit(code)
"""
NOTES = r"things are as large as a digit|(page|frame) \d+ of \d+ is read"
KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "ICO", "TGA", "PPM", "PCX", "JPEG2000")


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def damaged_files(rng: random.Random) -> dict[str, bytes]:
    """Files of common formats, cut off or with bytes changed, in the header or anywhere."""
    files = {}
    for kind in KINDS:
        whole = encode(draw_seven("RGB", "white", "black", size=(64, 160)), kind)
        for i in range(12):
            files[f"cut-{i}.{kind}"] = whole[: rng.randrange(len(whole))]
            flipped = bytearray(whole)
            for _ in range(rng.choice((1, 3, 30))):
                flipped[rng.randrange(rng.choice((40, len(whole))))] = rng.randrange(256)
            files[f"flipped-{i}.{kind}"] = bytes(flipped)
    return files


def odd_files(rng: random.Random) -> dict[str, bytes]:
    return {
        "bomb.ppm": b"P6 50000 50000 255\n",
        "just too large.png": encode(Image.new("1", (8_000, 5_001)), "PNG"),
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
        "lab.tiff": encode(Image.new("LAB", (90, 90)), "TIFF"),
    }


def good_files() -> dict[str, bytes]:
    seven = draw_seven()
    clear = Image.new("RGBA", (8_000, 5_000))
    clear.putalpha(ImageOps.invert(seven.resize(clear.size)))
    frames = [Image.new("L", (200, 160), shade) for shade in (255, 0)]
    hostile = ("line\nfeed \x1b[31m.png", "caf\udce9.png")  # E9 is not UTF-8
    return {
        **{name: encode(seven, "PNG") for name in hostile if sys.platform == "linux"},
        "plain.png": encode(seven, "PNG"),
        "-dash.png": encode(seven, "PNG"),
        "cmyk.jpg": encode(seven.convert("CMYK"), "JPEG"),
        "40 megapixels.png": encode(clear, "PNG", compress_level=1),
        "52 megapixels.jpg": encode(seven.resize((8_700, 6_000)), "JPEG", quality=70),
        "palette.gif": encode(seven.convert("P"), "GIF"),
        "16-bit.png": encode(draw_seven("I;16", 60_000, 0), "PNG"),
        "32-bit.tiff": encode(draw_seven("I", 2_000_000, 5), "TIFF"),
        "animated.gif": encode(seven, "GIF", save_all=True, append_images=frames),
    }


@pytest.mark.slow
def test_hundreds_of_bad_files_do_no_harm_and_the_good_ones_are_answered(tmp_path):
    rng = random.Random(0)
    good = good_files()
    files = good | damaged_files(rng) | odd_files(rng)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    names = [os.path.join(".", name) for name in os.listdir(tmp_path)]
    rng.shuffle(names)
    assert len(names) > 280
    command = ["-c", RUN, MEMORY, os.path.join(".", "plain.png"), *names]
    process = start(command, cwd=tmp_path, text=True, encoding="utf-8")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, err[-1000:]
    _, *answers = out.splitlines()
    lines = err.splitlines()
    notes = [line for line in lines if line.startswith("note: ")]
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(notes) + len(errors) == len(lines), "Pillow's warnings, or a traceback"
    assert [line for line in notes if not re.search(NOTES, line)] == []
    pattern = r"\.[/\\][^\t]+\t\d\t[01]\.\d{4}\t(unsure)?"
    assert [line for line in answers if not re.fullmatch(pattern, line)] == []
    assert len(answers) + len(errors) == len(names)
    for name in good:
        shown = "".join(c if c.isprintable() else "?" for c in name)
        assert f"{shown}\t7\t" in out, shown
    for name in ("bomb.ppm", "bomb.gif", "bomb.bmp", "text.jpg", "lab.tiff", "script.eps"):
        assert f"error: {os.path.join('.', name)}: " in err
