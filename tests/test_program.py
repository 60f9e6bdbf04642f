"""The program as its user sees it, on small digits that the tests draw."""

import io
import json
import math
import os
import random
import re
import runpy
import shutil
import signal
import sys
import time
from pathlib import Path
from subprocess import DEVNULL
from unittest.mock import Mock, call

import pytest
import torch
from PIL import ImageDraw
from torch import nn

import mnist_classifier as mc
from mnist_classifier import Config, Digits, Epoch, Failure, SmallCNN, load_mnist, load_model, main
from tests.conftest import PROGRAM, arguments, assert_one_line, contents, start
from tests.drawn_digits import draw_digits

CPU = torch.device("cpu")
DEVICES = ["auto", "cuda:99", "mps:99", "meta", "toaster", "hpu", "privateuseone"]
RESULTS = {"final_model.pth", "history.csv", "mistakes.png", "settings.json", "test_accuracy.txt"}


# --- a run ---
def test_a_run_learns_and_writes_weights_and_accuracy_of_the_same_network(finished_run, data_dir):
    files = contents(finished_run)
    assert set(files) == RESULTS
    model = load_model(str(finished_run))
    assert not model.training  # ready to read
    accuracy = mc.evaluate(model, load_mnist(data_dir, CPU)[1]).accuracy
    assert accuracy > 0.95  # guessing gives 0.1
    assert files["test_accuracy.txt"] == f"{100 * accuracy:.2f}".encode()
    header, *lines = files["history.csv"].decode("ascii").splitlines()
    assert header == ",".join(Epoch._fields)
    epochs = [[float(value) for value in line.split(",")] for line in lines]
    assert [epoch[0] for epoch in epochs] == [1, 2, 3]
    assert epochs[-1][5] == accuracy
    assert all(0 < epoch[6] < 1000 for epoch in epochs)  # seconds


@pytest.mark.parametrize("terminal", [False, True])
def test_the_log_has_one_line_for_each_event_and_a_terminal_shows_a_bar_as_well(
    terminal, data_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    # A rate that is too low to learn makes the loss stand still, so that the schedule acts.
    assert main(arguments(data_dir, tmp_path, "--epochs=3", "--lr=1e-6", "--seed=5")) == 0
    settings = json.loads((tmp_path / "settings.json").read_text(encoding="ascii"))
    assert {"seed": 5, "lr": 1e-6, "batch_size": 128, "threads": 1}.items() <= settings.items()
    assert settings["torch"] == torch.__version__
    head = "Settings: " + ", ".join(f"{k}={v}" for k, v in settings.items())
    head += f"\nTotal trainable parameters: {mc.count_parameters(SmallCNN())}\n"
    trained = r": loss=\d\.\d{3}, acc=\d+\.\d\d%, \d+\.\d s\n"
    cut = r"Epoch 00002: reducing learning rate of group 0 to 5\.0000e-07\.\n"
    cut += r"Epoch 00002: reducing learning rate of group 1 to 2\.5000e-07\.\n"
    tested = r"Test set: Average loss: \d\.\d{4}, Accuracy: \d+\.\d\d%\n"
    epochs = f"Epoch 1/3{trained}{tested}Epoch 2/3{trained}{cut}{tested}Epoch 3/3{trained}{tested}"
    out, bar = capsys.readouterr().out, screen.getvalue()
    assert re.fullmatch(re.escape(head) + epochs + "Training completed!\n", out)
    assert re.search(r"Epoch 1/3: +\d+%\|.*\d/8 \[", bar) if terminal else bar == ""


def test_importing_the_module_does_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    random_state, handler = torch.get_rng_state(), signal.getsignal(signal.SIGINT)
    assert "SmallCNN" in runpy.run_path(str(PROGRAM), run_name="imported")
    assert torch.equal(torch.get_rng_state(), random_state)
    assert signal.getsignal(signal.SIGINT) == handler
    assert contents(tmp_path) == {}
    assert capfd.readouterr() == ("", "")


# --- the command line ---
def test_the_options_reach_the_configuration(monkeypatch, tmp_path):
    monkeypatch.setattr(mc, "load_mnist", lambda folder, device: (folder, device))
    monkeypatch.setattr(mc, "run_training", run := Mock())
    options = ["--epochs=19", "--batch-size=7", "--lr=0.2", "--seed=4"]
    assert main([*options, *arguments("d", tmp_path)]) == main(arguments("d", tmp_path)) == 0
    config = Config(epochs=19, batch_size=7, lr=0.2, seed=4)
    assert run.mock_calls == [call(c, "d", CPU, tmp_path) for c in (config, Config())]


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


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_does_not_work_is_no_reason_to_use_another(device, monkeypatch, capsys):
    best = Mock(return_value=torch.device("meta"))  # nothing can be read back from it
    monkeypatch.setattr(torch.accelerator, "current_accelerator", best)
    assert main([f"--device={device}"]) == 1
    tried = "meta" if device == "auto" else device
    assert_one_line(capsys.readouterr().err, f"device '{tried}' fails", "try --device cpu")
    best.return_value = None
    assert mc.find_device("auto") == CPU


FAILURES = [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried")]
FAILURES += [RuntimeError("a kernel\n  failed"), OSError(5, "Input/output error")]


@pytest.mark.parametrize("error", FAILURES)
def test_whatever_fails_is_one_line(error, monkeypatch, capsys):
    monkeypatch.setattr(mc, "load_mnist", Mock(side_effect=error))
    assert main(["--device=cpu"]) == 1
    assert_one_line(capsys.readouterr().err, " ".join(str(error).split()) or "out of memory")


# --- the files of a run ---
def run_without_training(output_dir: Path, accuracy: float, monkeypatch, seed: int = 0) -> None:
    """Let a run end with untrained weights and this test accuracy."""
    torch.manual_seed(seed)
    history = [Epoch(n, 0.1, 0.5, 0.8, 0.4, right, 1.5) for n, right in ((1, 2), (2, accuracy))]
    monkeypatch.setattr(mc, "train", Mock(return_value=(SmallCNN(), history)))
    digits = draw_digits(10, seed=3)
    mc.run_training(Config(seed=seed), digits, digits, output_dir)


@pytest.mark.parametrize(("accuracy", "text"), [(0.9958, b"99.58"), (1.0, b"100.00"), (0, b"0.00")])
def test_accuracy_file_is_the_percentage_and_nothing_else(accuracy, text, tmp_path, monkeypatch):
    run_without_training(tmp_path, accuracy, monkeypatch)
    assert (tmp_path / "test_accuracy.txt").read_bytes() == text


def test_an_output_folder_that_cannot_be_is_found_before_training(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(mc, "train", Mock(side_effect=AssertionError("trained")))
    folders = [tmp_path / "file" / "out"] + [Path("/proc")] * Path("/proc").is_dir()
    for folder in folders:  # in the second, nobody may write
        with pytest.raises(Failure, match=r"cannot write into .*see --output-dir"):
            mc.run_training(Config(), *[draw_digits(3, 0)] * 2, folder)


def pair(folder: Path) -> tuple[bytes | None, bytes | None]:
    files = contents(folder)
    return files.get("final_model.pth"), files.get("test_accuracy.txt")


def test_any_write_or_move_that_fails_never_mixes_weights_and_accuracy(tmp_path, monkeypatch):
    for name, accuracy, seed in (("old", 0.5, 1), ("new", 0.75, 2)):
        run_without_training(tmp_path / name, accuracy, monkeypatch, seed)
    old, new = pair(tmp_path / "old"), pair(tmp_path / "new")
    seen, calls = [], []

    def fail_when_due(original, *args):
        calls.append(args)
        if len(calls) == len(seen) + 1:
            raise OSError(28, "No space left on device")
        return original(*args)

    while len(calls) >= len(seen):  # in the last run, no call failed
        shutil.copytree(tmp_path / "old", folder := tmp_path / str(len(seen)))
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


def test_a_disk_that_fills_up_leaves_the_earlier_results_whole(tmp_path, monkeypatch, capsys):
    resource = pytest.importorskip("resource", reason="limits of a process are a POSIX thing")
    run_without_training(tmp_path, 0.75, monkeypatch)
    earlier, limits = contents(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # bytes: a part of the weights
    try:
        with pytest.raises(Failure, match="cannot write final_model.pth"):
            run_without_training(tmp_path, 0.5, monkeypatch, seed=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path) == earlier


def test_a_picture_that_cannot_be_drawn_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mc, "draw_mistakes", Mock(side_effect=ImportError("no FreeType")))
    run_without_training(tmp_path, 0.5, monkeypatch)
    assert set(contents(tmp_path)) == RESULTS - {"mistakes.png"}
    out, err = capsys.readouterr()
    assert out.endswith("Training completed!\n")
    assert err == "warning: no FreeType\n"


# --- saved weights ---
class Malice:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


STATE = SmallCNN().state_dict()
NAN = {**STATE, "head.bias": torch.full((10,), torch.nan)}
BAD_WEIGHTS = {
    "malicious": lambda path: torch.save({**STATE, "head.bias": Malice()}, path),
    "truncated": lambda path: torch.save(STATE, path) or os.truncate(path, 80_000),
    "folder": lambda path: path.mkdir(),
    "missing": lambda path: None,
    "other network": lambda path: torch.save(nn.Linear(2, 2).state_dict(), path),
    "a number": lambda path: torch.save(5, path),
    "text": lambda path: path.write_bytes(b"weights"),
    "not finite": lambda path: torch.save(NAN, path),
}


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
@pytest.mark.parametrize("mode", ["--predict=x.png", "--evaluate"])
def test_bad_weights_are_refused_and_run_nothing(kind, mode, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    BAD_WEIGHTS[kind](tmp_path / "final_model.pth")
    assert main([mode, f"--output-dir={tmp_path}", "--device=cpu"]) == 1
    assert_one_line(capsys.readouterr().err, "final_model.pth")
    assert not (tmp_path / "executed").exists()


# --- the claim ---
def test_evaluate_derives_the_claim_again(finished_run, data_dir, capsys, monkeypatch):
    monkeypatch.setattr(mc, "compute_logits", compute := Mock(wraps=mc.compute_logits))
    (finished_run / "mistakes.png").unlink()
    assert main(arguments(data_dir, finished_run, "--evaluate")) == 0
    assert [len(call.args[1]) for call in compute.mock_calls] == [330]  # each image once
    assert (finished_run / "mistakes.png").exists()
    shown = capsys.readouterr()
    accuracy = (finished_run / "test_accuracy.txt").read_text(encoding="ascii")
    error = math.sqrt(float(accuracy) * (100 - float(accuracy)) / 330)
    assert f"Accuracy: {accuracy}%, standard error {error:.2f}% (330 images)" in shown.out
    assert f"claims the same: {accuracy}" in shown.out
    # The same in a folder that cannot be written:
    monkeypatch.setattr(os, "replace", Mock(side_effect=PermissionError(13, "Permission denied")))
    assert main(arguments(data_dir, finished_run, "--evaluate")) == 0
    out, err = capsys.readouterr()
    assert out == shown.out
    assert re.fullmatch(r"warning: cannot write mistakes\.png .*Permission denied\n", err)


def test_the_table_counts_each_label_against_each_answer(tmp_path, monkeypatch, capsys):
    digits = Digits(torch.zeros(6, 1, 28, 28).byte(), torch.tensor([0, 0, 1, 1, 1, 7]))
    logits = torch.eye(10)[[0, 0, 7, 1, 7, 2]]
    monkeypatch.setattr(mc, "compute_logits", Mock(return_value=logits))
    (tmp_path / "test_accuracy.txt").write_bytes(b"50.00\n")
    mc.run_evaluation(SmallCNN(), digits, tmp_path)
    _, header, *rows, _ = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["label", "answered", *"0123456789", "right"]
    assert rows[0] == ["0", "2", *".........", "100.00%"]
    assert rows[1] == ["1", ".", "1", *".....", "2", ".", ".", "33.33%"]
    assert rows[7] == ["7", ".", ".", "1", *".......", "0.00%"]


@pytest.mark.parametrize("claim", [b"99.99", "99,9\u00e4".encode("latin-1"), b""])
def test_a_wrong_claim_fails_with_mistakes_drawn(claim, finished_run, data_dir, tmp_path, capsys):
    shutil.copy(finished_run / "final_model.pth", tmp_path)
    (tmp_path / "test_accuracy.txt").write_bytes(claim)
    assert main(arguments(data_dir, tmp_path, "--evaluate")) == 1
    assert_one_line(capsys.readouterr().err, "claims", "but these weights give")
    assert (tmp_path / "mistakes.png").exists()


def test_the_picture_of_mistakes_shows_the_200_surest_of_them_the_surest_first(monkeypatch):
    texts = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda _, xy, text, *more: texts.append(text))
    shades = torch.tensor([90, 250, 10, 170], dtype=torch.uint8)
    digits = Digits(shades.view(4, 1, 1, 1).expand(4, 1, 28, 28), torch.tensor([0, 1, 3, 2]))
    logits = shades.view(4, 1) / 50 * torch.eye(10)[3]  # a 3 each: the brighter, the surer
    page = mc.draw_mistakes(digits, logits, columns=2)
    tiles = (80, 130), (216, 130), (80, 310)
    assert [page.getpixel(tile)[0] for tile in tiles] == [250, 170, 90]
    title, *captions = [text.split("\n")[0] for text in texts]
    assert title == "3 of 4 wrong, the surest first"
    assert captions == ["1 read as 3", "2 read as 3", "0 read as 3"]
    assert mc.draw_mistakes(digits, torch.eye(10)[digits.labels]).height < 100
    many = Digits(*(t.repeat_interleave(80, dim=0) for t in digits))  # 240 mistakes
    mc.draw_mistakes(many, logits.repeat_interleave(80, dim=0))
    assert len(texts) == 4 + 1 + 201


# --- interruption ---
def test_ctrl_c_after_the_imports_ends_with_one_line_and_130(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(PROGRAM), "--predict", "any.png"])
    monkeypatch.setattr(torch, "load", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(SystemExit, match="^130$"):
        runpy.run_path(str(PROGRAM), run_name="__main__")
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to another process there")
def test_ctrl_c_while_torch_is_being_imported_ends_quietly(tmp_path):
    slow = "import time; print('importing', flush=True); time.sleep(60)"
    (tmp_path / "torch.py").write_text(slow, encoding="ascii")
    program = shutil.copy(PROGRAM, tmp_path)
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
        assert main(arguments(data_dir, finished_run, "--evaluate")) == 1
        print("what Python flushes at the end goes nowhere", flush=True)
    assert capsys.readouterr().err == ""


def test_killed_at_random_moments_the_same_command_ends_with_the_same_bits(
    data_dir, tmp_path, finished_run
):
    """KILLS=20 kills twenty runs in a row, in one folder that holds an earlier run's results."""
    short = ["--epochs=3", "--batch-size=50", "--lr=1e-4"]  # a second, and another network
    assert main(arguments(data_dir, tmp_path / "whole", *short)) == 0
    shutil.copytree(finished_run, tmp_path / "killed")
    again = arguments(data_dir, tmp_path / "killed", *short)
    whole, earlier = pair(tmp_path / "whole"), pair(finished_run)
    allowed = {earlier, whole, (earlier[0], None), (whole[0], None)}
    rng, kills, wanted = random.Random(0), 0, int(os.environ.get("KILLS", "2"))
    while kills < wanted:
        with start(["-m", "tests.drawn_digits", data_dir, *again], stderr=DEVNULL) as process:
            for _ in range(rng.randrange(9)):  # lines of the log: the last ones are the writing
                process.stdout.readline()
            time.sleep(rng.uniform(0, 0.2))
            process.kill()
            rest = process.stdout.read()
        kills += b"completed" not in rest  # else it was over before it could be killed
        assert pair(tmp_path / "killed") in allowed
    assert main(again) == 0
    ended, expected = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    for files in (ended, expected):  # without the seconds
        files["history.csv"] = re.sub(rb",[^,]*\n", b"\n", files["history.csv"])
    assert ended == expected
