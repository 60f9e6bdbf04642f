#!/usr/bin/env bash
# mahotas adds up the ink of each stroke in the type of the picture: a digit of 8 bits, as MNIST
# and every scan have it, has its ink counted modulo 256, and a big stroke can weigh less than a
# speck. The documentation promises what numpy's sum gives, which never does this.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mahotas==1.4.19 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import mahotas
import numpy as np

picture = np.zeros((28, 28), dtype=np.uint8)
picture[4:24, 8:12] = 240  # a stroke of 80 pixels
picture[20, 20] = 100  # a speck of one pixel
regions, _ = mahotas.label(picture > 0)
stroke, speck = regions[4, 8], regions[20, 20]

ink = mahotas.labeled.labeled_sum(picture, regions)
wide_ink = mahotas.labeled.labeled_sum(picture.astype(np.int64), regions)

print("versions: mahotas", version("mahotas"), "numpy", version("numpy"))
print("guess: labeled_sum(picture, regions)[i] is picture[regions == i].sum(), as documented")
print("seen: numpy's sums:        stroke", picture[regions == stroke].sum(), end=", ")
print("speck", picture[regions == speck].sum())
print("seen: mahotas, 8 bits:     stroke", ink[stroke], "and speck", ink[speck])
print("seen: mahotas, 64 bits:    stroke", wide_ink[stroke], "and speck", wide_ink[speck])

assert picture[regions == stroke].sum() == wide_ink[stroke] == 80 * 240, "the right sum changed"
assert ink[stroke] == 80 * 240 % 256, "the ink of the stroke is not counted modulo 256 any more"
assert ink[stroke] < ink[speck], "the stroke outweighs the speck now"
PYTHON
