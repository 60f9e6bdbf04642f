"""The page of the reader says what the reader does."""

import re

import pytest

from digit_reader import SURE
from digit_reader.__main__ import main
from digit_reader.picture import FORMATS, MAX_JPEG_PIXELS, MAX_PIXELS
from tests.conftest import ROOT, start

PAGE = (ROOT / "digit_reader" / "README.md").read_text(encoding="utf-8")


def test_the_page_has_every_option(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main(["--help"])
    options = {*re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)} - {"--help"}
    assert options == {*re.findall(r"^\| `(--[a-z-]+)`", PAGE, re.MULTILINE)}


def test_the_page_has_every_module():
    modules = {path.name for path in (ROOT / "digit_reader").glob("*.py")} - {"__init__.py"}
    assert modules == {*re.findall(r"^\| `(\w+\.py)`", PAGE, re.MULTILINE)}


def test_the_page_states_the_formats_and_the_limits():
    (line,) = [line for line in PAGE.splitlines() if line.startswith("- JPEG is read up to")]
    assert [
        name for name in FORMATS if name.replace("2000", " 2000").lower() not in line.lower()
    ] == []
    assert f"JPEG is read up to {MAX_JPEG_PIXELS // 10**6} million pixels" in line
    assert f"up to {MAX_PIXELS // 10**6} million." in line
    assert f"`unsure` if the probability is below {SURE}" in PAGE


def test_the_page_reads_a_digit_from_python(shipped_model):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    with start(["-c", code], text=True) as process:
        out, err = process.communicate()
    assert re.fullmatch(r"5 (0\.9\d+|1\.0) True\n", out), err


def test_the_page_shows_what_the_reader_prints(shipped_model, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    assert main(["tests/photo_of_a_5.jpg", "--preview"]) == 0
    out, err = capfd.readouterr()
    shown = PAGE[PAGE.index("tests/photo_of_a_5.jpg\t5\t") :].splitlines()
    assert shown[0][:-3] == out.rstrip("\n")[:-3]  # but for the last digits
    drawn = [line for line in err.splitlines()[1:] if line.strip()]
    pairs = zip("".join(drawn), "".join(shown[2 : 2 + len(drawn)]), strict=True)
    assert sum(a != b for a, b in pairs) < 10  # another JPEG decoder may round differently
