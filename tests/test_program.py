"""The training program as its user sees it, on small digits that the tests draw."""

import copy
import io
import itertools
import json
import math
import os
import platform
import random
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL
from unittest.mock import Mock, call

import pytest
import torch
from PIL import ImageDraw
from torch import nn

import digit_reader.__main__
import mnist_classifier as mc
from elsewhere import draw_page, export, far_ground, measure
from mnist_classifier import (
    Config,
    Digits,
    Epoch,
    Failure,
    Score,
    SmallCNN,
    load_mnist,
    load_model,
    main,
)
from tests.conftest import ROOT, arguments, assert_one_line, contents, start
from tests.drawn_digits import SegmentReader, draw_digits

CPU = torch.device("cpu")
PROGRAM = ROOT / "mnist_classifier.py"
RESULTS = {"final_model.pth", "history.csv", "mistakes.png", "settings.json", "test_accuracy.txt"}


@pytest.fixture(autouse=True)
def restored_threads():
    """The program sets the number of threads; the tests want theirs back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


# --- a run ---
def test_a_run_learns_and_writes_weights_and_accuracy_of_the_same_network(finished_run, data_dir):
    files = contents(finished_run)
    assert {path.name for path in finished_run.iterdir()} == RESULTS  # and no folder is left
    accuracy = mc.evaluate(load_model(finished_run), load_mnist(data_dir)[1]).accuracy
    assert accuracy > 0.95  # guessing gives 0.1
    assert files["test_accuracy.txt"] == f"{100 * accuracy:.2f}".encode()


def test_the_history_has_a_line_for_each_epoch_in_few_digits(finished_run, data_dir):
    header, *lines = (finished_run / "history.csv").read_text(encoding="ascii").splitlines()
    names = "epoch,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,seconds"
    assert header == names
    rows = [dict(zip(names.split(","), line.split(","), strict=True)) for line in lines]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["learning_rate"] == str(Config.lr)
    score = mc.evaluate(load_model(finished_run), load_mnist(data_dir)[1])
    assert rows[-1]["test_accuracy"] == f"{score.accuracy:.6f}"
    assert rows[-1]["test_loss"] == f"{score.loss:.6f}"
    assert all(0 < float(row["seconds"]) < 1000 for row in rows)


def test_the_mistakes_of_a_run_are_those_in_the_test_set(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(mc, "write_mistakes", written := Mock())
    assert main(arguments(data_dir, tmp_path, "--epochs=1")) == 0
    ((folder, digits, logits), _) = written.call_args
    assert folder == tmp_path
    assert torch.equal(digits.images, load_mnist(data_dir)[1].images)
    expected = mc.compute_logits(load_model(tmp_path), digits.scaled())
    torch.testing.assert_close(logits, expected)


def test_the_history_keeps_small_learning_rates():
    epoch = Epoch(4, 0.0075, train=Score(0.5, 0.8), test=Score(0.4, 0.2), seconds=1.5)
    line = "4,0.0075,0.500000,0.800000,0.400000,0.200000,1.500\n"
    assert mc.history_text([epoch]).endswith(f"seconds\n{line}")


def test_the_saved_weights_lie_in_the_order_of_their_axes(finished_run):
    state = torch.load(finished_run / "final_model.pth", weights_only=True)
    assert all(tensor.is_contiguous() for tensor in state.values())


def test_the_log_says_what_happens(data_dir, tmp_path, capsys):
    options = ("--epochs=2", "--seed=5", "--threads=1", "--batch-size=50")
    assert main(arguments(data_dir, tmp_path, *options)) == 0
    lines = capsys.readouterr().out.splitlines()

    def lines_with(start: str) -> list[str]:
        return [line for line in lines if line.startswith(start)]

    (settings,) = lines_with("Settings: ")
    assert {"batch_size=50", "seed=5", "device=cpu", "threads=1"} <= set(settings.split(", "))
    (parameters,) = lines_with("Total trainable parameters: ")
    assert parameters.endswith(f" {mc.count_parameters(SmallCNN())}")
    first, second = lines_with("Epoch ")
    assert re.fullmatch(r"Epoch 1/2: loss=\d\.\d{3}, acc=\d+\.\d\d%, \d+\.\d s", first)
    assert second.startswith("Epoch 2/2: ")
    tested = lines_with("Test set: ")
    assert len(tested) == 2
    assert re.fullmatch(r"Test set: Average loss: \d+\.\d{4}, Accuracy: \d+\.\d\d%", tested[0])
    assert lines[-1] == "Training completed!"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_bar_is_drawn_on_a_terminal_alone(terminal, data_dir, tmp_path, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(arguments(data_dir, tmp_path, "--epochs=1")) == 0
    assert bool(re.search(r"Epoch 1/1: +\d+%\|.*\d/\d+ \[", screen.getvalue())) == terminal
    assert terminal or screen.getvalue() == ""


def test_the_settings_of_a_run_are_kept(data_dir, tmp_path):
    assert main(arguments(data_dir, tmp_path, "--epochs=1", "--seed=5", "--threads=1")) == 0
    settings = json.loads((tmp_path / "settings.json").read_text(encoding="ascii"))
    assert {"epochs": 1, "seed": 5, "lr": Config.lr, "threads": 1}.items() <= settings.items()
    assert settings["python"] == platform.python_version()
    assert settings["torch"] == torch.__version__


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_run_without_a_console_ends_well(stream, data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, stream, None)  # as under pythonw, or behind 2>&-
    assert main(arguments(data_dir, tmp_path, "--epochs=1")) == 0
    assert set(contents(tmp_path)) == RESULTS


def test_a_bar_is_drawn_in_a_notebook(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not mc.can_draw_bar()
    monkeypatch.setitem(sys.modules, "ipykernel", Mock())
    assert mc.can_draw_bar()


@pytest.mark.parametrize("name", ["mnist_classifier.py", "digit_reader/__main__.py"])
def test_importing_does_nothing(name, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    random_state = torch.get_rng_state()
    threads = torch.get_num_threads()
    handler = signal.getsignal(signal.SIGINT)
    assert "main" in runpy.run_path(str(ROOT / name), run_name="imported")
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.get_num_threads() == threads
    assert signal.getsignal(signal.SIGINT) == handler
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


# --- the command line ---
def test_the_options_reach_the_configuration(monkeypatch, tmp_path):
    monkeypatch.setattr(mc, "load_mnist", lambda folder, device: (folder, device))
    run_training = Mock()
    monkeypatch.setattr(mc, "run_training", run_training)
    common = arguments(Path("d"), tmp_path)
    assert main(["--epochs=19", "--batch-size=7", "--lr=0.2", "--seed=4294967295", *common]) == 0
    assert main(common) == 0
    config = Config(epochs=19, batch_size=7, lr=0.2, seed=2**32 - 1)
    expected = [call(config, "d", CPU, tmp_path), call(Config(), "d", CPU, tmp_path)]
    assert run_training.mock_calls == expected


def test_a_tilde_is_the_home_folder_behind_an_equals_sign_as_well(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    args = mc.parse_args(["--data-dir=~/data", "--output-dir=~/results"])
    folders = (Path(args.data_dir), Path(args.output_dir))
    assert folders == (tmp_path / "data", tmp_path / "results")
    for program in (digit_reader.__main__, draw_page, export, far_ground, measure):
        needed = {export: ["--to=onnx"], digit_reader.__main__: ["x"], far_ground: ["x"]}
        args = program.parse_args([*needed.get(program, []), "--weights=~/w.pth"])
        assert Path(args.weights) == tmp_path / "w.pth"
        unknown = Path("~nobody-has-this-name", "w.pth")
        args = program.parse_args([*needed.get(program, []), f"--weights={unknown}"])
        assert Path(args.weights) == unknown


WRONG_ARGUMENTS = """--epochs=0  --epochs=20  --epochs=two  --epochs=nan  --batch-size=0
    --batch-size=1.5  --batch-size=60001  --lr=nan  --lr=-1.0  --lr=0.0  --lr=10.1  --lr=inf
    --seed=-1  --seed=4294967296  --threads=0  --threads=1025  --no-such-option  surplus"""


@pytest.mark.parametrize("argument", WRONG_ARGUMENTS.split())
def test_wrong_arguments_exit_with_2_and_say_which(argument, capsys):
    with pytest.raises(SystemExit) as stop:
        main([argument])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert_one_line(err, argument.split("=")[0])


def test_the_least_and_the_most_are_allowed():
    for extremes in (
        ["--epochs=1", "--batch-size=1", "--lr=1e-9", "--seed=0", "--threads=1"],
        ["--epochs=19", "--batch-size=60000", "--lr=10", "--seed=4294967295", "--threads=1024"],
    ):
        args = mc.parse_args(extremes)
        for extreme in extremes:
            name, value = extreme[2:].split("=")
            assert getattr(args, name.replace("-", "_")) == float(value)


def test_too_many_epochs_are_refused_with_what_the_assignment_allows(capsys):
    with pytest.raises(SystemExit):
        main(["--epochs=25"])
    assert_one_line(capsys.readouterr().err, "--epochs has to be from 1 to 19", "assignment")


def test_the_help_has_a_usage_line_and_the_defaults(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main(["--help"])
    out = capsys.readouterr().out
    assert out.startswith("usage: ")
    assert f"(default: {Config.epochs})" in out


@pytest.mark.parametrize(
    ("processors", "variable", "threads"),
    [(1, None, 1), (2, None, 1), (3, None, 1), (8, None, 4), (64, None, 8), (8, "3", 3)],
)
def test_half_of_the_processors_work_unless_something_else_is_said(
    processors, variable, threads, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    usable = Mock(return_value=set(range(processors)))
    monkeypatch.setattr(os, "sched_getaffinity", usable, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)  # torch reads the variable
    assert mc.parse_args([]).threads == threads
    assert mc.parse_args(["--threads=5"]).threads == 5


def test_where_nothing_limits_a_process_half_of_all_processors_work(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for processors, threads in [(None, 1), (6, 3), (128, 8)]:
        monkeypatch.setattr(os, "cpu_count", lambda found=processors: found)
        assert mc.default_threads() == threads


@pytest.mark.skipif(not shutil.which("taskset"), reason="there is no taskset here")
def test_processors_that_the_process_may_not_use_do_not_count():
    code = "import mnist_classifier as mc; print(mc.default_threads())"
    limited = f"import os; os.environ.pop('OMP_NUM_THREADS', None); {code}"
    command = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0))), sys.executable]
    found = subprocess.check_output([*command, "-c", limited], text=True, cwd=ROOT)
    assert found == "1\n"


def test_torch_works_with_the_threads_that_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(mc, "load_mnist", lambda *_: (1, 2))
    monkeypatch.setattr(mc, "run_training", lambda *_: None)
    assert main(arguments(tmp_path, tmp_path, "--threads=2")) == 0
    assert torch.get_num_threads() == 2


DEVICES = ["auto", "cuda:99", "mps:99", "meta", "toaster", "hpu", "privateuseone"]


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_does_not_work_is_no_reason_to_use_another(device, monkeypatch, capsys):
    best = Mock(return_value=torch.device("meta"))  # nothing can be read back from it
    monkeypatch.setattr(torch.accelerator, "current_accelerator", best)
    assert main([f"--device={device}"]) == 1
    tried = "meta" if device == "auto" else device
    assert_one_line(capsys.readouterr().err, f"device '{tried}' fails", "try --device cpu")


def test_without_an_accelerator_auto_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", Mock(return_value=None))
    assert mc.find_device("auto") == CPU


EXPECTED_FAILURES = {
    "out of memory": MemoryError(),
    "error: out of memory": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB"),
    "error: out of memory\n": RuntimeError(
        "[enforce fail] DefaultCPUAllocator: can't allocate memory"
    ),
    "it is broken": Failure("it\n  is broken"),
}


@pytest.mark.parametrize("words", EXPECTED_FAILURES)
def test_what_can_be_expected_to_fail_is_one_line(words, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(mc, "load_mnist", Mock(side_effect=EXPECTED_FAILURES[words]))
    assert main(arguments(tmp_path, tmp_path)) == 1
    assert_one_line(capsys.readouterr().err, words.strip())


def test_a_bug_in_the_network_shows_its_traceback(monkeypatch, data_dir, tmp_path):
    class Wrong(SmallCNN):
        def forward(self, images):
            return nn.functional.linear(images.flatten(1), torch.zeros(10, 5))

    monkeypatch.setattr(mc, "SmallCNN", Wrong)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        main(arguments(data_dir, tmp_path))


def test_a_file_that_a_changed_network_misses_shows_its_traceback(monkeypatch, data_dir, tmp_path):
    class Wrong(SmallCNN):
        def forward(self, images):
            return torch.load(tmp_path / "missing.pth")

    monkeypatch.setattr(mc, "SmallCNN", Wrong)
    with pytest.raises(FileNotFoundError):
        main(arguments(data_dir, tmp_path))


# --- the files of a run ---
def run_without_training(output_dir: Path, accuracy: float, monkeypatch, seed: int = 0) -> None:
    """Let a run end with untrained weights and this test accuracy."""
    torch.manual_seed(seed)
    first = Epoch(1, 0.1, train=Score(0.5, 0.8), test=Score(0.4, 0.2), seconds=1.5)
    history = [first, first._replace(number=2, test=Score(0.4, accuracy))]
    monkeypatch.setattr(mc, "train", Mock(return_value=(SmallCNN(), history)))
    digits = draw_digits(10, seed=3)
    mc.run_training(Config(seed=seed), digits, digits, output_dir)


@pytest.mark.parametrize(("accuracy", "text"), [(0.9958, b"99.58"), (1.0, b"100.00"), (0, b"0.00")])
def test_accuracy_file_is_the_percentage_and_nothing_else(accuracy, text, tmp_path, monkeypatch):
    run_without_training(tmp_path, accuracy, monkeypatch)
    assert (tmp_path / "test_accuracy.txt").read_bytes() == text


def test_an_output_folder_that_cannot_be_is_found_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mc, "load_mnist", Mock(side_effect=AssertionError("too late")))
    (tmp_path / "file").touch()
    assert main(arguments(tmp_path, tmp_path / "file" / "out")) == 1
    assert_one_line(capsys.readouterr().err, "cannot write into", "see --output-dir")


def test_an_output_folder_that_was_removed_during_training_is_made_again(tmp_path, monkeypatch):
    run_without_training(tmp_path / "removed", 0.5, monkeypatch)
    assert (tmp_path / "removed" / "test_accuracy.txt").read_bytes() == b"50.00"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no folder that nobody may write")
def test_an_output_folder_that_cannot_be_written_is_found_before_training(monkeypatch, capsys):
    monkeypatch.setattr(mc, "load_mnist", Mock(side_effect=AssertionError("too late")))
    assert main(arguments(Path("data"), Path("/proc"))) == 1
    assert_one_line(capsys.readouterr().err, "cannot write into /proc", "see --output-dir")


def pair(folder: Path) -> tuple[bytes | None, bytes | None]:
    """The weights and the accuracy in `folder`."""
    files = contents(folder)
    return files.get("final_model.pth"), files.get("test_accuracy.txt")


@pytest.fixture
def two_runs(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """Folders with the results of an old run and a new one."""
    for name, accuracy, seed in [("old", 0.5, 1), ("new", 0.75, 2)]:
        (tmp_path / name).mkdir()
        run_without_training(tmp_path / name, accuracy, monkeypatch, seed)
    return tmp_path / "old", tmp_path / "new"


def run_again(folder: Path, due: int, name: str, owner: object, monkeypatch) -> Failure | None:
    """Let the new run end in `folder`, where call `due` of `name` finds the disk full."""
    original = getattr(owner, name)
    calls = itertools.count(1)

    def fail_when_due(*args, **options):
        if next(calls) == due:
            raise OSError(28, "No space left on device")
        return original(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail_when_due)
        try:
            run_without_training(folder, 0.75, monkeypatch, seed=2)
        except Failure as failure:
            return failure
    return None


@pytest.mark.parametrize("due", [1, 2, 3, 4])
def test_a_write_that_fails_leaves_the_earlier_results_whole(due, two_runs, monkeypatch):
    old, _ = two_runs
    earlier = contents(old)
    failure = run_again(old, due, "write_bytes", Path, monkeypatch)
    assert "cannot write final_model.pth" in str(failure)
    assert "No space left" in str(failure)
    assert contents(old) == earlier


@pytest.mark.parametrize("due", [1, 2, 3, 4])
def test_a_move_that_fails_never_mixes_weights_and_accuracy(due, two_runs, monkeypatch):
    old, new = two_runs
    before, after = pair(old), pair(new)
    failure = run_again(old, due, "replace", os, monkeypatch)
    assert pair(old) == (before[0] if due == 1 else after[0], None)
    # What could not be moved is where the line says:
    kept = Path(re.search(r"see (\S+)$", str(failure))[1])
    moved = ["final_model.pth", "history.csv", "settings.json", "test_accuracy.txt"][: due - 1]
    assert contents(kept) | {name: contents(old)[name] for name in moved} == {
        name: content for name, content in contents(new).items() if name != "mistakes.png"
    }


def test_the_accuracy_comes_last_in_whatever_order_the_files_are(tmp_path, monkeypatch):
    moved = []
    monkeypatch.setattr(os, "replace", lambda old, new: (moved.append(new.name), old.rename(new)))
    names = ["test_accuracy.txt", "final_model.pth", "settings.json"]
    mc.write_files(tmp_path, dict.fromkeys(names, b"new"))
    assert moved[-1] == "test_accuracy.txt"
    assert contents(tmp_path) == dict.fromkeys(names, b"new")


def test_results_are_written_on_the_disk_where_they_will_be(tmp_path, monkeypatch):
    make = Mock(wraps=mc.tempfile.mkdtemp)
    monkeypatch.setattr(mc.tempfile, "mkdtemp", make)
    run_without_training(tmp_path, 0.5, monkeypatch)
    assert {call.kwargs["dir"] for call in make.mock_calls} == {tmp_path}


def test_a_disk_that_fills_up_leaves_the_earlier_results_whole(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource", reason="limits of a process are a POSIX thing")
    run_without_training(tmp_path, 0.75, monkeypatch)
    earlier = contents(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # bytes: a part of the weights
    try:
        with pytest.raises(Failure, match=r"cannot write final_model\.pth"):
            run_without_training(tmp_path, 0.5, monkeypatch, seed=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path) == earlier


def test_a_picture_of_mistakes_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch, capsys):
    write = mc.write_files

    def refuse_pictures(folder, files):
        if "mistakes.png" in files:
            raise Failure("no room")
        write(folder, files)

    monkeypatch.setattr(mc, "write_files", refuse_pictures)
    run_without_training(tmp_path, 0.5, monkeypatch)
    assert set(contents(tmp_path)) == RESULTS - {"mistakes.png"}
    out, err = capsys.readouterr()
    assert out.endswith("Training completed!\n")
    assert err == "warning: no room\n"


def test_without_a_font_there_is_a_warning_instead_of_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mc.ImageFont, "load_default", Mock(side_effect=ImportError("no fonts")))
    run_without_training(tmp_path, 0.5, monkeypatch)
    assert set(contents(tmp_path)) == RESULTS - {"mistakes.png"}
    assert capsys.readouterr().err == "warning: no fonts\n"


# --- saved weights ---
class Malice:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def save_truncated(share: float):
    """Return a function that saves this share of the bytes."""

    def save_part(state: dict, path: Path) -> None:
        torch.save(state, path)
        os.truncate(path, int(share * path.stat().st_size))

    return save_part


class Model(nn.Module):
    """As somebody else's, who saved all of it."""


def save(what):
    """Return a function that saves what `what` makes of the weights."""
    return lambda state, path: torch.save(what(state), path)


HEAD = "head.bias"  # of the network's state
BAD_WEIGHTS = {  # what is in place of the weights, and words of the reason
    "malicious": (save(lambda state: state | {HEAD: Malice()}), "holds more than weights ("),
    "a whole model": (
        save(lambda state: Model()),
        "(tests.test_program.Model): save model.state_dict()",
    ),
    "truncated": (save_truncated(0.5), "not a file of weights"),
    "truncated near its end": (save_truncated(0.9), "not a file of weights"),
    "text": (lambda state, path: path.write_bytes(b"weights"), "not a file of weights"),
    "empty": (lambda state, path: path.touch(), "not a file of weights"),
    "missing": (lambda state, path: None, "there are no weights in"),
    "a folder": (lambda state, path: path.mkdir(), "there are no weights in"),
    "a number": (save(lambda state: 5), "holds more than weights (int): save model.state_dict()"),
    "numbered": (save(lambda state: {5: torch.ones(2)}), "is missing, and this network has floats"),
    "a checkpoint": (
        save(lambda state: {"epoch": 3, "model": state}),
        "holds more than weights (epoch, model): save model.state_dict() instead",
    ),
    "an epoch beside them": (save(lambda state: state | {"epoch": 3}), "more than weights (epoch)"),
    "a number without a name": (save(lambda state: state | {"": 3}), "more than weights ()"),
    "another shape": (
        save(lambda state: state | {HEAD: torch.ones(7)}),
        "(head.bias is floats (7,), and this network has floats (10,)): if you changed it, train",
    ),
    "a layer less": (
        save(lambda state: {name: t for name, t in state.items() if name != HEAD}),
        "(head.bias is missing, and this network has floats (10,))",
    ),
    "a layer more": (
        save(lambda state: state | {"more.bias": torch.ones(7)}),
        "(more.bias is floats (7,), and this network has none)",
    ),
    "integers": (
        save(lambda state: state | {HEAD: torch.ones(10, dtype=torch.int8)}),
        "(head.bias is integers (10,), and this network has floats (10,))",
    ),
    "not finite": (save(lambda state: state | {HEAD: torch.full((10,), torch.nan)}), "not finite"),
    "too large": (
        save(lambda state: state | {HEAD: torch.full((10,), 1e300, dtype=torch.float64)}),
        "not finite",
    ),
}


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_bad_weights_are_refused_with_the_reason_and_run_nothing(
    kind, data_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write, reason = BAD_WEIGHTS[kind]
    write(SmallCNN().state_dict(), tmp_path / "final_model.pth")
    assert main(arguments(data_dir, tmp_path, "--evaluate")) == 1
    error = capsys.readouterr().err
    assert_one_line(error, "final_model.pth", reason)
    assert len(error) < 200 + len(str(tmp_path))
    assert not (tmp_path / "executed").exists()


WRAPPERS = {
    "torch.compile": torch.compile,
    "DataParallel": nn.DataParallel,
    "both": lambda model: torch.compile(nn.DataParallel(model)),
    "both, the other way round": lambda model: nn.DataParallel(torch.compile(model)),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_weights_that_another_program_wrapped_are_loaded(wrapper, tmp_path):
    model = SmallCNN()
    torch.save(WRAPPERS[wrapper](model).state_dict(), tmp_path / "wrapped.pth")
    loaded = load_model(tmp_path / "wrapped.pth").state_dict()
    torch.testing.assert_close(dict(loaded), dict(model.state_dict()), rtol=0, atol=0)


def test_weights_that_cannot_be_read_are_a_failure(finished_run, monkeypatch):
    refuse = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(Failure, match=r"cannot read .*final_model.pth \(Permission denied\)"):
        load_model(finished_run)


def test_weights_are_loaded_from_a_file_or_its_folder(finished_run):
    one = load_model(str(finished_run)).state_dict()
    other = load_model(finished_run / "final_model.pth").state_dict()
    torch.testing.assert_close(dict(one), dict(other), rtol=0, atol=0)
    assert not load_model(finished_run).training


def test_weights_are_those_here_or_else_those_beside_the_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mc.find_weights() == ROOT / "final_model.pth"
    (tmp_path / "final_model.pth").touch()
    assert mc.find_weights() == Path("final_model.pth")


@pytest.mark.parametrize("folder", [".", "./"])
def test_evaluate_takes_the_weights_beside_the_program_from_anywhere(
    folder, data_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mc, "load_model", Mock(side_effect=mc.Failure("far enough")))
    assert main(arguments(data_dir, folder, "--evaluate")) == 1
    assert f"Weights: {ROOT / 'final_model.pth'}" in capsys.readouterr().out


def test_evaluate_compares_with_the_claim_beside_the_weights(
    finished_run, data_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mc, "find_weights", lambda: finished_run / "final_model.pth")
    assert main(["--evaluate", f"--data-dir={data_dir}"]) == 0
    assert f"{finished_run / 'test_accuracy.txt'} claims the same" in capsys.readouterr().out
    assert set(contents(tmp_path)) == {"mistakes.png"}  # which belongs to this run


def test_evaluate_in_a_folder_whose_name_is_too_long_is_one_line(data_dir, capsys):
    assert main(arguments(data_dir, "x" * 300, "--evaluate")) == 1
    assert_one_line(capsys.readouterr().err, "there are no weights in xxx")


# --- predictions ---
def test_predict_gives_the_most_probable_digits_and_their_probabilities():
    model = SegmentReader()
    digits = draw_digits(50, seed=11)
    answers, probabilities = mc.predict(model, digits.scaled())
    assert torch.equal(answers, digits.labels)
    expected = mc.compute_logits(model, digits.scaled()).softmax(dim=1)
    torch.testing.assert_close(probabilities, expected.amax(dim=1))
    assert [len(t) for t in mc.predict(SmallCNN(), torch.zeros(0, 1, 28, 28))] == [0, 0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_predict_takes_networks_and_images_of_any_precision(dtype):
    torch.manual_seed(1)
    model = SmallCNN().eval()
    images = draw_digits(20, seed=5).scaled()
    _, expected = mc.predict(model, images)
    for network in (model, copy.deepcopy(model).to(dtype)):
        _, probabilities = mc.predict(network, images.to(dtype))
        torch.testing.assert_close(probabilities.float(), expected, atol=0.02, rtol=0)


def test_predict_takes_what_is_rounded_a_little_beyond_black_and_white():
    images = draw_digits(20, seed=5).scaled()
    digits, _ = mc.predict(SegmentReader(), images * 1.003 - 0.0015)
    assert torch.equal(digits, mc.predict(SegmentReader(), images)[0])


WRONG_IMAGES = {
    "(3, 28, 28)": torch.zeros(3, 28, 28),
    "(3, 1, 32, 32)": torch.zeros(3, 1, 32, 32),
    "from 0 to 255": torch.linspace(0, 255, 784).view(1, 1, 28, 28),
    "from -0.5 to 1": torch.linspace(-0.5, 1, 784).view(1, 1, 28, 28),
    "from 0 to 1.003": torch.linspace(0, 1.003, 784).view(1, 1, 28, 28),
    "from -0.003 to 1": torch.linspace(-0.003, 1, 784).view(1, 1, 28, 28),
    "from nan to nan": torch.full((1, 1, 28, 28), torch.nan),
}


@pytest.mark.parametrize("words", WRONG_IMAGES)
def test_predict_refuses_what_is_not_an_image_with_what_it_wants_and_got(words):
    with pytest.raises(ValueError, match=r"must be .*from 0 to 1") as error:
        mc.predict(SmallCNN(), WRONG_IMAGES[words])
    assert words in str(error.value)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_integers_are_the_same_type_error_for_predict_and_for_the_network(dtype):
    images = torch.zeros(3, 1, 28, 28, dtype=dtype)
    for function in (SmallCNN(), lambda images: mc.predict(SegmentReader(), images)):
        with pytest.raises(TypeError, match=rf"must be floats .*, not {dtype}: divide"):
            function(images)


@pytest.mark.parametrize(
    "images", [torch.zeros(3, 1, 28, 28).numpy(), [[0.5]]], ids=["array", "list"]
)
def test_predict_says_what_it_wants_instead_of_an_array(images):
    with pytest.raises(TypeError, match=r"floats \(N, 1, 28, 28\) from 0 to 1 in a torch tensor"):
        mc.predict(SmallCNN(), images)


# --- the claim ---
def test_evaluate_derives_the_claim_again(finished_run, data_dir, capsys):
    (finished_run / "mistakes.png").unlink()
    assert main(arguments(data_dir, finished_run, "--evaluate")) == 0
    assert (finished_run / "mistakes.png").exists()
    out = capsys.readouterr().out
    accuracy = (finished_run / "test_accuracy.txt").read_text(encoding="ascii")
    error = math.sqrt(float(accuracy) * (100 - float(accuracy)) / 330)
    assert f"Accuracy: {accuracy}%\n" in out
    assert f"Standard error of the accuracy: {error:.2f}% (330 images)" in out
    assert f"claims the same: {accuracy}" in out


def test_evaluate_needs_no_folder_that_can_be_written(finished_run, data_dir, monkeypatch, capsys):
    refuse = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(mc.tempfile, "mkdtemp", refuse)
    assert main(arguments(data_dir, finished_run, "--evaluate")) == 0
    out, err = capsys.readouterr()
    assert "claims the same" in out
    assert re.fullmatch(r"warning: cannot write mistakes.png into .*Permission denied\)\n", err)


def test_evaluate_without_a_claim_says_what_to_do(finished_run, data_dir, tmp_path, capsys):
    shutil.copy(finished_run / "final_model.pth", tmp_path)
    assert main(arguments(data_dir, tmp_path, "--evaluate")) == 1
    assert_one_line(capsys.readouterr().err, "there is no", "test_accuracy.txt", "training writes")


def test_the_table_counts_each_label_against_each_answer(capsys):
    mc.print_confusion_matrix(torch.tensor([0, 0, 1, 1, 1, 7]), torch.tensor([0, 0, 7, 1, 7, 2]))
    header, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["label", "read", "as", *"0123456789", "accuracy"]
    assert rows[0] == ["0", "2", *".........", "100.00%"]
    assert rows[1] == ["1", ".", "1", *".....", "2", ".", ".", "33.33%"]
    assert rows[7] == ["7", ".", ".", "1", *".......", "0.00%"]


CLAIMS = {  # of 330 images, of which the network answers all but one
    "99.70": (0, "claims the same: 99.70"),
    "99.70\n": (0, "claims the same: 99.70"),
    "100.00": (0, "claims 100.00: one or two images, as another processor may round"),
    "99.09": (0, "claims 99.09: one or two images, as another processor may round"),
    "98.79": (1, "claims 98.79, but these weights give 99.70"),
    "99,70": (1, "is not an accuracy in percent"),
    "": (1, "is not an accuracy in percent"),
    "99.7\u00e4": (1, "is not an accuracy in percent"),
    "nan": (1, "claims nan, but these weights give 99.70"),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_taken_if_at_most_two_images_differ(claim, tmp_path, monkeypatch, capsys):
    digits = draw_digits(330, seed=4)
    labels = torch.cat([(digits.labels[:1] + 1) % 10, digits.labels[1:]])
    monkeypatch.setattr(mc, "load_model", lambda *_: SegmentReader())
    (tmp_path / "test_accuracy.txt").write_text(claim, encoding="latin-1")
    monkeypatch.setattr(mc, "load_digits", lambda *_: Digits(digits.images, labels))
    code, words = CLAIMS[claim]
    assert main(arguments(tmp_path, tmp_path, "--evaluate")) == code
    out, err = capsys.readouterr()
    assert words in out + err
    if code:
        assert_one_line(err, "test_accuracy.txt")
    assert (tmp_path / "mistakes.png").exists()


def test_the_picture_of_mistakes_shows_the_surest_first_and_not_too_many(monkeypatch):
    texts = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda _, xy, text, *more: texts.append(text))
    shades = torch.tensor([90, 250, 10, 170], dtype=torch.uint8)
    images = shades.view(4, 1, 1, 1).expand(4, 1, 28, 28)
    digits = Digits(images, torch.tensor([0, 1, 3, 2]))
    logits = shades.view(4, 1) / 50 * torch.eye(10)[3]  # a 3 each: the brighter, the surer
    page = mc.draw_mistakes(digits, logits, columns=2)
    tiles = [(80, 130), (216, 130), (80, 310)]
    assert [page.getpixel(tile)[0] for tile in tiles] == [250, 170, 90]
    title, *captions = texts
    assert title == "3 of 4 wrong, the surest first"
    surest = [math.exp(shade / 50) / (math.exp(shade / 50) + 9) for shade in (250, 170, 90)]
    answers = ["1 read as 3", "2 read as 3", "0 read as 3"]
    assert captions == [
        f"{answer}\n{share:.1%} sure" for answer, share in zip(answers, surest, strict=True)
    ]
    texts.clear()
    mc.draw_mistakes(digits, logits, limit=2)
    assert texts == [title, *captions[:2]]


def test_without_mistakes_the_picture_is_a_line():
    digits = draw_digits(4, seed=1)
    assert mc.draw_mistakes(digits, torch.eye(10)[digits.labels]).height < 100


# --- interruption ---
def test_ctrl_c_ends_with_one_line_and_130(monkeypatch, capsys):
    monkeypatch.setattr(mc, "find_device", Mock(side_effect=KeyboardInterrupt))
    assert main([]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error there")
def test_a_closed_pipe_ends_quietly(data_dir, finished_run, monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)  # as "| head" does
    with os.fdopen(writer, "w") as pipe, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", pipe)
        assert main(arguments(data_dir, finished_run, "--evaluate")) == 1
        print("what Python flushes at the end goes nowhere", flush=True)
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_behind_the_log_is_one_line(data_dir, finished_run, monkeypatch, capsys):
    with open("/dev/full", "w") as log, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", log)
        assert main(arguments(data_dir, finished_run, "--evaluate")) == 1
        print("what Python flushes at the end goes nowhere", flush=True)
    assert_one_line(capsys.readouterr().err, "disk is full")


def kill_while_it_writes(command: list[object], rng: random.Random) -> bool:
    """Start the program, and kill it at a random moment; return whether it was still running."""
    with start(command, stderr=DEVNULL) as process:
        for _ in range(rng.randrange(9)):  # lines of the log: the last ones are the writing
            process.stdout.readline()
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
        return b"completed" not in process.stdout.read()


def without_seconds(files: dict[str, bytes]) -> dict[str, bytes]:
    history = re.sub(rb",[^,]*\n", b"\n", files["history.csv"])
    return files | {"history.csv": history}


@pytest.mark.slow
def test_killed_at_random_moments_the_same_command_ends_with_the_same_bits(
    data_dir, tmp_path, finished_run
):
    """KILLS=20 kills twenty runs in a row, in one folder that holds an earlier run's results."""
    short = ["--epochs=3", "--batch-size=50", "--lr=1e-4"]  # a second, and another network
    assert main(arguments(data_dir, tmp_path / "whole", *short)) == 0
    shutil.copytree(finished_run, tmp_path / "killed")
    again = arguments(data_dir, tmp_path / "killed", *short)
    command = ["-m", "tests.drawn_digits", data_dir, *again]
    whole = pair(tmp_path / "whole")
    earlier = pair(finished_run)
    allowed = {earlier, whole, (earlier[0], None), (whole[0], None)}
    rng = random.Random(0)
    kills = 0
    while kills < int(os.environ.get("KILLS", "2")):
        kills += kill_while_it_writes(command, rng)
        assert pair(tmp_path / "killed") in allowed
    assert main(again) == 0
    ended = without_seconds(contents(tmp_path / "killed"))
    assert ended == without_seconds(contents(tmp_path / "whole"))
