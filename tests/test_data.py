"""MNIST's files: whole, broken, missing, and from servers of every kind, all on loopback."""

import gzip
import hashlib
import re
import socket
import socketserver
import threading
import time
from pathlib import Path

import pytest
import torch
from torchvision import datasets

import mnist_classifier
from mnist_classifier import Failure, load_mnist, main
from tests.conftest import assert_one_line
from tests.drawn_digits import checksums, draw_digits, write_drawn_mnist

CPU = torch.device("cpu")
NAMES = list(mnist_classifier.MNIST_SHA256)


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Data folder of 40 drawn digits, taken for MNIST, which nobody can download."""
    write_drawn_mnist(tmp_path / "data", train=30, test=10)
    raw = tmp_path / "data" / "MNIST" / "raw"
    resources = [(f"{n}.gz", hashlib.md5(packed(raw / n)).hexdigest()) for n in NAMES]
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nobody listens there
    monkeypatch.setattr(mnist_classifier, "MNIST_SHA256", checksums(tmp_path / "data"))
    yield tmp_path / "data"
    socket.setdefaulttimeout(None)


def packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


def pack(data_dir: Path) -> Path:
    """Put the .gz beside each unpacked file; return their folder."""
    raw = data_dir / "MNIST" / "raw"
    for name in NAMES:
        (raw / f"{name}.gz").write_bytes(packed(raw / name))
    return raw


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_loads(data_dir: Path) -> None:
    train_set, test_set = load_mnist(data_dir, CPU)
    for mine, drawn in ((train_set, draw_digits(30, seed=1)), (test_set, draw_digits(10, seed=2))):
        assert torch.equal(mine.images, drawn.images)
        assert torch.equal(mine.labels, drawn.labels)


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
        "text": b"not a file of MNIST",
    }


@pytest.mark.parametrize("kind", broken_versions(b"..", b""))
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_not_mnist_is_named_and_left_alone(name, kind, small_mnist, capsys):
    raw = small_mnist / "MNIST" / "raw"
    other = (raw / NAMES[NAMES.index(name) - 1]).read_bytes()
    (raw / name).write_bytes(broken_versions((raw / name).read_bytes(), other)[kind])
    before = contents(raw)
    assert main([f"--data-dir={small_mnist}", f"--output-dir={small_mnist / 'out'}"]) == 1
    assert_one_line(capsys.readouterr().err, f"{raw / name} is not MNIST's", "--data-dir")
    assert contents(raw) == before
    assert not (small_mnist / "out").exists()


def test_a_broken_file_beside_its_good_gz_is_unpacked_again(small_mnist):
    before = contents(pack(small_mnist))
    raw = small_mnist / "MNIST" / "raw"
    (raw / NAMES[0]).write_bytes(b"broken")
    (raw / NAMES[3]).unlink()
    assert_loads(small_mnist)
    assert contents(raw) == before


def test_another_gz_in_its_place_is_left_alone(small_mnist, capsys):
    raw = pack(small_mnist)
    (raw / NAMES[2]).unlink()
    (raw / f"{NAMES[2]}.gz").write_bytes(gzip.compress(b"another data set"))
    before = contents(raw)
    assert main([f"--data-dir={small_mnist}"]) == 1
    assert "cannot download" in capsys.readouterr().err
    assert contents(raw) == before


def test_the_old_format_of_torchvision_is_not_looked_at(small_mnist):
    processed = small_mnist / "MNIST" / "processed"
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(5, 28, 28, dtype=torch.uint8), torch.zeros(5)), processed / name)
    assert_loads(small_mnist)


def test_without_data_and_network_one_line_names_the_files_and_their_folder(
    small_mnist, tmp_path, capsys
):
    empty = tmp_path / "empty"
    assert main([f"--data-dir={empty}", f"--output-dir={tmp_path / 'out'}"]) == 1
    folder, files = str(empty / "MNIST" / "raw"), [f"{name}.gz" for name in NAMES]
    assert_one_line(capsys.readouterr().err, folder, "--data-dir", *files)
    assert list(Path(folder).iterdir()) == []


def test_a_folder_that_cannot_be_written_is_enough(small_mnist, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(mnist_classifier.tempfile, "TemporaryDirectory", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert_loads(small_mnist)


class Server(socketserver.ThreadingTCPServer):
    """Answers every request on loopback as `answer(write, name of the file)` does."""

    daemon_threads = True

    def __init__(self, answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        path = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.answer(self.wfile.write, path.strip("/"))


def respond(write, body: bytes, status: str = "200 OK", length: int | None = None) -> None:
    size = len(body) if length is None else length
    write(f"HTTP/1.0 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body)


@pytest.fixture
def mirror(small_mnist, monkeypatch):
    """Make the program download from a server that answers as the test says."""
    files = {f"{name}.gz": packed(small_mnist / "MNIST" / "raw" / name) for name in NAMES}
    servers = []

    def start(answer) -> None:
        servers.append(Server(lambda write, name: answer(write, files[name])))
        urls = [f"http://127.0.0.1:{server.server_address[1]}/" for server in servers]
        monkeypatch.setattr(datasets.MNIST, "mirrors", urls)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_missing_files_are_downloaded_once(mirror, tmp_path):
    mirror(respond)
    assert_loads(tmp_path / "new")
    mirror(lambda *_: pytest.fail("asked again"))
    assert_loads(tmp_path / "new")
    assert sorted(contents(tmp_path / "new" / "MNIST" / "raw")) == sorted(NAMES)


BAD_SERVERS = {
    "answers 404": lambda write, body: respond(write, b"", "404 Not Found"),
    "sends a page": lambda write, body: respond(write, b"<html>Please log in</html>"),
    "sends another file": lambda write, body: respond(write, gzip.compress(b"other")),
    "breaks off": lambda write, body: respond(write, body[:-20], length=len(body)),
    "says nothing": lambda write, body: None,
    "talks nonsense": lambda write, body: write(b"\0\1\2\r\n\r\n"),
    "stalls": lambda write, body: (respond(write, body[:30], length=len(body)), time.sleep(30)),
    "never answers": lambda write, body: time.sleep(30),
}


@pytest.mark.parametrize("kind", BAD_SERVERS)
def test_a_bad_server_is_given_up_and_the_next_one_is_asked(kind, mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_classifier, "NETWORK_TIMEOUT", 0.3)
    mirror(BAD_SERVERS[kind])
    started = time.perf_counter()
    with pytest.raises(Failure, match="cannot download MNIST"):
        load_mnist(tmp_path / "new", CPU)
    assert time.perf_counter() - started < 20  # seconds; a server that stalls does so for 30
    assert not list((tmp_path / "new").glob("**/*ubyte*"))
    mirror(respond)
    assert_loads(tmp_path / "new")


def test_a_file_that_another_program_puts_in_place_meanwhile_is_no_stranger(
    mirror, small_mnist, tmp_path, monkeypatch
):
    mirror(respond)
    read = mnist_classifier.read_mnist_file

    def read_just_too_early(path: Path) -> torch.Tensor | None:
        values = read(path)
        if values is None and path.parent == tmp_path / "new" / "MNIST" / "raw":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((small_mnist / "MNIST" / "raw" / path.name).read_bytes())
        return values

    monkeypatch.setattr(mnist_classifier, "read_mnist_file", read_just_too_early)
    assert_loads(tmp_path / "new")


def test_two_programs_on_an_empty_folder_do_not_disturb_each_other(mirror, tmp_path):
    mirror(respond)
    problems = []

    def load() -> None:
        try:
            assert_loads(tmp_path / "new")
        except (AssertionError, Failure, OSError) as error:
            problems.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sorted(contents(tmp_path / "new" / "MNIST" / "raw")) == sorted(NAMES)


def test_the_real_checksums_are_those_of_mnist():
    sums = mnist_classifier.MNIST_SHA256
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in sums.values())
    assert [f"{name}.gz" for name in sums] == [name for name, _ in datasets.MNIST.resources]
