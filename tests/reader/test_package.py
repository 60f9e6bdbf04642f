"""The package as a whole: what importing it and reading with it leave alone."""

import io
import re
import warnings
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

import digit_reader
from digit_reader import read_digit
from tests.conftest import ROOT, start
from tests.drawn_digits import SegmentReader
from tests.reader.sevens import draw_seven

IMPORT = """
import sys, warnings
import torch
state = torch.get_rng_state()
threads = torch.get_num_threads()
filters = list(warnings.filters)
import digit_reader.__main__
assert torch.equal(torch.get_rng_state(), state)
assert torch.get_num_threads() == threads
assert warnings.filters == filters
assert "torchvision" not in sys.modules  # a second, and 170 MB
"""


def test_importing_does_nothing():
    with start(["-c", IMPORT], text=True) as process:
        assert process.communicate() == ("", "")
    assert process.returncode == 0


def test_each_step_imports_only_from_those_before_it():
    steps = re.findall(r"^    (\w+)\.py ", digit_reader.__doc__, re.MULTILINE)
    before = [steps.pop()]  # geometry, which all may use
    for name in [*before, *steps, "reader", "page", "drawing"]:
        code = (ROOT / "digit_reader" / f"{name}.py").read_text(encoding="utf-8")
        imported = set(re.findall(r"\bdigit_reader\.(\w+)", code))
        assert imported <= set(before), name
        before.append(name)
    modules = {path.stem for path in (ROOT / "digit_reader").glob("[a-z]*.py")}
    assert modules == {*steps, "geometry", "reader", "page", "drawing"}


def test_reading_on_many_threads_leaves_the_filters_of_warnings_alone(monkeypatch):
    seen = []
    load = Image.Image.load

    def watched(picture: Image.Image) -> object:
        seen.append(list(warnings.filters))
        return load(picture)

    draw_seven().save(file := io.BytesIO(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")
    odd = file.getvalue()  # Pillow warns of its EXIF data
    before = list(warnings.filters)
    monkeypatch.setattr(Image.Image, "load", watched)
    with ThreadPoolExecutor(8) as threads, warnings.catch_warnings(record=True):
        inside = list(warnings.filters)
        files = [io.BytesIO(odd) for _ in range(100)]
        readings = list(threads.map(lambda file: read_digit(file, SegmentReader()), files))
        assert warnings.filters == inside
    assert {reading.digit for reading in readings} == {7}
    assert seen
    assert all(filters == inside for filters in seen)
    assert list(warnings.filters) == before
