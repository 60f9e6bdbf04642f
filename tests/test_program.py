"""The program as its user sees it, on small digits that the tests draw."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import mnist_classifier
from mnist_classifier import Config, Digits, Epoch, SmallCNN, evaluate, load_mnist, main
from tests.drawn_digits import draw_digits

PROGRAM = Path(mnist_classifier.__file__)


def arguments(data_dir: Path, output_dir: Path, *more: str) -> list[str]:
    return [f"--data-dir={data_dir}", f"--output-dir={output_dir}", "--device=cpu", *more]


def test_a_run_learns_and_writes_weights_and_accuracy_of_the_same_network(finished_run, data_dir):
    assert sorted(path.name for path in finished_run.iterdir()) == [
        "final_model.pth",
        "history.csv",
        "mistakes.png",
        "settings.json",
        "test_accuracy.txt",
    ]
    content = (finished_run / "test_accuracy.txt").read_bytes()
    assert re.fullmatch(rb"\d{1,3}\.\d\d", content)
    assert float(content) > 95  # guessing gives 10
    model = SmallCNN()
    model.load_state_dict(torch.load(finished_run / "final_model.pth", weights_only=True))
    test_set = load_mnist(data_dir, torch.device("cpu"))[1]
    assert len(test_set.labels) == 330
    assert f"{100 * evaluate(model, test_set).accuracy:.2f}".encode() == content


def test_the_log_has_one_line_for_each_event(data_dir, tmp_path, capsys):
    # A rate that is too low to learn makes the loss stand still, so that the schedule acts.
    assert main(arguments(data_dir, tmp_path, "--epochs=2", "--lr=1e-6")) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    parameters = mnist_classifier.count_parameters(SmallCNN())
    assert f"Total trainable parameters: {parameters}" in lines
    assert "Epoch 00002: reducing learning rate of group 0 to 5.0000e-07." in lines
    epoch = re.compile(r"Epoch [12]/2: loss=\d\.\d{3}, acc=\d+\.\d\d%, \d+\.\d s")
    test = re.compile(r"Test set: Average loss: \d\.\d{4}, Accuracy: \d+\.\d\d%")
    assert [bool(epoch.fullmatch(line)) for line in lines].count(True) == 2
    assert [bool(test.fullmatch(line)) for line in lines].count(True) == 2
    assert lines[-1] == "Training completed!"
    assert err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a POSIX thing")
def test_on_a_terminal_each_epoch_is_a_bar_with_loss_and_accuracy(data_dir, tmp_path):
    import pty
    import termios

    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 100))  # rows, columns
    command = [sys.executable, "-m", "tests.drawn_digits", data_dir]
    command += [f"--output-dir={tmp_path}", "--device=cpu", "--epochs=1"]
    with subprocess.Popen(
        command, stdout=follower, stderr=follower, env=quiet_threads(), cwd=PROGRAM.parent
    ):
        os.close(follower)
        text = b""
        try:
            while chunk := os.read(leader, 1024):
                text += chunk
        except OSError:  # how Linux says that the other side has closed
            pass
    os.close(leader)
    bars = [part for part in text.decode().split("\r") if "100%" in part]
    assert re.search(
        r"Epoch 1/1: 100%\|.*\| 8/8 \[.*it/s, loss=\d\.\d+, acc=\d+\.\d\d%\]", bars[-1]
    )


def quiet_threads() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run_program(*args: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, PROGRAM, *args],
        cwd=cwd,
        env=quiet_threads(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_dry_run_works_from_any_folder_and_leaves_nothing(tmp_path):
    (tmp_path / "test_accuracy.txt").write_text("99.99")
    result = run_program("--dry-run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Training completed!" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["test_accuracy.txt"]
    assert (tmp_path / "test_accuracy.txt").read_text() == "99.99"


def test_importing_the_module_does_nothing(tmp_path):
    code = "import torch; torch.manual_seed(1); a = torch.rand(1); torch.manual_seed(1);"
    code += f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r});"
    code += "import mnist_classifier; assert a == torch.rand(1)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_help_shows_the_defaults_of_the_configuration(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in ("epochs", "batch_size", "lr", "seed", "device", "data_dir", "output_dir"):
        option = "--" + name.replace("_", "-")
        assert re.search(
            rf"{option} [^-]*\(default: {re.escape(str(getattr(Config, name)))}\)", text
        )


WRONG_ARGUMENTS = [
    "--epochs=0",
    "--epochs=20",
    "--epochs=two",
    "--batch-size=0",
    "--batch-size=1.5",
    "--lr=nan",
    "--lr=-1",
    "--lr=0",
    "--lr=inf",
    "--seed=-1",
    "--no-such-option",
    "--preview",
    "--predict",
    "--evaluate",
    "--lr=1e300",
    "--batch-size=99999999999",
    "--epochs=nan",
    "--seed=99999999999999999999",
    "surplus",
]


@pytest.mark.parametrize("argument", WRONG_ARGUMENTS)
def test_wrong_arguments_exit_with_2_and_say_why(argument, capsys):
    with pytest.raises(SystemExit) as stop:
        main([argument, "--dry-run"])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"error: .*--help.*\n", err)
    assert argument.split("=")[-1] in err


def assert_fails_with_one_line(argv: list[str], expected: str, capsys) -> None:
    assert main(argv) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(r"error: .*\n", err)
    assert expected in err


@pytest.mark.parametrize("device", ["cuda:99", "mps:99", "meta", "toaster"])
def test_a_device_that_is_not_here_is_no_reason_to_use_another(device, capsys):
    assert_fails_with_one_line(["--dry-run", f"--device={device}"], device, capsys)


def test_an_output_folder_that_cannot_be_is_found_before_training(data_dir, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken" / "final_model.pth").mkdir(parents=True)
    for name, reason in (("file/out", "Not a directory"), ("taken", "final_model.pth is a folder")):
        output_dir = tmp_path / name
        assert main(arguments(data_dir, output_dir)) == 1
        out, err = capsys.readouterr()
        assert err.startswith(f"error: cannot write into {output_dir}: {reason}")
        assert len(err.splitlines()) == 1
        assert "Epoch" not in out


def write_some_results(output_dir: Path, accuracy: float) -> None:
    last = Epoch(1, 0.1, 0.5, 0.8, 0.4, accuracy, 1.5)
    digits = Digits(*draw_digits(10, seed=3))
    mnist_classifier.write_results(SmallCNN(), [last], {"seed": 0}, digits, output_dir)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder where nobody may write")
def test_a_folder_where_nothing_can_be_written_is_found_before_training(data_dir, capsys):
    assert main(arguments(data_dir, Path("/proc"))) == 1
    out, err = capsys.readouterr()
    assert re.fullmatch(r"error: cannot write into /proc: .*--output-dir.*\n", err)
    assert "Epoch" not in out


@pytest.mark.parametrize(
    ("accuracy", "content"), [(0.9958, b"99.58"), (1.0, b"100.00"), (0, b"0.00")]
)
def test_accuracy_file_is_the_percentage_and_nothing_else(accuracy, content, tmp_path):
    write_some_results(tmp_path, accuracy)
    assert (tmp_path / "test_accuracy.txt").read_bytes() == content


@pytest.mark.parametrize(
    "fails", [(torch, "save"), (Path, "write_text"), (Image.Image, "save"), (os, "replace")]
)
def test_a_write_that_fails_leaves_the_earlier_pair_whole(fails, tmp_path, monkeypatch):
    write_some_results(tmp_path, 0.5)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 5

    def disk_full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*fails, disk_full)
    with pytest.raises(mnist_classifier.Failure, match="No space left"):
        write_some_results(tmp_path, 0.75)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
