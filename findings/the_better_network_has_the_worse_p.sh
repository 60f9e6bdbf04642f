#!/usr/bin/env bash
# mlxtend's test for two accuracies calls the probability below z its "p-value". So the answer
# depends on the order of the two networks, equal accuracies have p = 0.5, and the better network,
# named first, looks the less significant the better it is.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mlxtend==0.25.0 scipy==1.17.1

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

from mlxtend.evaluate import proportion_difference
from scipy.stats import norm

TEST_IMAGES = 10_000  # as in MNIST
WORSE, BETTER, MUCH_BETTER = 0.9941, 0.9963, 0.9990

print("versions: mlxtend", version("mlxtend"), "scipy", version("scipy"))
print("guess: p is small where the accuracies differ, whichever is named first, and 1 for equals")


def p_value(first: float, second: float) -> float:
    """Return mlxtend's p for two accuracies on as many images as MNIST's test set has."""
    z, p = proportion_difference(first, second, TEST_IMAGES)
    print(f"seen: {first:.4f} against {second:.4f}: z = {z:+.2f}, p = {p:.4f}", end="")
    print(f" (two-sided by scipy: {2 * norm.sf(abs(z)):.4f})")
    return float(p)


worse_first = p_value(WORSE, BETTER)
equal = p_value(WORSE, WORSE)
better_first = p_value(BETTER, WORSE)
much_better_first = p_value(MUCH_BETTER, WORSE)

assert worse_first < 0.05, "the worse network named first is not significant any more"
assert equal == 0.5, "equal accuracies have another p now"
assert 0.95 < better_first < much_better_first, "the better network named first is significant now"
PYTHON
