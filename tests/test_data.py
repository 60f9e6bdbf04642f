"""MNIST's files: whole, broken, missing, and from servers of every kind, all on loopback."""

import gzip
import hashlib
import os
import re
import socket
import threading
import time
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler
from unittest.mock import Mock

import pytest
import torch
from torchvision import datasets

import mnist_classifier as mc
from mnist_classifier import Failure, load_mnist, main
from tests.conftest import assert_one_line, contents
from tests.drawn_digits import checksums, draw_digits, write_drawn_mnist

CPU = torch.device("cpu")
NAMES = list(mc.MNIST_SHA256)
ARCHIVES = [f"{name}.gz" for name in NAMES]
RAW = Path("MNIST", "raw")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Data folder of 40 drawn digits, taken for MNIST, which nobody can download."""
    write_drawn_mnist(tmp_path / "data", train=30, test=10)
    sums = [hashlib.md5(packed(tmp_path / "data", name)).hexdigest() for name in NAMES]
    monkeypatch.setattr(datasets.MNIST, "resources", list(zip(ARCHIVES, sums, strict=True)))
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nobody listens there
    monkeypatch.setattr(mc, "MNIST_SHA256", checksums(tmp_path / "data"))
    (tmp_path / "data" / "MNIST" / "processed").mkdir()  # torchvision's old format: not looked at
    torch.save([torch.zeros(5)] * 2, tmp_path / "data" / "MNIST" / "processed" / "training.pt")
    yield tmp_path / "data"
    socket.setdefaulttimeout(None)


def packed(data: Path, name: str) -> bytes:
    return gzip.compress((data / RAW / name).read_bytes(), mtime=0)


def assert_loads(data: Path) -> None:
    """All of the drawn digits come from this folder, in which nothing else is left."""
    (images, labels), (test_images, test_labels) = load_mnist(data, CPU)
    expected = [*draw_digits(30, seed=1), *draw_digits(10, seed=2)]
    assert all(map(torch.equal, (images, labels, test_images, test_labels), expected))
    assert {*contents(data / RAW)} - {*ARCHIVES} == {*NAMES}


BROKEN = {  # what is in place of a file, which has this whole and comes after that other file
    "truncated": lambda whole, other: whole[:-1],
    "one bit flipped": lambda whole, other: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
    "empty": lambda whole, other: b"",
    "label out of range": lambda whole, other: whole[:-1] + b"\x0b",
    "longer": lambda whole, other: whole + b"\0",
    "text": lambda whole, other: b"not a file of MNIST",
    "swapped": lambda whole, other: other,
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_not_mnist_is_named_and_left_alone(name, kind, data, capsys):
    before = contents(data / RAW)
    before[name] = BROKEN[kind](before[name], before[NAMES[NAMES.index(name) - 1]])
    (data / RAW / name).write_bytes(before[name])
    assert main([f"--data-dir={data}", f"--output-dir={data / 'out'}"]) == 1
    assert_one_line(capsys.readouterr().err, f"{data / RAW / name} is not MNIST's", "--data-dir")
    assert contents(data / RAW) == before
    assert not (data / "out").exists()


def test_a_good_gz_is_unpacked_again_and_another_in_its_place_is_left_alone(data, mirror):
    for name in NAMES:
        (data / RAW / f"{name}.gz").write_bytes(packed(data, name))
    before = contents(data / RAW)
    (data / RAW / NAMES[0]).write_bytes(b"broken")
    (data / RAW / NAMES[3]).unlink()
    assert_loads(data)
    assert contents(data / RAW) == before
    (data / RAW / NAMES[2]).unlink()
    before[ARCHIVES[2]] = gzip.compress(b"another data set")
    (data / RAW / ARCHIVES[2]).write_bytes(before[ARCHIVES[2]])
    mirror(respond)
    assert_loads(data)
    assert contents(data / RAW) == before


def test_without_data_and_network_one_line_names_the_files_and_their_folder(data, tmp_path, capsys):
    empty = tmp_path / "empty"
    assert main([f"--data-dir={empty}", f"--output-dir={tmp_path / 'out'}"]) == 1
    assert_one_line(capsys.readouterr().err, str(empty / RAW), "--data-dir", *ARCHIVES)
    assert contents(empty / RAW) == {}


def test_a_folder_that_cannot_be_written_is_enough(data, monkeypatch):
    refuse = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(mc.tempfile, "TemporaryDirectory", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert_loads(data)


class Handler(StreamRequestHandler):
    def handle(self) -> None:
        request, *_ = iter(self.rfile.readline, b"\r\n")  # with its headers
        self.server.answer(self.wfile.write, request.decode().split()[1].strip("/"))


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


def test_missing_files_are_downloaded_once_and_put_in_place_whole(mirror, tmp_path, monkeypatch):
    mirror(respond)
    with monkeypatch.context() as patch, pytest.raises(Failure, match="Permission denied"):
        patch.setattr(os, "replace", Mock(side_effect=PermissionError(13, "Permission denied")))
        load_mnist(tmp_path, CPU)
    assert contents(tmp_path / RAW) == {}
    assert_loads(tmp_path)
    mirror(lambda *_: pytest.fail("asked again"))
    assert_loads(tmp_path)


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
    monkeypatch.setattr(mc, "NETWORK_TIMEOUT", 0.3)
    mirror(BAD_SERVERS[kind])
    started = time.perf_counter()
    with pytest.raises(Failure, match="cannot download MNIST"):
        load_mnist(tmp_path / "new", CPU)
    assert time.perf_counter() - started < 20  # seconds; a server that stalls does so for 30
    assert not list((tmp_path / "new").glob("**/*ubyte*"))
    mirror(respond)
    assert_loads(tmp_path / "new")


def test_programs_that_load_together_do_not_disturb_each_other(mirror, tmp_path, monkeypatch):
    mirror(respond)
    interrupted = []

    def call(function, *args, **options):
        """Call `function`; let another program load everything when it first ends."""
        result = function(*args, **options)
        if function not in interrupted:
            interrupted.append(function)
            load_mnist(tmp_path / "new", CPU)
        return result

    for owner, name in ((mc, "read_mnist_file"), (datasets.utils, "download_and_extract_archive")):
        monkeypatch.setattr(owner, name, partial(call, getattr(owner, name)))
    assert_loads(tmp_path / "new")
    assert len(interrupted) == 2


def test_the_real_checksums_are_those_of_mnist():
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in mc.MNIST_SHA256.values())
    assert [name for name, _ in datasets.MNIST.resources] == ARCHIVES
