"""The table of runtimes: its arithmetic, and the runtimes that need no other packages."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import mnist_classifier as mc
from elsewhere import measure, runtimes
from elsewhere.runtimes import Program, numpy_by_hand, torch_half
from tests.conftest import ROOT, assert_one_line
from tests.drawn_digits import draw_digits

PAGE = (ROOT / "elsewhere" / "README.md").read_text(encoding="utf-8")


def test_answers_are_compared_with_those_of_torch():
    digits = draw_digits(measure.MANY, seed=1)
    right = torch.eye(10)[digits.labels].numpy()
    others = right.copy()
    others[0] = np.roll(right[0], 1) * 3
    cells = measure.cells_of_answers(
        Program("torch", 0, lambda images: right), Program("x", 0, lambda images: others), digits
    )
    assert cells == ["1", "99.90%", "3"]


def test_times_are_shares_of_the_median_in_torch():
    seconds = {"torch": 0.0, "x": 0.0}
    calls = {"torch": 0, "x": 0}

    def program(name: str, cost: float) -> Program:
        def run(images):
            calls[name] += 1
            seconds[name] += 100 if calls[name] == 1 else cost * len(images)  # the first is slow
            return np.zeros((len(images), 10), np.float32)

        return Program(name, 0, run, lambda: seconds[name])

    images = np.zeros((measure.MANY, 1, 28, 28), np.float32)
    cells = measure.cells_of_times(program("torch", 2), program("x", 1), images, rounds=3)
    assert cells == ["0.5", "0.5"]
    assert calls == {"torch": 3 * (measure.SINGLE + 1), "x": 3 * (measure.SINGLE + 1)}


def test_the_network_by_hand_is_the_network(tmp_path):
    torch.manual_seed(0)
    model = mc.SmallCNN()
    model(torch.rand(20, 1, 28, 28))  # BatchNorm has statistics of its own then
    images = torch.rand(5, 1, 28, 28)
    expected = mc.compute_logits(model, images)
    (program,) = numpy_by_hand.programs(model, images, tmp_path)
    torch.testing.assert_close(torch.tensor(program.run(images.numpy())), expected)
    for program in torch_half.programs(model, images, tmp_path):
        others = torch.tensor(program.run(images.numpy()))
        torch.testing.assert_close(others, expected, atol=0.1, rtol=0)
        assert others.dtype == torch.float32


def test_a_runtime_of_single_images_gets_each():
    run = runtimes.one_by_one(lambda image: image.sum(axis=(2, 3)))
    assert run(np.ones((3, 1, 28, 28), np.float32)).tolist() == [[784.0]] * 3


def test_an_environment_sees_the_packages_of_this_one(tmp_path):
    python = measure.make_environment(tmp_path / "venv", [])
    code = "import sys, torch; print(sys.prefix)"
    output = subprocess.check_output([python, "-c", code], text=True)
    assert Path(output.strip()).resolve() == (tmp_path / "venv").resolve()
    assert sys.prefix != output.strip()


def test_each_runtime_has_a_module_and_a_place_on_the_page():
    modules = {path.stem for path in Path(runtimes.__file__).parent.glob("[a-z]*.py")}
    assert modules == set(measure.PACKAGES)
    assert {*re.findall(r"runtimes/(\w+)\.py", PAGE)} == modules


def test_an_unknown_runtime_is_refused(capsys):
    with pytest.raises(SystemExit, match="^2$"):
        measure.parse_args(["tensorrt"])
    assert_one_line(capsys.readouterr().err, "tensorrt")
