#!/usr/bin/env bash
# usearch takes pixels of 8 bits (numpy.uint8) for packed bits, even if its index is told to hold
# numbers of 8 bits: of a digit of 64 bytes, the first 8 bytes are read as 64 pixels of one bit,
# and the other 56 do not count. Here the nearest neighbours are then right for a third of the
# digits. Said again in each call (dtype="u8"), all the pixels count; so they do as floats. (Its
# maintainers know it, and keep it until the next major version.)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    usearch==2.26.6 scikit-learn==1.9.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from sklearn.datasets import load_digits
from usearch.index import Index

pixels, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
pixels = (pixels * 15).astype(np.uint8)  # from 0 to 240
known, new = slice(0, 1000), slice(1000, None)


def nearest(pixels: np.ndarray, held_as: str, **said_again: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest known digit of each new one by exact search, and its distance."""
    index = Index(ndim=64, metric="l2sq", dtype=held_as)
    index.add(np.arange(1000), pixels[known], **said_again)
    matches = index.search(pixels[new], 1, exact=True, **said_again)
    return np.asarray(matches.keys).ravel().astype(int), np.asarray(matches.distances).ravel()


def right(keys: np.ndarray) -> float:
    """Return for how many percent of the new digits the neighbour has the same label."""
    return 100 * float((labels[keys] == labels[new]).mean())


print("versions: usearch", version("usearch"), "numpy", np.__version__)
print("guess: an index of 8-bit numbers compares all the pixels of 8-bit digits")
squares = (pixels[new].astype(int)[:, None] - pixels[known].astype(int)[None]) ** 2
expected = squares.sum(axis=2).min(axis=1)

keys, distances = nearest(pixels, "u8")
print(f"seen: bytes: {right(keys):.1f} % right, distances", distances[:4], "not", expected[:4])
assert right(keys) < 50 and distances.max() <= 64, "it compares more than bits now"
changed = pixels.copy()
changed[:, 8:] = np.random.default_rng(0).integers(0, 256, (len(pixels), 56))
assert (nearest(changed, "u8")[1] == distances).all(), "the pixels after the 8th count now"
print("seen: with all the pixels after the 8th changed at random, the distances are the same")

for how, held in (
    ('bytes, and dtype="u8" in each call', nearest(pixels, "u8", dtype="u8")),
    ("floats in an index of floats", nearest(pixels.astype(np.float32), "f32")),
):
    print(f"seen: {how}: {right(held[0]):.1f} % right, distances", held[1][:4])
    assert (held[1] == expected).all() and right(held[0]) > 95, "the control goes wrong as well"
PYTHON
