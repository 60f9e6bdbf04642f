#!/usr/bin/env bash
# susi's self-organizing map, if asked for any distance but the Euclidean one, puts all digits into
# its first column: of 8 x 8 nodes, 56 stay empty. It computes the distance of each node and
# stores it with an array of two numbers as the index, which numpy takes for two whole rows. With
# more columns than rows, it stops with an IndexError.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check susi==1.4.3 numpy==2.4.6 \
    scipy==1.17.1 scikit-learn==1.9.1

"$folder/venv/bin/python" - <<'PYTHON'
from collections import Counter
from importlib.metadata import version

import numpy as np
import susi
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

digits, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
digits = digits / 16
known, new = slice(0, 500), slice(500, 800)

print("versions:", *[f"{name} {version(name)}" for name in ("susi", "numpy", "scipy")])
print("guess: digits go to the node that is nearest, and use all columns of the map")
for metric, name in {
    "euclidean": "euclidean", "manhattan": "cityblock", "tanimoto": None, "spectralangle": None
}.items():
    options = {"n_rows": 8, "n_columns": 8, "distance_metric": metric, "random_state": 0}
    som = susi.SOMClustering(n_iter_unsupervised=2000, **options).fit(digits[known])
    homes, nodes = [np.array(som.get_bmus(digits[part])) for part in (known, new)]
    columns = sorted(set(nodes[:, 1].tolist()))
    print(f"seen: {metric}: digits lie in the columns {columns}")
    assert columns == (list(range(8)) if name == "euclidean" else [0]), "it uses other columns"
    if name:
        home, node = homes @ [8, 1], nodes @ [8, 1]  # the numbers of nodes, from 0 to 63
        owners = [Counter(labels[known][home == number]) for number in range(64)]
        names = [owner.most_common(1)[0][0] if owner else -1 for owner in owners]
        answers = np.array(names)[node]
        right = 100 * (answers == labels[new]).mean()
        distances = cdist(digits[new], som.unsuper_som_.reshape(64, 64), name)
        nearest = 100 * (node == distances.argmin(axis=1)).mean()
        print(f"seen: {metric}: {nearest:.0f} % of the digits go to the nearest node;"
              f" {right:.0f} % have the label that is the most frequent in their node")
        assert nearest == 100 if name == "euclidean" else nearest < 50, "it chooses other nodes"
    if metric == "manhattan":  # the same map, with pairs instead of arrays as the index
        som.node_list_ = [tuple(node) for node in som.node_list_]
        columns = sorted(set(np.array(som.get_bmus(digits[new]))[:, 1].tolist()))
        print(f"with pairs as the index: columns {columns}")
        assert len(columns) > 1, "the index is not the cause any more"
wide = susi.SOMClustering(2, 4, distance_metric="manhattan", n_iter_unsupervised=5)
try:
    wide.fit(digits[known])
except IndexError as error:
    print(f"seen: 2 rows of 4 columns: {error}")
else:
    raise AssertionError("it takes more columns than rows now")
PYTHON
