"""What the page says, and what is shipped, agree with the program.

Those that want `shipped_model` are about the shipped weights, and are skipped once a training has
replaced them, or the network is another.
"""

import os
import re
import subprocess
import sys
import tomllib
from unittest.mock import Mock

import pytest
import torch
import torchvision

import mnist_classifier as mc
from experiments import draw_pictures
from mnist_classifier import Config
from tests.conftest import ROOT, start
from tests.drawn_digits import draw_digits

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The blocks of code in this language on the page."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


def test_the_page_sets_up_trains_and_tests_in_one_block_each():
    setup = "python3 -m venv .venv\n.venv/bin/pip install -r requirements.txt\n.venv/bin/python "
    assert blocks("sh")[:2] == [setup + "mnist_classifier.py\n", setup + "-m pytest\n"]


def test_the_page_does_the_same_on_windows():
    setup = "py -m venv .venv\n.venv\\Scripts\\python -m pip install -r requirements.txt\n"
    run = ".venv\\Scripts\\python "
    assert blocks("bat") == [f"{setup}{run}mnist_classifier.py\n{run}-m pytest\n"]


def test_the_program_carries_the_dependencies_of_requirements_txt():
    code = (ROOT / "mnist_classifier.py").read_text(encoding="utf-8")
    lines = re.search(r"^# /// script\n(.*?)^# ///$", code, re.MULTILINE | re.DOTALL)[1]
    metadata = tomllib.loads(re.sub("^# ", "", lines, flags=re.MULTILINE))
    required = (ROOT / "requirements.txt").read_text(encoding="ascii").split()
    assert metadata["dependencies"] == [line for line in required if not line.startswith("pytest")]
    oldest = metadata["requires-python"].removeprefix(">=")
    assert f"Python {oldest} or later" in README


def test_the_page_has_every_option_with_the_default_of_the_program(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        mc.main(["--help"])
    options = {*re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)} - {"--help"}
    rows = dict(re.findall(r"^\| `(--[a-z-]+)[^|]*\| `?([^|`]*)", README, re.MULTILINE))
    args = vars(mc.parse_args([])) | {"threads": "half of the processors", "evaluate": "off"}
    for option in options:
        assert rows[option].strip() == str(args[option[2:].replace("-", "_")]), option


def python_block(word: str) -> str:
    """The block of Python on the page that has this word in it."""
    (block,) = [block for block in blocks("python") if word in block]
    return block


def short_config(**settings: float) -> mc.Config:
    return Config(**settings | {"epochs": 2, "batch_size": 16})


def test_the_page_trains_in_a_notebook(monkeypatch):
    digits = draw_digits(40, seed=1)
    monkeypatch.setattr(mc, "load_mnist", lambda folder: (digits, digits))
    monkeypatch.setattr(mc, "Config", short_config)
    threads = torch.get_num_threads()
    scope: dict = {}
    try:
        exec(python_block("load_mnist"), scope)
        assert torch.get_num_threads() == mc.default_threads()
    finally:
        torch.set_num_threads(threads)
    assert len(scope["history"]) == 2


def test_the_page_trains_on_another_data_set(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def fashion(folder: str, train: bool, download: bool) -> Mock:
        digits = draw_digits(200 if train else 20, seed=2)
        return Mock(data=digits.images.squeeze(1), targets=digits.labels)

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", fashion)
    monkeypatch.setattr(mc, "Config", short_config)
    trained_with: list[mc.Digits] = []

    def train_epoch(*args: object) -> mc.Score:
        trained_with.extend(a for a in args if isinstance(a, mc.Digits))
        return mc.Score(1.0, 0.5)

    monkeypatch.setattr(mc, "train_epoch", train_epoch)
    code = python_block("FashionMNIST")
    assert len(code.splitlines()) <= 8
    scope: dict = {}
    exec(code, scope)
    assert len(scope["history"]) == 2
    assert isinstance(scope["model"], mc.SmallCNN)
    assert torch.equal(trained_with[0].images, draw_digits(200, seed=2).images)  # without flags


def program_blocks() -> list[str]:
    """The blocks of code on the page that are lines to put into the program."""
    return [block for block in blocks("") if "average.model" in block or "OneCycleLR" in block]


def test_the_names_in_the_lines_for_a_change_are_those_of_the_program():
    names = {*vars(mc), *mc.train.__code__.co_varnames, *dir(mc.Config), *dir(torch.Tensor)}
    names |= {*dir(mc.Digits), *mc.Digits.__annotations__, "dim"}
    names |= {"model", "steps", "rates", "optim", "lr_scheduler", "OneCycleLR", "total_steps"}
    lines = "".join(program_blocks())
    assert "OneCycleLR" in lines
    assert {*re.findall(r"[A-Za-z_]+", lines)} - names == set()


def test_the_page_links_to_what_is_there():
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_no_module_hides_one_of_the_standard_library():
    """A file that is started by its path has its folder before the standard library."""
    modules = {path.stem for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    assert "reader" in modules
    assert modules & sys.stdlib_module_names == set()


def test_the_tests_have_the_same_names_each_time():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    collected = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        output = subprocess.check_output(command, text=True, cwd=ROOT, env=environment)
        collected.append([line for line in output.splitlines() if "::" in line])
    assert len(collected[0]) > 300
    assert collected[0] == collected[1]


def test_the_accuracy_of_the_shipped_weights_is_the_one_of_the_page(shipped_model):
    accuracy = (ROOT / mc.ACCURACY_FILE).read_text(encoding="ascii")
    assert float(accuracy) >= 99.40
    assert f"Accuracy: {accuracy}%\nTraining completed!" in README


def test_the_page_states_the_size_of_the_network_and_of_its_layers(shipped_model):
    parameters = mc.count_parameters(shipped_model)
    assert f"**{parameters:,}**" in README
    assert f"Total trainable parameters: {parameters}" in README
    table = README[README.index("| layer | output |") :].split("\n\n")[0].replace(",", "")
    cells = [row.split("|")[3] for row in table.splitlines()[2:]]
    numbers = [int(number) for cell in cells for number in re.findall(r"\d+", cell)]
    assert sum(numbers) == parameters


def test_the_page_shows_what_the_reader_prints(shipped_model):
    with start(["-m", "digit_reader", "tests/photo_of_a_5.jpg"], text=True) as process:
        out, err = process.communicate()
    assert err == ""
    assert f"$ python -m digit_reader tests/photo_of_a_5.jpg\n{out}" in README


def test_what_a_run_leaves_is_not_committed_by_accident():
    ignored = {*(ROOT / ".gitignore").read_text(encoding="ascii").splitlines()}
    assert {"data/", "/history.csv", "/mistakes.png", "/settings.json", ".venv/"} <= ignored
    assert "new-results-*/" in ignored
    assert not any(name in line for line in ignored for name in (mc.WEIGHTS_FILE, mc.ACCURACY_FILE))


def test_the_curve_is_not_drawn_over_when_there_are_no_runs(tmp_path):
    curve = ROOT / ".github" / "error_by_epoch.png"
    before = curve.read_bytes()
    with pytest.raises(SystemExit, match="there are no"):
        draw_pictures.main(["error", f"--runs={tmp_path}"])
    assert curve.read_bytes() == before
