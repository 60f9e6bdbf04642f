import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread_and_a_fixed_seed():
    """These networks see a few images at a time: a second thread would only wait for the first."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
