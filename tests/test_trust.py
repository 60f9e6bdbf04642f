"""What may go wrong: the data, the weights, the numbers, an interruption."""

import gzip
import json
import os
import random
import re
import resource
import signal
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import datasets

import mnist_classifier
from mnist_classifier import Digits, Failure, SmallCNN, load_mnist, main
from tests.drawn_digits import checksums, draw_digits, write_drawn_mnist
from tests.test_program import arguments, quiet_threads

CPU = torch.device("cpu")
NAMES = list(mnist_classifier.MNIST_SHA256)
ROOT = Path(mnist_classifier.__file__).parent


# --- data ---


@pytest.fixture
def small_mnist(tmp_path, monkeypatch) -> Path:
    """Data folder of 40 drawn digits, taken for MNIST, which nobody can download."""
    write_drawn_mnist(tmp_path / "data", train=30, test=10)
    monkeypatch.setattr(mnist_classifier, "MNIST_SHA256", checksums(tmp_path / "data"))
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nobody listens there
    return tmp_path / "data"


def pack(data_dir: Path) -> None:
    """Replace the unpacked files by their .gz."""
    for name in NAMES:
        path = data_dir / "MNIST" / "raw" / name
        path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def broken_versions(content: bytes, other: bytes) -> dict[str, bytes]:
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    return {
        "truncated": content[:-1],
        "one bit flipped": bytes(flipped),
        "swapped": other,
        "empty": b"",
        "label out of range": content[:-1] + b"\x0b",
        "longer": content + b"\0",
    }


@pytest.mark.parametrize("kind", broken_versions(b"..", b""))
@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_named_with_the_remedy(name, kind, small_mnist, capsys):
    raw = small_mnist / "MNIST" / "raw"
    other = (raw / NAMES[NAMES.index(name) - 1]).read_bytes()
    (raw / name).write_bytes(broken_versions((raw / name).read_bytes(), other)[kind])
    assert main([f"--data-dir={small_mnist}", f"--output-dir={small_mnist / 'out'}"]) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(r"error: cannot get MNIST .*\n", err)
    assert str(raw / name) in err
    assert "--data-dir" in err
    assert not (small_mnist / "out").exists()


def test_without_data_and_network_the_error_names_the_files_and_their_folder(
    small_mnist, tmp_path, capsys
):
    empty = tmp_path / "empty"
    assert main([f"--data-dir={empty}", f"--output-dir={tmp_path / 'out'}"]) == 1
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert all(f"{name}.gz" in err for name in NAMES)
    assert str(empty / "MNIST" / "raw") in err
    assert "--data-dir" in err


def test_a_broken_file_beside_its_good_gz_is_repaired(small_mnist):
    raw = small_mnist / "MNIST" / "raw"
    good = {name: (raw / name).read_bytes() for name in NAMES}
    pack(small_mnist)
    (raw / NAMES[0]).write_bytes(b"broken")
    train_set, _ = load_mnist(small_mnist, CPU)
    assert torch.equal(train_set.images, draw_digits(30, seed=1)[0])
    assert {name: (raw / name).read_bytes() for name in NAMES} == good
    assert all(path.suffix != ".new" for path in raw.iterdir())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("packed", [False, True])
def test_a_read_only_data_folder_is_enough(small_mnist, packed):
    if packed:
        pack(small_mnist)
    raw = small_mnist / "MNIST" / "raw"
    raw.chmod(0o555)
    try:
        assert len(load_mnist(small_mnist, CPU)[0].labels) == 30
    finally:
        raw.chmod(0o755)


def test_a_data_folder_that_cannot_be_written_is_enough(small_mnist, monkeypatch):
    pack(small_mnist)

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert len(load_mnist(small_mnist, CPU)[0].labels) == 30


def test_a_disk_that_fills_up_while_unpacking_leaves_no_half_file(small_mnist, monkeypatch):
    pack(small_mnist)
    write_bytes = Path.write_bytes

    def write_half(path, content):
        write_bytes(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    assert len(load_mnist(small_mnist, CPU)[0].labels) == 30
    left = sorted(path.name for path in (small_mnist / "MNIST" / "raw").iterdir())
    assert left == sorted(f"{name}.gz" for name in NAMES)


class Server(socketserver.ThreadingTCPServer):
    """Answers every request on loopback with the same bytes, or with those of a file."""

    daemon_threads = True

    def __init__(self, answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.requests = answer, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        path = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.requests += 1
        self.server.answer(self.wfile.write, path.strip("/"))


def respond(write, body: bytes, status: str = "200 OK", length: int | None = None) -> None:
    size = len(body) if length is None else length
    write(f"HTTP/1.0 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body)


@pytest.fixture
def mirror(small_mnist, monkeypatch):
    """Make the program download from a server that answers as the test says."""
    packed = {
        f"{n}.gz": gzip.compress((small_mnist / "MNIST" / "raw" / n).read_bytes()) for n in NAMES
    }
    servers = []

    def start(answer) -> Server:
        servers.append(Server(lambda write, name: answer(write, packed[name])))
        monkeypatch.setattr(datasets.MNIST, "mirrors", [server.url for server in servers])
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_missing_files_are_downloaded_once(mirror, tmp_path):
    server = mirror(respond)
    first = load_mnist(tmp_path / "new", CPU)
    again = load_mnist(tmp_path / "new", CPU)
    assert server.requests == 4
    assert torch.equal(first[1].images, again[1].images)
    assert torch.equal(first[1].images, draw_digits(10, seed=2)[0])


BAD_SERVERS = {
    "answers 404": lambda write, body: respond(write, b"", "404 Not Found"),
    "sends a page": lambda write, body: respond(write, b"<html>Please log in</html>"),
    "sends another file": lambda write, body: respond(write, gzip.compress(b"other")),
    "breaks off": lambda write, body: respond(write, body[:-20], length=len(body)),
    "breaks off without a word": lambda write, body: respond(write, body[: len(body) // 2]),
    "says nothing": lambda write, body: None,
    "talks nonsense": lambda write, body: write(b"\0\1\2\r\n\r\n"),
    "stalls": lambda write, body: (respond(write, body[:30], length=len(body)), time.sleep(5)),
    "never answers": lambda write, body: time.sleep(5),
}


@pytest.mark.parametrize("kind", BAD_SERVERS)
def test_a_bad_server_is_an_error_in_bounded_time_and_the_next_mirror_is_asked(
    kind, mirror, tmp_path, monkeypatch
):
    monkeypatch.setattr(mnist_classifier, "NETWORK_TIMEOUT", 0.3)
    started = time.perf_counter()
    mirror(BAD_SERVERS[kind])
    with pytest.raises(Failure, match="cannot get MNIST"):
        load_mnist(tmp_path / "new", CPU)
    assert time.perf_counter() - started < 3
    assert not list(tmp_path.glob("new/**/*ubyte*"))
    mirror(respond)
    assert len(load_mnist(tmp_path / "new", CPU)[0].labels) == 30


def test_two_programs_on_an_empty_folder_do_not_disturb_each_other(mirror, tmp_path):
    mirror(respond)
    sizes, threads = [], []
    for _ in range(4):
        target = lambda: sizes.append(len(load_mnist(tmp_path / "new", CPU)[0].labels))  # noqa: E731
        threads.append(threading.Thread(target=target))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [30] * 4
    assert sorted(path.name for path in (tmp_path / "new/MNIST/raw").iterdir()) == sorted(NAMES)


def test_the_real_checksums_are_those_of_mnist():
    sums = mnist_classifier.MNIST_SHA256
    assert len(sums) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in sums.values())
    assert {f"{name}.gz" for name in sums} == {name for name, _ in datasets.MNIST.resources}


# --- weights ---


class Malice:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def write_bad_weights(path: Path, kind: str) -> None:
    state = SmallCNN().state_dict()
    if kind == "malicious":
        torch.save({**state, "head.bias": Malice()}, path)
    elif kind == "truncated":
        torch.save(state, path)
        path.write_bytes(path.read_bytes()[:-1000])
    elif kind == "folder":
        path.mkdir()
    elif kind == "other network":
        torch.save(nn.Linear(2, 2).state_dict(), path)
    elif kind == "a number":
        torch.save(5, path)
    elif kind == "text":
        path.write_text("weights")
    elif kind == "not finite":
        state["head.bias"][3] = torch.nan
        torch.save(state, path)


BAD_WEIGHTS = ["malicious", "truncated", "folder", "other network", "a number", "text"]


@pytest.mark.parametrize("kind", [*BAD_WEIGHTS, "not finite"])
@pytest.mark.parametrize("mode", ["--predict=x.png", "--evaluate"])
def test_bad_weights_are_refused_and_run_nothing(
    kind, mode, tmp_path, data_dir, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_bad_weights(tmp_path / "final_model.pth", kind)
    assert main([mode, f"--data-dir={data_dir}"]) == 1
    assert re.fullmatch(r"error: final_model\.pth .*\n", capsys.readouterr().err)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_a_bad_checkpoint_is_refused_and_runs_nothing(
    kind, tmp_path, data_dir, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_bad_weights(tmp_path / "checkpoint.pth", kind)
    assert main(["--resume", f"--data-dir={data_dir}"]) == 1
    assert re.fullmatch(r"error: .*checkpoint\.pth.*\n", capsys.readouterr().err)
    assert not (tmp_path / "executed").exists()


# --- numbers ---


def test_a_loss_that_is_not_finite_stops_the_run(data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist_classifier, "augment", poison_third_call())
    (tmp_path / "test_accuracy.txt").write_text("99.99")
    assert main(arguments(data_dir, tmp_path, "--epochs=3")) == 1
    assert "not finite at step 3 of epoch 1" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["test_accuracy.txt"]
    assert (tmp_path / "test_accuracy.txt").read_text() == "99.99"


def poison_third_call():
    calls = []

    def augment(images, config):
        calls.append(1)
        return images * (torch.nan if len(calls) == 3 else 1)

    return augment


def test_the_settings_are_printed_and_kept(data_dir, tmp_path, capsys):
    run = arguments(data_dir, tmp_path, "--epochs=1", "--seed=5", "--batch-size=500")
    assert main(run) == 0
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["seed"] == 5
    assert settings["batch_size"] == 500
    assert settings["torch"] == torch.__version__
    assert settings["threads"] == 1
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("Settings: "))
    assert line == "Settings: " + ", ".join(f"{k}={v}" for k, v in settings.items())


# --- interruption ---

# A rate so low that the loss stands still, so that the schedule has something to remember.
SHORT_RUN = ["--epochs=5", "--batch-size=50", "--lr=1e-4"]


def start(
    data_dir: Path, output_dir: Path, *more: str, largest_file: int | None = None
) -> subprocess.Popen:
    def limit_files() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    command = [sys.executable, "-m", "tests.drawn_digits", data_dir]
    return subprocess.Popen(
        [*command, *arguments(data_dir, output_dir, *SHORT_RUN, *more)],
        cwd=ROOT,
        env=quiet_threads(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit_files,
    )


@pytest.mark.parametrize("largest_file", [0, 20_000, 200_000])  # bytes; a checkpoint has more
def test_a_disk_that_fills_up_leaves_the_earlier_results_whole(data_dir, tmp_path, largest_file):
    earlier = {"final_model.pth": b"weights", "test_accuracy.txt": b"99.99"}
    for name, content in earlier.items():
        (tmp_path / name).write_bytes(content)
    process = start(data_dir, tmp_path, largest_file=largest_file)
    _, err = process.communicate()
    assert process.returncode == 1
    assert re.fullmatch(r"error: cannot write .*\n", err)
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: left[name] for name in earlier} == earlier
    assert not [name for name in left if name.endswith(".new")]


def results(output_dir: Path) -> dict[str, bytes]:
    """Contents of every file of a finished run; the history without its seconds."""
    files = {path.name: path.read_bytes() for path in output_dir.iterdir()}
    lines = files["history.csv"].splitlines()
    files["history.csv"] = b"\n".join(line.rpartition(b",")[0] for line in lines)
    return files


@pytest.fixture(scope="module")
def uninterrupted(data_dir, tmp_path_factory) -> dict[str, bytes]:
    output_dir = tmp_path_factory.mktemp("whole")
    assert main(arguments(data_dir, output_dir, *SHORT_RUN)) == 0
    return results(output_dir)


def test_a_run_that_is_stopped_after_any_epoch_resumes_to_the_same_bits(
    data_dir, tmp_path, uninterrupted, monkeypatch, capsys
):
    run = arguments(data_dir, tmp_path, *SHORT_RUN)
    for epoch in range(2, 6):
        interrupted_run([*run, "--resume"], epoch, monkeypatch)
        assert "--resume" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pth"]
    assert main([*run, "--resume"]) == 0
    assert results(tmp_path) == uninterrupted


def interrupted_run(run: list[str], interrupted_epoch: int, monkeypatch) -> None:
    """Interrupt `run` when `interrupted_epoch` begins."""
    train_epoch = mnist_classifier.train_epoch

    def stop(model, average, optimizer, digits, config, epoch):
        if epoch == interrupted_epoch:
            raise KeyboardInterrupt
        return train_epoch(model, average, optimizer, digits, config, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(mnist_classifier, "train_epoch", stop)
        assert main(run) == 130


@pytest.mark.parametrize("poison", ["not finite", "missing", "other shape"])
def test_a_checkpoint_that_cannot_be_gone_on_with_is_refused(
    poison, data_dir, tmp_path, monkeypatch, capsys
):
    run = arguments(data_dir, tmp_path, *SHORT_RUN)
    interrupted_run(run, 2, monkeypatch)
    state = torch.load(tmp_path / "checkpoint.pth", weights_only=True)
    if poison == "not finite":
        state["average"]["module.head.bias"][0] = torch.nan
    elif poison == "missing":
        del state["random"]
    else:
        state["model"]["head.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "checkpoint.pth")
    capsys.readouterr()
    assert main([*run, "--resume"]) == 1
    assert re.fullmatch(r"error: checkpoint\.pth .*\n", capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pth"]


def test_other_settings_are_named_and_refused(data_dir, tmp_path, capsys):
    run = arguments(data_dir, tmp_path, *SHORT_RUN)
    torch.save({"settings": {"seed": 3}}, tmp_path / "checkpoint.pth")
    assert main([*run, "--resume"]) == 1
    err = capsys.readouterr().err
    assert "seed was 3, is 0" in err
    assert "batch_size was None, is 50" in err


def test_killed_at_random_moments_it_still_ends_with_the_same_bits(
    data_dir, tmp_path, uninterrupted
):
    rng = random.Random(0)
    kills, wanted = 0, int(os.environ.get("KILLS", "2"))
    for attempt in range(3 * wanted):  # now and then the run is over before it is killed
        output_dir = tmp_path / str(attempt)
        process = start(data_dir, output_dir)
        while not process.stdout.readline().startswith("Total"):  # the first epoch begins
            assert process.poll() is None
        time.sleep(rng.uniform(0, 1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            continue
        kills += 1
        process = start(data_dir, output_dir, "--resume")
        _, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        assert results(output_dir) == uninterrupted
        if kills == wanted:
            break
    assert kills == wanted


def test_digits_of_another_size_are_still_loaded(small_mnist):
    assert [len(d.labels) for d in load_mnist(small_mnist, CPU)] == [30, 10]
    assert isinstance(load_mnist(small_mnist, CPU)[0], Digits)
