"""MNIST's files: whole, broken, missing, and from servers of several kinds, all on loopback."""

import errno
import gzip
import hashlib
import os
import re
import socket
import threading
import time
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler
from unittest.mock import Mock

import pytest
import torch
from torchvision import datasets

import mnist_classifier as mc
from mnist_classifier import Failure, load_mnist, main
from tests.conftest import assert_one_line, contents, start
from tests.drawn_digits import checksums, draw_digits, write_drawn_mnist

NAMES = list(mc.MNIST_SHA256)
ARCHIVES = [f"{name}.gz" for name in NAMES]
RAW = Path("MNIST", "raw")


@pytest.fixture(autouse=True)
def a_proxy_that_is_not_there(monkeypatch):
    """As in a school or a company, where requests to this machine itself do not go through it."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it would remember the proxies of before


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Data folder of 40 drawn digits, taken for MNIST, which nobody can download."""
    folder = tmp_path / "data"
    write_drawn_mnist(folder, train=30, test=10)
    monkeypatch.setattr(mc, "MNIST_SHA256", checksums(folder))
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nobody listens there
    sums = [hashlib.md5(packed(folder, name)).hexdigest() for name in NAMES]
    monkeypatch.setattr(datasets.MNIST, "resources", list(zip(ARCHIVES, sums, strict=True)))
    return folder


def packed(data: Path, name: str) -> bytes:
    return gzip.compress((data / RAW / name).read_bytes(), mtime=0)


def assert_loads(data: Path) -> None:
    """All of the drawn digits come from this folder, in which nothing else is left."""
    for found, seed in zip(load_mnist(data), (1, 2), strict=True):
        expected = draw_digits(len(found.labels), seed)
        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.labels, expected.labels)
    assert {path.name for path in (data / RAW).iterdir()} <= {*NAMES, *ARCHIVES}


BROKEN = {  # what is in place of a file, which has this whole and comes after that other file
    "cut short": lambda whole, other: whole[:-1],
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
    assert main([f"--data-dir={data}", f"--output-dir={data}"]) == 1
    assert_one_line(capsys.readouterr().err, f"{data / RAW / name} is not MNIST's", "--data-dir")
    assert contents(data / RAW) == before


def test_a_file_that_cannot_be_read_is_a_failure(data, monkeypatch):
    refuse = Mock(side_effect=PermissionError(errno.EACCES, "Permission denied"))
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(Failure, match=rf"cannot read .*{NAMES[0]} \(Permission denied\): see --d"):
        load_mnist(data)


def test_another_data_set_beside_a_missing_file_is_named_and_left_alone(data, mirror):
    mirror(respond)
    (data / RAW / NAMES[3]).unlink()
    (data / RAW / NAMES[0]).write_bytes(b"clothes")
    with pytest.raises(Failure, match=re.escape(f"{data / RAW / NAMES[0]} is not MNIST's")):
        load_mnist(data)
    assert (data / RAW / NAMES[0]).read_bytes() == b"clothes"


def test_files_that_are_there_are_not_written_over(data):
    for name in NAMES:
        (data / RAW / f"{name}.gz").write_bytes(packed(data, name))
    (data / RAW / NAMES[3]).unlink()
    before = {name: (data / RAW / name).stat().st_mtime_ns for name in [*NAMES[:3], *ARCHIVES]}
    assert_loads(data)
    assert before == {name: (data / RAW / name).stat().st_mtime_ns for name in before}


def test_another_split_is_refused(data):
    with pytest.raises(ValueError, match="must be 'train' or 't10k', not 'test'"):
        mc.load_digits(data, "test")


@pytest.mark.parametrize("content", [b"other", b""], ids=["other", "empty"])
def test_an_archive_that_is_not_mnist_is_left_alone_and_not_used(content, data, mirror):
    mirror(respond)
    (data / RAW / NAMES[2]).unlink()
    (data / RAW / ARCHIVES[2]).write_bytes(content)
    assert_loads(data)
    assert (data / RAW / ARCHIVES[2]).read_bytes() == content


def test_an_archive_that_was_cut_short_is_named_where_there_is_no_network(data):
    for name in NAMES:
        (data / RAW / f"{name}.gz").write_bytes(packed(data, name))
        (data / RAW / name).unlink()
    os.truncate(data / RAW / ARCHIVES[2], 100)
    with pytest.raises(Failure, match=f"Error downloading {ARCHIVES[2]}"):
        load_mnist(data)


def test_four_archives_are_enough_without_a_network(data):
    for name in NAMES:
        (data / RAW / f"{name}.gz").write_bytes(packed(data, name))
        (data / RAW / name).unlink()
    assert_loads(data)


def test_what_else_lies_beside_the_archives_does_not_matter(data):
    for name in NAMES:
        (data / RAW / f"{name}.gz").write_bytes(packed(data, name))
        (data / RAW / name).unlink()
    (data / RAW / "a folder.gz").mkdir()
    assert len(load_mnist(data)[0].labels) > 0


def test_the_test_set_alone_needs_its_own_files_alone(data):
    for name in NAMES[:2]:
        (data / RAW / name).unlink()
    assert torch.equal(mc.load_digits(data, "t10k").labels, draw_digits(10, seed=2).labels)


def test_files_that_are_there_need_no_torchvision(data):
    code = """
import sys
import mnist_classifier as mc
from tests.drawn_digits import checksums
data_dir = sys.argv[1]
mc.MNIST_SHA256 = checksums(Path(data_dir))
mc.load_mnist(data_dir)
assert "torchvision" not in sys.modules
"""
    process = start(["-c", "from pathlib import Path" + code, data])
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_without_data_and_network_one_line_says_what_to_put_where(data, tmp_path, capsys):
    empty = tmp_path / "empty"
    assert main([f"--data-dir={empty}", f"--output-dir={tmp_path / 'out'}"]) == 1
    assert_one_line(
        capsys.readouterr().err, str(empty / RAW), "--data-dir", "put its four .gz files there"
    )
    assert contents(empty / RAW) == {}


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

    def start_server(answer) -> None:
        servers.append(server := ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        server.answer = lambda write, name: answer(write, files[name])
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        urls = [f"http://127.0.0.1:{server.server_port}/" for server in servers]
        monkeypatch.setattr(datasets.MNIST, "mirrors", urls)

    yield start_server
    for server in servers:
        server.shutdown()
        server.socket.close()  # without waiting for answers that stall


def test_missing_files_are_downloaded_once_and_nothing_is_drawn(
    mirror, tmp_path, monkeypatch, capfd
):
    mirror(respond)
    scratch = Mock(wraps=mc.tempfile.TemporaryDirectory)
    monkeypatch.setattr(mc.tempfile, "TemporaryDirectory", scratch)
    assert_loads(tmp_path)
    assert scratch.call_args.kwargs["dir"] == tmp_path / RAW  # on the disk where they will be
    assert capfd.readouterr() == (f"Getting MNIST (12 MB) into {tmp_path / RAW}\n", "")
    mirror(lambda *_: pytest.fail("asked again"))
    assert_loads(tmp_path)


def test_a_missing_file_is_downloaded_beside_the_others(data, mirror):
    mirror(respond)
    (data / RAW / NAMES[1]).unlink()
    assert_loads(data)


@pytest.mark.parametrize("timeout", [None, 7.0])
def test_the_timeout_of_sockets_is_put_back(timeout, mirror, tmp_path):
    mirror(respond)
    socket.setdefaulttimeout(timeout)
    try:
        load_mnist(tmp_path)
        assert socket.getdefaulttimeout() == timeout
    finally:
        socket.setdefaulttimeout(None)


def stall(write, body: bytes) -> None:
    respond(write, body[:30], length=len(body))
    time.sleep(30)


BAD_SERVERS = {
    "answers 404": lambda write, body: respond(write, b"", "404 Not Found"),
    "sends a page": lambda write, body: respond(write, b"<html>Please log in</html>"),
    "sends another file": lambda write, body: respond(write, gzip.compress(b"other")),
    "breaks off": lambda write, body: respond(write, body[:-20], length=len(body)),
    "says nothing": lambda write, body: None,
    "talks nonsense": lambda write, body: write(b"\0\1\2\r\n\r\n"),
    "stalls": stall,
    "never answers": lambda write, body: time.sleep(30),
}


@pytest.mark.parametrize("kind", BAD_SERVERS)
def test_a_download_that_fails_is_one_line_and_leaves_nothing(kind, mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(mc, "NETWORK_TIMEOUT", 0.3)
    mirror(BAD_SERVERS[kind])
    started = time.perf_counter()
    with pytest.raises(Failure, match="cannot get MNIST into "):
        load_mnist(tmp_path / "new")
    assert time.perf_counter() - started < 20  # seconds; a server that stalls does so for 30
    assert not list((tmp_path / "new").glob("**/*ubyte*"))
    mirror(respond)
    if kind in ("answers 404", "sends a page", "sends another file", "breaks off"):
        assert_loads(tmp_path / "new")  # from the second mirror


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_download_that_is_cut_off_leaves_nothing(error, mirror, tmp_path, monkeypatch):
    mirror(respond)
    unpack = Mock(side_effect=error)
    monkeypatch.setattr(datasets.mnist, "read_image_file", unpack)  # when all files are there
    with pytest.raises((Failure, KeyboardInterrupt), match="No space left|^$"):
        load_mnist(tmp_path)
    assert list((tmp_path / RAW).iterdir()) == []


def test_the_real_checksums_are_those_of_mnist():
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in mc.MNIST_SHA256.values())
    assert [name for name, _ in datasets.MNIST.resources] == ARCHIVES
