"""MNIST's files: whole, broken, missing, and from servers of every kind, all on loopback."""

import gzip
import hashlib
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torchvision import datasets

import mnist_classifier
from mnist_classifier import Failure, load_mnist, main
from tests.conftest import assert_one_line, contents, raises
from tests.drawn_digits import checksums, draw_digits, write_drawn_mnist

CPU = torch.device("cpu")
NAMES = list(mnist_classifier.MNIST_SHA256)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Data folder of 40 drawn digits, taken for MNIST, which nobody can download."""
    write_drawn_mnist(tmp_path / "data", train=30, test=10)
    sums = [hashlib.md5(packed(tmp_path / "data", name)).hexdigest() for name in NAMES]
    resources = [(f"{name}.gz", md5) for name, md5 in zip(NAMES, sums, strict=True)]
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nobody listens there
    monkeypatch.setattr(mnist_classifier, "MNIST_SHA256", checksums(tmp_path / "data"))
    yield tmp_path / "data"
    socket.setdefaulttimeout(None)


def raw(data: Path) -> Path:
    return data / "MNIST" / "raw"


def packed(data: Path, name: str) -> bytes:
    return gzip.compress((raw(data) / name).read_bytes(), mtime=0)


def pack(data: Path) -> None:
    """Put the .gz beside each unpacked file."""
    for name in NAMES:
        (raw(data) / f"{name}.gz").write_bytes(packed(data, name))


def assert_loads(data: Path) -> None:
    train_set, test_set = load_mnist(data, CPU)
    for mine, drawn in ((train_set, draw_digits(30, seed=1)), (test_set, draw_digits(10, seed=2))):
        assert torch.equal(mine.images, drawn.images)
        assert torch.equal(mine.labels, drawn.labels)


BROKEN = {
    "truncated": lambda content: content[:-1],
    "one bit flipped": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "empty": lambda content: b"",
    "label out of range": lambda content: content[:-1] + b"\x0b",
    "longer": lambda content: content + b"\0",
    "text": lambda content: b"not a file of MNIST",
}


@pytest.mark.parametrize("kind", [*BROKEN, "swapped"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_not_mnist_is_named_and_left_alone(name, kind, data, capsys):
    before = contents(raw(data))
    other = before[NAMES[NAMES.index(name) - 1]]
    before[name] = other if kind == "swapped" else BROKEN[kind](before[name])
    (raw(data) / name).write_bytes(before[name])
    assert main([f"--data-dir={data}", f"--output-dir={data / 'out'}"]) == 1
    assert_one_line(capsys.readouterr().err, f"{raw(data) / name} is not MNIST's", "--data-dir")
    assert contents(raw(data)) == before
    assert not (data / "out").exists()


def test_a_broken_file_beside_its_good_gz_is_unpacked_again(data):
    pack(data)
    before = contents(raw(data))
    (raw(data) / NAMES[0]).write_bytes(b"broken")
    (raw(data) / NAMES[3]).unlink()
    assert_loads(data)
    assert contents(raw(data)) == before


def test_another_gz_in_its_place_is_left_alone(data, capsys):
    pack(data)
    (raw(data) / NAMES[2]).unlink()
    (raw(data) / f"{NAMES[2]}.gz").write_bytes(gzip.compress(b"another data set"))
    before = contents(raw(data))
    assert main([f"--data-dir={data}"]) == 1
    assert "cannot download" in capsys.readouterr().err
    assert contents(raw(data)) == before


def test_the_old_format_of_torchvision_is_not_looked_at(data):
    processed = data / "MNIST" / "processed"
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(5, 28, 28, dtype=torch.uint8), torch.zeros(5)), processed / name)
    assert_loads(data)


def test_without_data_and_network_one_line_names_the_files_and_their_folder(data, tmp_path, capsys):
    empty = tmp_path / "empty"
    assert main([f"--data-dir={empty}", f"--output-dir={tmp_path / 'out'}"]) == 1
    files = [f"{name}.gz" for name in NAMES]
    assert_one_line(capsys.readouterr().err, str(raw(empty)), "--data-dir", *files)
    assert contents(raw(empty)) == {}


def test_a_folder_that_cannot_be_written_is_enough(data, monkeypatch):
    refuse = raises(PermissionError(13, "Permission denied"))
    monkeypatch.setattr(mnist_classifier.tempfile, "TemporaryDirectory", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert_loads(data)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.answer(self.wfile.write, self.path.strip("/"))

    def log_message(self, *args: object) -> None:
        pass


def respond(write, body: bytes, status: str = "200 OK", length: int | None = None) -> None:
    size = len(body) if length is None else length
    write(f"HTTP/1.0 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body)


@pytest.fixture
def mirror(data, monkeypatch):
    """Make the program download from loopback, from one more server that answers as is said."""
    files = {f"{name}.gz": packed(data, name) for name in NAMES}
    servers = []

    def start(answer) -> None:
        servers.append(server := ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        server.answer = lambda write, name: answer(write, files[name])
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        urls = [f"http://127.0.0.1:{server.server_port}/" for server in servers]
        monkeypatch.setattr(datasets.MNIST, "mirrors", urls)

    yield start
    for server in servers:
        server.shutdown()
        server.socket.close()  # without waiting for answers that stall


def test_missing_files_are_downloaded_once(mirror, tmp_path):
    mirror(respond)
    assert_loads(tmp_path / "new")
    mirror(lambda *_: pytest.fail("asked again"))
    assert_loads(tmp_path / "new")
    assert sorted(contents(raw(tmp_path / "new"))) == sorted(NAMES)


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
    mirror, data, tmp_path, monkeypatch
):
    mirror(respond)
    read, place = mnist_classifier.read_mnist_file, raw(tmp_path / "new")

    def read_just_too_early(path: Path) -> torch.Tensor | None:
        values = read(path)
        if values is None and path.parent == place:
            place.mkdir(parents=True, exist_ok=True)
            path.write_bytes((raw(data) / path.name).read_bytes())
        return values

    monkeypatch.setattr(mnist_classifier, "read_mnist_file", read_just_too_early)
    assert_loads(tmp_path / "new")


def test_programs_that_start_on_an_empty_folder_together_do_not_disturb_each_other(
    mirror, tmp_path
):
    mirror(respond)
    whole = []

    def load() -> None:
        assert_loads(tmp_path / "new")
        whole.append(True)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for step in (threading.Thread.start, threading.Thread.join):
        for thread in threads:
            step(thread)
    assert whole == [True] * 4
    assert sorted(contents(raw(tmp_path / "new"))) == sorted(NAMES)


def test_the_real_checksums_are_those_of_mnist():
    sums = mnist_classifier.MNIST_SHA256
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in sums.values())
    assert [f"{name}.gz" for name in sums] == [name for name, _ in datasets.MNIST.resources]
