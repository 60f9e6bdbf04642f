#!/usr/bin/env bash
# safetensors.numpy saves an array that does not lie in memory in the order of its axes, such as a
# transposed matrix or a convolution filter of a network in PyTorch's channels_last, with its
# numbers in the wrong places: the shape is right, and there is no error, though its page asks for
# contiguous arrays. (0.7.0 saved them rightly.) Its module for PyTorch refuses such a tensor.
# np.ascontiguousarray mends it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load_file, save_file


def saved_and_loaded(array: np.ndarray) -> np.ndarray:
    """Return what is in a file that `array` was saved to."""
    save_file({"weights": array}, "weights.safetensors")
    return load_file("weights.safetensors")["weights"]


print("versions: safetensors", version("safetensors"), "numpy", version("numpy"))
print("guess: what is loaded is what was saved, or saving is refused")

matrix = np.arange(6).reshape(2, 3).T  # as for a layer whose weights are stored the other way round
print("seen: saved ", matrix.tolist())
print("seen: loaded", saved_and_loaded(matrix).tolist())
assert (saved_and_loaded(matrix) == [[0, 1], [2, 3], [4, 5]]).all(), "its order is another now"

filters = np.random.default_rng(0).normal(size=(16, 3, 3, 8)).transpose(0, 3, 1, 2)
same = (saved_and_loaded(filters) == filters).mean()
print(f"seen: filters with the channels last in memory: {100 * same:.1f} % are the same")
assert saved_and_loaded(filters).shape == filters.shape and same < 0.2, "they are saved rightly now"

mended = np.ascontiguousarray(filters)
assert (saved_and_loaded(mended) == filters).all(), "ascontiguousarray does not mend it"
print("seen: after np.ascontiguousarray, all are")
PYTHON
