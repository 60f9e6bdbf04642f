"""Hundreds of broken, hostile and odd files for --predict."""

import io
import os
import random
import re
import struct
import sys

from PIL import Image, ImageOps

from tests.conftest import PROGRAM, start
from tests.test_pictures import draw_seven

# The program with the peak of its memory as a last line: KiB on Linux, elsewhere 0.
RUN = """import pathlib, sys; sys.path.insert(0, sys.argv.pop(1)); import mnist_classifier
code, status = mnist_classifier.main(sys.argv[1:]), pathlib.Path("/proc/self/status")
print(status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else 0)
assert "torchvision" not in sys.modules  # a second, and 170 MB
sys.exit(code)"""
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
        "lab.tiff": encode(Image.new("LAB", (90, 90)), "TIFF"),
    }


def good_files() -> dict[str, bytes]:
    seven = draw_seven()
    clear = Image.new("RGBA", (8_000, 7_500))
    clear.putalpha(ImageOps.invert(seven.resize(clear.size)))
    frames = [Image.new("L", (200, 160), shade) for shade in (255, 0)]
    hostile = ("line\nfeed \x1b[31m.png", "caf\udce9.png")  # E9 is not UTF-8
    return {
        **{name: encode(seven, "PNG") for name in hostile if sys.platform == "linux"},
        "plain.png": encode(seven, "PNG"),
        "-dash.png": encode(seven, "PNG"),
        "cmyk.jpg": encode(seven.convert("CMYK"), "JPEG"),
        "60 megapixels.png": encode(clear, "PNG", compress_level=1),
        "52 megapixels.jpg": encode(seven.resize((8_700, 6_000)), "JPEG", quality=70),
        "palette.gif": encode(seven.convert("P"), "GIF"),
        "16-bit.png": encode(draw_seven("I;16", 60_000, 0), "PNG"),
        "32-bit.tiff": encode(draw_seven("I", 2_000_000, 5), "TIFF"),
        "animated.gif": encode(seven, "GIF", save_all=True, append_images=frames),
    }


def test_hundreds_of_bad_files_do_no_harm_and_the_good_ones_are_answered(tmp_path, finished_run):
    rng = random.Random(0)
    good, bad = good_files(), damaged_files(rng) | odd_files(rng)
    for name, content in (good | bad).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    names = [os.path.join(".", name) for name in os.listdir(tmp_path)]
    rng.shuffle(names)
    assert len(names) > 280
    options = [f"--output-dir={finished_run}", "--predict", *names]
    command = ["-c", RUN, PROGRAM.parent, *options]
    process = start(command, cwd=tmp_path, text=True, encoding="utf-8")
    out, err = process.communicate(timeout=300)
    *answers, peak = out.splitlines()
    assert int(peak) * 1024 < 1e9
    assert process.returncode == 1
    pattern = r"\.[/\\][^\t]+\t\d\t[01]\.\d{4}\t(unsure)?"
    assert [line for line in answers if not re.fullmatch(pattern, line)] == []
    notes = [line for line in err.splitlines() if line.startswith("note: ")]
    assert [line for line in notes if "as large as a digit" not in line] == []  # none of Pillow's
    errors = [line for line in err.splitlines() if line not in notes]
    assert [line for line in errors if not re.match(r"error: \.[/\\]", line)] == []
    assert len(answers) + len(errors) == len(names)
    for name in good:
        assert f"{''.join(c if c.isprintable() else '?' for c in name)}\t7\t" in out
    for name in ("bomb.ppm", "bomb.gif", "bomb.bmp", "text.jpg", "lab.tiff"):
        assert f"error: {os.path.join('.', name)}: " in err
    assert "script.eps: EPS of more than 0 pixels is not read" in err
