from pathlib import Path

import pytest
import torch

from mnist_classifier import main
from tests.drawn_digits import write_drawn_mnist


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """These networks see a few images at a time: a second thread would only wait for the first."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """Data folder of a small set of drawn digits."""
    folder = tmp_path_factory.mktemp("data")
    write_drawn_mnist(folder, train=1000, test=330)
    return folder


@pytest.fixture(scope="session")
def finished_run(data_dir, tmp_path_factory) -> Path:
    """Output folder of a short training on them."""
    output_dir = tmp_path_factory.mktemp("run") / "not" / "there yet"
    where = [f"--data-dir={data_dir}", f"--output-dir={output_dir}", "--device=cpu"]
    assert main([*where, "--epochs=3", "--batch-size=16"]) == 0
    return output_dir
