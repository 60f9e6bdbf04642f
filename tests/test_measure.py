"""The table of runtimes: its arithmetic, and the runtimes that need no other packages."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import mnist_classifier as mc
from elsewhere import measure, runtimes
from elsewhere.runtimes import Program, numpy_by_hand, torch_half
from tests.conftest import ROOT, assert_one_line
from tests.drawn_digits import draw_digits

UNUSED = Program("unused", 0, None)
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


def test_without_rounds_there_are_no_times():
    assert measure.cells_of_times(UNUSED, UNUSED, np.zeros(0), rounds=0) == ["", ""]


def test_a_slow_runtime_is_compared_on_fewer_images():
    digits = draw_digits(2 * measure.MANY + 5, seed=1)
    given = []

    def run(images):
        given.append(len(images))
        return np.zeros((len(images), 10), np.float32)

    program = Program("x", 0, run, most=2 * measure.MANY)
    zeros = (digits.labels[: 2 * measure.MANY] == 0).float().mean()
    assert measure.cells_of_answers(program, program, digits) == ["0", f"{zeros:.2%}", "0"]
    assert given == [measure.MANY] * 4


@pytest.fixture
def runtime(monkeypatch) -> ModuleType:
    """A module that is known as the runtime `fake`; a test gives it its function `programs`."""
    module = ModuleType("fake")
    monkeypatch.setitem(sys.modules, "elsewhere.runtimes.fake", module)
    monkeypatch.setitem(measure.PACKAGES, "fake", ("fake==1.2",))
    return module


@pytest.mark.parametrize("option", [[], ["--weights=weights.pth"]])
def test_each_program_of_a_runtime_gets_a_row(option, runtime, tmp_path, monkeypatch, capsys):
    train_set, test_set = draw_digits(1500, seed=1), draw_digits(2 * measure.MANY, seed=2)
    monkeypatch.setattr(mc, "load_mnist", lambda folder: (train_set, test_set))
    monkeypatch.chdir(tmp_path)
    for name in ("weights.pth", "found.pth"):
        torch.save(mc.SmallCNN().state_dict(), name)
    monkeypatch.setattr(mc, "find_weights", lambda: Path("found.pth"))
    expected = mc.load_model(Path("weights.pth" if option else "found.pth"))
    threads = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)

    def programs(model, images, folder):
        assert torch.equal(model.head.weight, expected.head.weight)
        assert torch.equal(images, train_set.scaled(slice(1000)))
        assert (folder.is_dir(), [*folder.iterdir()]) == (True, [])
        yield Program("fast", 1234, lambda images: mc.compute_logits(model, torch.tensor(images)))
        yield Program("slow", 1, lambda images: np.eye(10)[[3] * len(images)], most=measure.MANY)
        yield Program("not run", 56, None)

    runtime.programs = programs
    assert measure.main(["fake", "--here", "--rounds=1", *option]) == 0
    logits = mc.compute_logits(expected, test_set.scaled())
    accuracy = f"{(logits.argmax(dim=1) == test_set.labels).float().mean():.2%}"
    fast, slow, not_run = capsys.readouterr().out.splitlines()
    assert fast.startswith(f"| fast | 1,234 | 0 | {accuracy} | 0 | ")
    assert len([float(ratio) for ratio in fast.strip("| ").split(" | ")[5:]]) == 2
    threes = (test_set.labels[: measure.MANY] == 3).float().mean()
    assert (slow.split(" | ")[3], slow.split(" | ")[5:]) == (f"{threes:.2%}", ["", " |"])
    assert not_run == "| not run | 56 |"
    assert threads == [1]


def test_a_runtime_is_measured_in_its_environment(runtime, monkeypatch):
    calls = []
    monkeypatch.setattr(measure, "make_environment", lambda folder, packages: packages[0])
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: calls.append((args, options)))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    measure.measure_elsewhere("fake", ["--rounds=3"])
    (((command,), options),) = calls
    assert command == ["fake==1.2", "-m", "elsewhere.measure", "fake", "--here", "--rounds=3"]
    assert options == {"check": True, "env": os.environ | {"OMP_NUM_THREADS": "1"}}


def test_packages_are_installed_by_the_pip_of_the_environment(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(measure.venv, "create", lambda folder, with_pip: None)
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: None)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: calls.append((args, options)))
    python = measure.make_environment(tmp_path, ["a==1", "b==2"])
    (((command,), options),) = calls
    assert command[:4] == [python, "-m", "pip", "install"]
    assert (command[-2:], options) == (["a==1", "b==2"], {"check": True})


def test_what_fails_is_told_after_the_others(monkeypatch, capsys):
    measured = []

    def measure_elsewhere(name, options):
        measured.append((name, options))
        if name in ("lite_rt", "torch_half"):
            raise subprocess.CalledProcessError(1, "x")

    downloaded = []
    monkeypatch.setattr(mc, "load_mnist", downloaded.append)
    monkeypatch.setattr(measure, "measure_elsewhere", measure_elsewhere)
    assert measure.main(["--rounds=2", "--data-dir=~/x", "--weights=~/w"]) == 1
    home = Path.home()
    options = [f"--data-dir={home / 'x'}", "--rounds=2", f"--weights={home / 'w'}"]
    assert measured == [(name, options) for name in measure.PACKAGES]
    assert downloaded == [home / "x"]
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 2
    assert_one_line(output.err, "not measured: lite_rt, torch_half")

    assert measure.main(["open_vino"]) == 0
    assert measured[-1] == ("open_vino", ["--data-dir=data", "--rounds=5"])


@pytest.mark.parametrize("activation", [torch.nn.Hardswish, torch.nn.ReLU])
def test_the_network_by_hand_is_the_network(activation, tmp_path):
    torch.manual_seed(0)
    model = mc.SmallCNN()
    for place in (2, 5, 8, 11):
        model.features[place] = activation()
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
    code = "import sys, pip, torch; print(sys.prefix); print(pip.__file__)"
    output = subprocess.check_output([python, "-c", code], text=True)
    prefix, pip = (Path(line).resolve() for line in output.splitlines())
    assert prefix == (tmp_path / "venv").resolve() != Path(sys.prefix).resolve()
    assert pip.is_relative_to(prefix)


def test_each_runtime_has_a_module_and_a_place_on_the_page():
    modules = {path.stem for path in Path(runtimes.__file__).parent.glob("[a-z]*.py")}
    assert modules == set(measure.PACKAGES)
    assert {*re.findall(r"runtimes/(\w+)\.py", PAGE)} == modules


def test_less_than_no_rounds_are_refused(capsys):
    with pytest.raises(SystemExit):
        measure.main(["--rounds=-1"])
    assert_one_line(capsys.readouterr().err, "--rounds has to be 0 or more")


def test_a_runtime_that_fails_is_closed(runtime, monkeypatch):
    digits = draw_digits(1000, seed=1)
    monkeypatch.setattr(mc, "load_mnist", lambda folder: (digits, digits))
    monkeypatch.setattr(mc, "load_model", lambda path: mc.SmallCNN())
    closed = []

    def programs(model, images, folder):
        try:
            yield Program("broken", 0, lambda images: images[len(images)])
        finally:
            closed.append("closed")

    runtime.programs = programs
    with pytest.raises(IndexError):  # whose traceback holds on to the generator
        measure.main(["fake", "--here"])
    assert closed == ["closed"]


def test_an_unknown_runtime_is_refused(capsys):
    with pytest.raises(SystemExit, match="^2$"):
        measure.parse_args(["tensorrt"])
    assert_one_line(capsys.readouterr().err, "tensorrt")


def test_numbers_are_stored_as_integers_of_8_bits():
    parameters = {"scales": np.float32([0.5]), "zero_points": np.int32([-10])}
    tensor = {"dtype": np.int8, "quantization_parameters": parameters}
    values = np.array([0, 0.6, -30, 1000, -1000], np.float32)
    stored = runtimes.to_stored(values, tensor)
    assert (stored.dtype, stored.tolist()) == (np.int8, [-10, -9, -70, 127, -128])
    numbers = runtimes.from_stored(stored, tensor)
    assert (numbers.dtype, numbers.tolist()) == (np.float32, [0, 0.5, -30, 68.5, -59])


def test_floats_are_stored_as_they_are():
    values = np.array([0.1], np.float32)
    tensor = {"dtype": np.float32, "quantization_parameters": {"scales": [], "zero_points": []}}
    assert runtimes.to_stored(values, tensor) is runtimes.from_stored(values, tensor) is values
