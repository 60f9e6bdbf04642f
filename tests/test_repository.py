"""What the page says, and what is shipped, agree with the program.

Those that want `shipped_model` are about the shipped weights, and are skipped once a training has
replaced them, or the network is another.
"""

import re
import runpy
import subprocess
import sys
import tomllib
from unittest.mock import Mock

import pytest
import torch
import torchvision

import digit_reader.__main__ as digit_reader
import mnist_classifier as mc
from mnist_classifier import Config
from tests.conftest import ROOT
from tests.drawn_digits import draw_digits

README = (ROOT / "README.md").read_text(encoding="utf-8")
DRAW_PICTURES = ROOT / "experiments" / "draw_pictures.py"


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


@pytest.mark.parametrize("name", ["mnist_classifier.py"])
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
        args = vars(mc.parse_args([])) | {"threads": "half of the processors", "evaluate": "off"}
        for option in options:
            assert rows[option].strip() == str(args[option[2:].replace("-", "_")]), option


def python_block(word: str) -> str:
    """The block of Python on the page that has this word in it."""
    (block,) = [block for block in blocks("python") if word in block]
    return block


def test_the_page_reads_a_digit_from_python(shipped_model, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(python_block("read_digit"), {})
    assert re.fullmatch(r"5 0\.9\d+\n|5 1\.0\n", capsys.readouterr().out)


def short_config(seed: int = 0) -> mc.Config:
    return Config(epochs=1, batch_size=16, seed=seed)


def test_the_page_tries_a_change_on_six_folds(monkeypatch, capsys):
    digits = draw_digits(60, seed=1)
    monkeypatch.setattr(mc, "load_mnist", lambda *_: (digits, digits))
    train = Mock(wraps=mc.train)
    monkeypatch.setattr(mc, "train", train)
    scope: dict = {}
    code = python_block("fold_of").replace("mc.Config(", "short_config(")
    exec(code, scope | {"short_config": short_config})
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error %")]
    assert len(lines) == 6
    sizes = [(len(call.args[1].labels), len(call.args[2].labels)) for call in train.mock_calls]
    assert sizes == [(50, 10)] * 6
    judged = torch.cat([call.args[2].images for call in train.mock_calls])
    assert torch.equal(judged, digits.images)


def test_the_page_trains_on_another_data_set(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def fashion(folder: str, train: bool, download: bool) -> Mock:
        images, labels = draw_digits(40 if train else 20, seed=2)
        return Mock(data=images.squeeze(1), targets=labels)

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", fashion)
    monkeypatch.setattr(mc, "Config", short_config)
    code = python_block("FashionMNIST")
    assert len(code.splitlines()) <= 8
    scope: dict = {}
    exec(code, scope)
    assert len(scope["history"]) == 1
    assert isinstance(scope["model"], mc.SmallCNN)


def test_the_page_sums_up_ten_seeds(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for seed, accuracy in enumerate(("99.60", "99.66", "99.63")):
        (tmp_path / "runs" / str(seed)).mkdir(parents=True)
        (tmp_path / "runs" / str(seed) / "test_accuracy.txt").write_text(accuracy, "ascii")
    code = re.search(r'python -c "\n(.*?)^"', blocks("sh")[2], re.MULTILINE | re.DOTALL)[1]
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    expected = "n 3, mean 99.630, standard deviation 0.030, worst 99.6, best 99.66\n"
    assert result.stdout == expected


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
