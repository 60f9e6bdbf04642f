"""The program as its user sees it, on small digits that the tests draw."""

import io
import json
import math
import os
import random
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import mnist_classifier
from mnist_classifier import Config, Digits, Epoch, Failure, SmallCNN, load_mnist, load_model, main
from tests.conftest import PROGRAM, arguments, assert_one_line, contents, raises, start
from tests.drawn_digits import draw_digits

CPU = torch.device("cpu")
RESULTS = {"final_model.pth", "history.csv", "mistakes.png", "settings.json", "test_accuracy.txt"}


# --- a run ---


def test_a_run_learns_and_writes_weights_and_accuracy_of_the_same_network(finished_run, data_dir):
    files = contents(finished_run)
    assert set(files) == RESULTS
    assert re.fullmatch(rb"\d{1,3}\.\d\d", files["test_accuracy.txt"])
    assert float(files["test_accuracy.txt"]) > 95  # guessing gives 10
    model, test_set = SmallCNN(), load_mnist(data_dir, CPU)[1]
    model.load_state_dict(torch.load(finished_run / "final_model.pth", weights_only=True))
    accuracy = mnist_classifier.evaluate(model, test_set).accuracy
    assert f"{100 * accuracy:.2f}".encode() == files["test_accuracy.txt"]
    header, *lines = files["history.csv"].decode("ascii").splitlines()
    assert header == ",".join(Epoch._fields)
    epochs = [[float(value) for value in line.split(",")] for line in lines]
    assert [epoch[0] for epoch in epochs] == [1, 2, 3]
    assert epochs[-1][5] == accuracy
    assert all(0 < epoch[6] < 1000 for epoch in epochs)  # seconds


def test_the_log_has_one_line_for_each_event(data_dir, tmp_path, capsys):
    # A rate that is too low to learn makes the loss stand still, so that the schedule acts.
    assert main(arguments(data_dir, tmp_path, "--epochs=3", "--lr=1e-6", "--seed=5")) == 0
    out, err = capsys.readouterr()
    settings = json.loads((tmp_path / "settings.json").read_text(encoding="ascii"))
    assert {"seed": 5, "lr": 1e-6, "batch_size": 128, "threads": 1}.items() <= settings.items()
    assert settings["torch"] == torch.__version__
    expected = [
        re.escape("Settings: " + ", ".join(f"{k}={v}" for k, v in settings.items())),
        f"Total trainable parameters: {mnist_classifier.count_parameters(SmallCNN())}",
    ]
    for epoch in (1, 2, 3):
        expected.append(rf"Epoch {epoch}/3: loss=\d\.\d{{3}}, acc=\d+\.\d\d%, \d+\.\d s")
        if epoch == 2:
            for group, rate in enumerate(("5.0000e-07", "2.5000e-07")):
                expected.append(f"Epoch 00002: reducing learning rate of group {group} to {rate}.")
        expected.append(r"Test set: Average loss: \d\.\d{4}, Accuracy: \d+\.\d\d%")
    expected.append("Training completed!")
    for line, pattern in zip(out.splitlines(), expected, strict=True):
        assert re.fullmatch(pattern, line), line
    assert err == ""


def test_a_terminal_shows_a_bar_and_a_redirected_log_still_gets_its_lines(
    data_dir, tmp_path, monkeypatch, capsys
):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert main(arguments(data_dir, tmp_path, "--epochs=1")) == 0
    assert re.search(r"Epoch 1/1: +\d+%\|.*\d/8 \[", terminal.getvalue())
    log = capsys.readouterr().out
    assert re.search(r"^Epoch 1/1: loss=\d\.\d+, acc=\d+\.\d\d%, ", log, re.MULTILINE)


def test_importing_the_module_does_nothing(tmp_path, monkeypatch, capfd):
    def state() -> tuple:
        return torch.get_rng_state().tolist(), signal.getsignal(signal.SIGINT), contents(tmp_path)

    monkeypatch.chdir(tmp_path)
    before = state()
    assert "SmallCNN" in runpy.run_path(str(PROGRAM), run_name="imported")
    assert state() == before
    assert capfd.readouterr() == ("", "")


# --- the command line ---


def test_help_shows_the_defaults_of_the_configuration(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    defaults = {"--device": "auto", "--data-dir": "data", "--output-dir": "."}
    for name in ("epochs", "batch_size", "lr", "seed"):
        defaults["--" + name.replace("_", "-")] = getattr(Config, name)
    for option, default in defaults.items():
        assert re.search(rf"{option} [^-]*\(default: {re.escape(str(default))}\)", text)


def test_the_options_reach_the_configuration(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(mnist_classifier, "load_mnist", lambda folder, device: (folder, device))
    monkeypatch.setattr(mnist_classifier, "run_training", lambda *args: seen.extend(args))
    options = ["--epochs=3", "--batch-size=7", "--lr=0.2", "--seed=4", "--device=cpu"]
    assert main([*options, "--data-dir=d", f"--output-dir={tmp_path}"]) == 0
    assert seen == [Config(epochs=3, batch_size=7, lr=0.2, seed=4), "d", CPU, tmp_path]


WRONG_ARGUMENTS = """--epochs=0  --epochs=20  --epochs=two  --epochs=nan  --batch-size=0
    --batch-size=1.5  --batch-size=99999999999  --lr=nan  --lr=-1.0  --lr=0.0  --lr=inf  --seed=-1
    --seed=99999999999999999999  --no-such-option  --preview  --predict  surplus"""


@pytest.mark.parametrize("argument", [*WRONG_ARGUMENTS.split(), "--predict=--evaluate --evaluate"])
def test_wrong_arguments_exit_with_2_and_say_why(argument, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argument.split())
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert argument.split("=")[-1].split()[0] in err


@pytest.mark.parametrize("device", ["cuda:99", "mps:99", "meta", "toaster", "hpu", "privateuseone"])
def test_a_device_that_is_not_here_is_no_reason_to_use_another(device, capsys):
    assert main([f"--device={device}"]) == 1
    assert_one_line(capsys.readouterr().err, f"device '{device}'", "--device cpu")


def test_auto_tries_the_gpu_before_it_takes_it(monkeypatch, capsys):
    broken = torch.device("meta")  # nothing can be read back from it
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: broken)
    assert main([]) == 1
    assert_one_line(capsys.readouterr().err, "device 'meta' fails", "try --device cpu")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: None)
    assert mnist_classifier.find_device("auto") == CPU


FAILURES = {
    "out of memory": MemoryError(),
    "CUDA out of memory. Tried": torch.OutOfMemoryError("CUDA out of memory. Tried"),
    "a kernel failed": RuntimeError("a kernel\n  failed"),
    "Input/output error": OSError(5, "Input/output error"),
}


@pytest.mark.parametrize("message", FAILURES)
def test_whatever_fails_is_one_line(message, monkeypatch, capsys):
    monkeypatch.setattr(mnist_classifier, "load_mnist", raises(FAILURES[message]))
    assert main(["--device=cpu"]) == 1
    assert_one_line(capsys.readouterr().err, message)


# --- the files of a run ---


def run_without_training(output_dir: Path, accuracy: float, monkeypatch, seed: int = 0) -> None:
    """Let a run end with untrained weights and this test accuracy."""
    torch.manual_seed(seed)
    history = [Epoch(1, 0.1, 0.5, 0.8, 0.4, accuracy, 1.5)]
    monkeypatch.setattr(mnist_classifier, "train", lambda *args: (SmallCNN(), history))
    digits = draw_digits(10, seed=3)
    mnist_classifier.run_training(Config(seed=seed), digits, digits, output_dir)


@pytest.mark.parametrize(("accuracy", "text"), [(0.9958, b"99.58"), (1.0, b"100.00"), (0, b"0.00")])
def test_accuracy_file_is_the_percentage_and_nothing_else(accuracy, text, tmp_path, monkeypatch):
    run_without_training(tmp_path, accuracy, monkeypatch)
    assert (tmp_path / "test_accuracy.txt").read_bytes() == text
    weights = torch.load(tmp_path / "final_model.pth", weights_only=True)
    torch.manual_seed(0)
    for name, value in SmallCNN().state_dict().items():
        assert torch.equal(weights[name], value), name


def test_an_output_folder_that_cannot_be_is_found_before_training(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(mnist_classifier, "train", lambda *args: pytest.fail("trained"))
    folders = [tmp_path / "file" / "out"] + [Path("/proc")] * Path("/proc").is_dir()
    for folder in folders:  # in the second, nobody may write
        with pytest.raises(Failure, match=r"cannot write into .*see --output-dir"):
            mnist_classifier.run_training(Config(), *[draw_digits(3, 0)] * 2, folder)


def pair(folder: Path) -> tuple[bytes | None, bytes | None]:
    files = contents(folder)
    return files.get("final_model.pth"), files.get("test_accuracy.txt")


def test_any_write_or_move_that_fails_never_mixes_weights_and_accuracy(tmp_path, monkeypatch):
    """Fail at the first, second, ... of the calls that change the folder, until none fails."""
    run_without_training(tmp_path / "old", 0.5, monkeypatch, seed=1)
    run_without_training(tmp_path / "new", 0.75, monkeypatch, seed=2)
    old, new = (pair(tmp_path / name) for name in ("old", "new"))
    calls, seen = [], []

    def fail_when_due(original, *args):
        calls.append(1)
        if len(calls) == len(seen) + 1:
            raise OSError(28, "No space left on device")
        return original(*args)

    while len(calls) >= len(seen):  # the last run was not let through
        folder = tmp_path / str(len(seen))
        run_without_training(folder, 0.5, monkeypatch, seed=1)
        calls.clear()
        with monkeypatch.context() as patch:
            for owner, name in ((torch, "save"), (Path, "write_bytes"), (os, "replace")):
                original = getattr(owner, name)
                patch.setattr(owner, name, lambda *args, f=original: fail_when_due(f, *args))
            try:
                run_without_training(folder, 0.75, monkeypatch, seed=2)
            except Failure as failure:
                assert "No space left" in str(failure)
        seen.append(pair(folder))
        assert set(contents(folder)) <= RESULTS
    assert seen[:4] == [old] * 4  # four files are written before anything is moved
    assert seen[4:6] == [(old[0], None), (new[0], None)]  # weights, accuracy
    assert seen[6:] == [new] * 4  # history, settings, the picture, nothing


@pytest.mark.parametrize("largest_file", [0, 20_000])  # bytes; the weights have more
def test_a_disk_that_fills_up_leaves_the_earlier_results_whole(
    largest_file, tmp_path, monkeypatch, capsys
):
    resource = pytest.importorskip("resource", reason="limits of a process are a POSIX thing")
    earlier = {"final_model.pth": b"weights", "test_accuracy.txt": b"99.99"}
    for name, content in earlier.items():
        (tmp_path / name).write_bytes(content)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, limits[1]))
    try:
        with pytest.raises(Failure, match="cannot write final_model.pth"):
            run_without_training(tmp_path, 0.5, monkeypatch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path) == earlier


@pytest.mark.parametrize("error", [OSError(28, "No space left"), ImportError("no FreeType")])
def test_a_picture_that_cannot_be_drawn_is_a_warning(error, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist_classifier, "draw_mistakes", raises(error))
    run_without_training(tmp_path, 0.5, monkeypatch)
    assert set(contents(tmp_path)) == RESULTS - {"mistakes.png"}
    out, err = capsys.readouterr()
    assert out.endswith("Training completed!\n")
    assert err == f"warning: {error}\n"


# --- saved weights ---


class Malice:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


STATE = SmallCNN().state_dict()
BAD_WEIGHTS = {
    "malicious": lambda path: torch.save({**STATE, "head.bias": Malice()}, path),
    "truncated": lambda path: torch.save(STATE, path) or os.truncate(path, 80_000),
    "folder": lambda path: path.mkdir(),
    "missing": lambda path: None,
    "other network": lambda path: torch.save(nn.Linear(2, 2).state_dict(), path),
    "a number": lambda path: torch.save(5, path),
    "text": lambda path: path.write_bytes(b"weights"),
    "not finite": lambda path: torch.save(
        {**STATE, "head.bias": torch.full((10,), torch.nan)}, path
    ),
}


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
@pytest.mark.parametrize("mode", ["--predict=x.png", "--evaluate"])
def test_bad_weights_are_refused_and_run_nothing(kind, mode, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    BAD_WEIGHTS[kind](tmp_path / "final_model.pth")
    assert main([mode, f"--output-dir={tmp_path}", "--device=cpu"]) == 1
    assert_one_line(capsys.readouterr().err, "final_model.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("kind", [str, Path])
def test_load_model_takes_a_text_or_a_path_and_gives_a_network_ready_to_read(kind, finished_run):
    model, images = load_model(kind(finished_run)), torch.rand(8, 1, 28, 28)
    assert not model.training
    assert torch.equal(model(images), model(images))


# --- the claim ---


def evaluate_saved(output_dir: Path, data_dir: Path) -> int:
    return main(arguments(data_dir, output_dir, "--evaluate"))


def test_evaluate_derives_the_claim_again_passing_the_test_set_through_the_network_once(
    finished_run, data_dir, capsys, monkeypatch
):
    shown, compute = [], mnist_classifier.compute_logits

    def count_and_compute(model, images):
        shown.append(len(images))
        return compute(model, images)

    monkeypatch.setattr(mnist_classifier, "compute_logits", count_and_compute)
    (finished_run / "mistakes.png").unlink()
    assert evaluate_saved(finished_run, data_dir) == 0
    assert shown == [330]
    out = capsys.readouterr().out
    accuracy = (finished_run / "test_accuracy.txt").read_text(encoding="ascii")
    fraction = float(accuracy) / 100
    error = math.sqrt(fraction * (1 - fraction) / 330)
    assert f"Accuracy: {accuracy}%, standard error {error:.2%} (330 images)" in out
    assert f"claims the same: {accuracy}" in out
    assert (finished_run / "mistakes.png").exists()


def test_the_table_counts_each_label_against_each_answer(tmp_path, monkeypatch, capsys):
    labels = torch.tensor([0, 0, 1, 1, 1, 7])
    answers = torch.tensor([0, 0, 7, 1, 7, 2])
    digits = Digits(torch.zeros(6, 1, 28, 28, dtype=torch.uint8), labels)
    logits = nn.functional.one_hot(answers, 10).float()
    monkeypatch.setattr(mnist_classifier, "compute_logits", lambda *args: logits)
    (tmp_path / "test_accuracy.txt").write_bytes(b"50.00\n")
    mnist_classifier.run_evaluation(SmallCNN(), digits, tmp_path)
    _, header, *rows, _ = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["label", "answered", *"0123456789", "right"]
    assert rows[0] == ["0", "2", *".........", "100.00%"]
    assert rows[1] == ["1", ".", "1", *".....", "2", ".", ".", "33.33%"]
    assert rows[7] == ["7", ".", ".", "1", *".......", "0.00%"]


@pytest.mark.parametrize("claim", [b"99.99", "99,9\u00e4".encode("latin-1"), b""])
def test_a_wrong_claim_fails_and_the_mistakes_are_drawn_all_the_same(
    claim, finished_run, data_dir, tmp_path, capsys
):
    (tmp_path / "final_model.pth").write_bytes((finished_run / "final_model.pth").read_bytes())
    (tmp_path / "test_accuracy.txt").write_bytes(claim)
    assert evaluate_saved(tmp_path, data_dir) == 1
    assert_one_line(capsys.readouterr().err, "claims", "but these weights give")
    assert (tmp_path / "mistakes.png").exists()


def test_a_claim_is_confirmed_in_a_folder_that_cannot_be_written(
    finished_run, data_dir, monkeypatch, capsys
):
    monkeypatch.setattr(os, "replace", raises(PermissionError(13, "Permission denied")))
    assert evaluate_saved(finished_run, data_dir) == 0
    out, err = capsys.readouterr()
    assert "claims the same" in out
    assert re.fullmatch(r"warning: cannot write mistakes\.png .*Permission denied\n", err)


def test_the_picture_of_mistakes_shows_every_mistake():
    digits = draw_digits(60, seed=12)
    answers = torch.full((60,), 3)
    page = mnist_classifier.draw_mistakes(digits, nn.functional.one_hot(answers, 10).float())
    tiles = page.convert("L").point([255 * (v < 60) for v in range(256)])
    dark = torch.tensor(list(tiles.tobytes())).view(page.height, page.width) > 0
    starts = dark[:, 24:136].float().mean(dim=1) > 0.5  # rows that cross the first tile
    assert page.width == 8 * 136 + 24
    assert int((starts.int().diff() == 1).sum()) == -(-int((digits.labels != 3).sum()) // 8)
    right = nn.functional.one_hot(digits.labels, 10).float()
    assert mnist_classifier.draw_mistakes(digits, right).height < 100


def test_the_surest_mistake_comes_first():
    shades = torch.tensor([90, 250, 170], dtype=torch.uint8)
    digits = Digits(shades.view(3, 1, 1, 1).expand(3, 1, 28, 28), torch.zeros(3).long())
    logits = shades.view(3, 1) / 50 * torch.eye(10)[3]  # the brighter, the surer
    page = mnist_classifier.draw_mistakes(digits, logits)
    assert [page.getpixel((80 + 136 * i, 130))[0] for i in range(3)] == [250, 170, 90]


# --- interruption ---


def test_ctrl_c_ends_with_one_line_and_130(monkeypatch, tmp_path, data_dir, capsys):
    monkeypatch.setattr(mnist_classifier, "train_epoch", raises(KeyboardInterrupt()))
    assert main(arguments(data_dir, tmp_path)) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert contents(tmp_path) == {}


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to another process there")
def test_ctrl_c_while_torch_is_being_imported_ends_quietly(tmp_path):
    slow = "import time; print('importing', flush=True); time.sleep(60)"
    (tmp_path / "torch.py").write_text(slow, encoding="ascii")
    program = tmp_path / PROGRAM.name
    program.write_bytes(PROGRAM.read_bytes())
    with start([program], cwd=tmp_path) as process:
        assert process.stdout.readline().strip() == b"importing"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGINT  # a shell shows 130


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error there")
def test_a_closed_pipe_ends_quietly(data_dir, finished_run, monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)  # as "| head" does
    with os.fdopen(writer, "w") as pipe, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", pipe)
        assert evaluate_saved(finished_run, data_dir) == 1
        print("what Python flushes at the end goes nowhere", flush=True)
    assert capsys.readouterr().err == ""


def test_killed_at_random_moments_the_same_command_ends_with_the_same_bits(
    data_dir, tmp_path, finished_run
):
    """KILLS=20 kills twenty runs in a row, in one folder that holds an earlier run's results."""
    # A run of its own network in a second: the rate is so low that the schedule has work to do.
    short = ["--epochs=5", "--batch-size=50", "--lr=1e-4"]
    assert main(arguments(data_dir, tmp_path / "whole", *short)) == 0
    output_dir = tmp_path / "killed"
    output_dir.mkdir()
    for name, content in contents(finished_run).items():
        (output_dir / name).write_bytes(content)
    again = arguments(data_dir, output_dir, *short)
    whole, earlier = pair(tmp_path / "whole"), pair(finished_run)
    allowed = {earlier, whole, (earlier[0], None), (whole[0], None)}
    rng, kills, wanted = random.Random(0), 0, int(os.environ.get("KILLS", "2"))
    while kills < wanted:
        command = ["-m", "tests.drawn_digits", data_dir, *again]
        with start(command, stderr=subprocess.DEVNULL) as process:
            for _ in range(rng.randrange(12)):  # lines of the log: the last ones are the writing
                process.stdout.readline()
            time.sleep(rng.uniform(0, 0.2))
            process.kill()
            rest = process.stdout.read()
        kills += b"completed" not in rest  # else it was over before it could be killed
        assert pair(output_dir) in allowed
    assert main(again) == 0
    ended, expected = contents(output_dir), contents(tmp_path / "whole")
    for files in (ended, expected):  # without the seconds
        files["history.csv"] = re.sub(rb",[^,]*\n", b"\n", files["history.csv"])
    assert ended == expected
