"""What the page says, and what is shipped, agree with the program.

Those that want `shipped_model` are about the shipped weights, and are skipped once a training has
replaced them, or the network is another.
"""

import re
import runpy
import sys
import tomllib

import pytest

import digit_reader
import mnist_classifier as mc
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
DRAW_PICTURES = ROOT / ".github" / "draw_pictures.py"


def blocks(language: str) -> list[str]:
    """The blocks of code in this language on the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_page_sets_up_trains_and_tests_in_one_block_each():
    setup = "python3 -m venv .venv\n.venv/bin/pip install -r requirements.txt\n.venv/bin/python "
    assert blocks("sh")[:2] == [setup + "mnist_classifier.py\n", setup + "-m pytest\n"]


def test_the_page_does_the_same_on_windows():
    setup = "py -m venv .venv\n.venv\\Scripts\\python -m pip install -r requirements.txt\n"
    run = ".venv\\Scripts\\python "
    assert blocks("bat")[:2] == [setup + run + "mnist_classifier.py\n", setup + run + "-m pytest\n"]


@pytest.mark.parametrize("name", ["mnist_classifier.py", "digit_reader.py"])
def test_each_program_carries_the_dependencies_of_requirements_txt(name):
    code = (ROOT / name).read_text(encoding="utf-8")
    lines = re.search(r"^# /// script\n(.*?)^# ///$", code, re.MULTILINE | re.DOTALL)[1]
    metadata = tomllib.loads(re.sub("^# ", "", lines, flags=re.MULTILINE))
    required = (ROOT / "requirements.txt").read_text(encoding="ascii").split()
    assert metadata["dependencies"] == [line for line in required if not line.startswith("pytest")]
    oldest = metadata["requires-python"].removeprefix(">=")
    assert f"Python {oldest} or later" in README


@pytest.mark.parametrize("program", [mc, digit_reader])
def test_the_page_has_every_option_with_the_default_of_the_program(program, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        program.main(["--help"])
    options = {*re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)} - {"--help"}
    rows = dict(re.findall(r"^\| `(--[a-z-]+)[^|]*\| `?([^|`]*)", README, re.MULTILINE))
    assert options <= rows.keys()
    if program is mc:
        args = mc.parse_args([])
        for option in ("--epochs", "--batch-size", "--lr", "--seed", "--device", "--data-dir"):
            value = getattr(args, option.removeprefix("--").replace("-", "_"))
            assert rows[option].strip() == str(value), option


def test_the_accuracy_of_the_shipped_weights_is_the_one_of_the_page(shipped_model):
    accuracy = (ROOT / mc.ACCURACY_FILE).read_text(encoding="ascii")
    assert float(accuracy) >= 99.40
    assert f"Accuracy: {accuracy}%\nTraining completed!" in README
    assert f"claims the same: {accuracy}" in README


def test_the_page_states_the_size_of_the_network_and_of_its_layers(shipped_model):
    parameters = mc.count_parameters(shipped_model)
    assert f"**{parameters:,}**" in README
    assert f"Total trainable parameters: {parameters}" in README
    table = README[README.index("| layer | output |") :].split("\n\n")[0].replace(",", "")
    total = 0
    for row in table.splitlines()[2:]:
        numbers = [int(number) for number in re.findall(r"\d+", row.split("|")[3])]
        if len(numbers) == 3:  # layers x (weights + BatchNorm)
            total += numbers[0] * (numbers[1] + numbers[2])
        else:
            total += sum(numbers)
    assert total == parameters


def test_the_page_shows_what_the_reader_prints(shipped_model, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    assert digit_reader.main(["tests/photo_of_a_5.jpg", "--preview"]) == 0
    out, err = capfd.readouterr()
    shown = README[README.index("tests/photo_of_a_5.jpg\t5\t") :].splitlines()
    assert shown[0][:-3] == out.rstrip("\n")[:-3]  # but for the last digits
    drawn = [line for line in err.splitlines()[1:] if line.strip()]
    pairs = zip("".join(drawn), "".join(shown[2 : 2 + len(drawn)]), strict=True)
    assert sum(a != b for a, b in pairs) < 10  # another JPEG decoder may round differently


def test_what_a_run_leaves_is_not_committed_by_accident():
    ignored = {*(ROOT / ".gitignore").read_text(encoding="ascii").splitlines()}
    assert {"data/", "/history.csv", "/mistakes.png", "/settings.json", ".venv/"} <= ignored
    assert "new-results-*/" in ignored
    assert not any(name in line for line in ignored for name in (mc.WEIGHTS_FILE, mc.ACCURACY_FILE))


def test_the_curve_is_not_drawn_over_when_there_are_no_runs(tmp_path, monkeypatch):
    curve = ROOT / ".github" / "error_by_epoch.png"
    before = curve.read_bytes()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["draw_pictures.py", "error"])
    with pytest.raises(SystemExit, match="there are no runs"):
        runpy.run_path(str(DRAW_PICTURES), run_name="__main__")
    assert curve.read_bytes() == before
