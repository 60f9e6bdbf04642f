import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

# The program is imported where it is used: without a class SmallCNN, tests/test_model.py says so.

ROOT = Path(__file__).resolve().parent.parent
torch.set_num_threads(1)  # for a few images at a time: a second one would only wait for the first
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"  # where the tests' servers are


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes many seconds; leave it out with -m 'not slow'")


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Data folder of a small set of drawn digits, which the program then takes for MNIST."""
    import mnist_classifier
    from tests.drawn_digits import checksums, write_drawn_mnist

    folder = tmp_path_factory.mktemp("data")
    write_drawn_mnist(folder, train=1000, test=330)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist_classifier, "MNIST_SHA256", checksums(folder))
        yield folder


@pytest.fixture(scope="session")
def finished_run(data_dir, tmp_path_factory) -> Path:
    """Output folder of a short training on them."""
    from mnist_classifier import main

    output_dir = tmp_path_factory.mktemp("run") / "not" / "there yet"
    assert main(arguments(data_dir, output_dir, "--epochs=3", "--batch-size=16")) == 0
    return output_dir


@pytest.fixture
def shipped_model():
    """The network with the shipped weights; a test that wants it is skipped if they are replaced.

    Training leaves its history beside the weights, and a changed network has others.
    """
    from mnist_classifier import HISTORY_FILE, Failure, SmallCNN, load_model

    if (ROOT / HISTORY_FILE).exists():
        pytest.skip("the shipped weights were replaced by a training of your own")
    kinds = [type(layer).__name__ for layer in SmallCNN().features]
    if kinds != ["Conv2d", "BatchNorm2d", "Hardswish"] * 4:
        pytest.skip("the network is not the one of the shipped weights any more")
    try:
        return load_model(ROOT)
    except Failure as failure:
        if "another network" not in str(failure):
            raise
        pytest.skip("the network is not the one of the shipped weights any more")


def arguments(data_dir: Path, output_dir: Path, *more: str) -> list[str]:
    return [f"--data-dir={data_dir}", f"--output-dir={output_dir}", "--device=cpu", *more]


def start(command: list[object], **options) -> subprocess.Popen:
    """Start Python with `command` on one thread, as a user would, from the project's folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    path = str(ROOT)
    if "PYTHONPATH" in os.environ:
        path += os.pathsep + os.environ["PYTHONPATH"]
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": path}
    defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT}
    command = [sys.executable, *map(str, command)]
    return subprocess.Popen(command, env=environment, **(defaults | options))


def assert_one_line(error: str, *parts: str) -> None:
    """`error` is one line for the user, and says all of `parts`."""
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1, error
    assert error.strip().isprintable(), error  # no escape codes
    assert [part for part in parts if part not in error] == [], error


def contents(folder: Path) -> dict[str, bytes]:
    """The files in `folder`, without those in folders of its own."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
