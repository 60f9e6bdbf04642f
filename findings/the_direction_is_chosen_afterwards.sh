#!/usr/bin/env bash
# autorank compares two networks, if their results are not normal, by a one-sided Wilcoxon test.
# Its side is that of the network with the higher median in the very results that are tested. So of
# comparisons of equally good networks, about a tenth find a difference at the level of 5 %; where
# one is found, p is half of the two-sided one. Only its verbose output says "one-sided". Its
# t-test, taken for normal results, is two-sided. Here, force_mode says which test to take.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    autorank==1.3.0 scipy==1.17.1 pandas==3.0.6 numpy==2.4.6

"$folder/venv/bin/python" - 2> /dev/null <<'PYTHON'
import contextlib
import io
from importlib.metadata import version

import numpy as np
import pandas as pd
from autorank import autorank
from scipy.stats import ttest_rel, wilcoxon

random = np.random.default_rng(0)


def p_by_autorank(results: pd.DataFrame, kind: str) -> float:
    """Return the p-value of autorank for the results of two networks."""
    with contextlib.redirect_stdout(io.StringIO()):
        return float(autorank(results, alpha=0.05, verbose=False, force_mode=kind).pvalue)


def alike_networks() -> pd.DataFrame:
    """Return 20 accuracies of each of two networks of the same skill."""
    return pd.DataFrame(0.7 + 0.005 * random.standard_t(3, size=(20, 2)), columns=["one", "other"])


print("versions: autorank", version("autorank"), "scipy", version("scipy"))
print("guess: at 5 %, a twentieth of comparisons of equally good networks find a difference")
results = alike_networks()
swapped = results[["other", "one"]].set_axis(["one", "other"], axis=1)
two_sided = wilcoxon(results.one, results.other).pvalue
p_values = [p_by_autorank(data, "nonparametric") for data in (results, swapped)]
print(f"seen: Wilcoxon: autorank p = {p_values[0]:.4f}, swapped {p_values[1]:.4f}", end="; ")
print(f"scipy, two-sided: {two_sided:.4f}")
assert np.allclose(p_values, two_sided / 2), "its test is two-sided now"
p_of_t, expected = p_by_autorank(results, "parametric"), ttest_rel(*results.values.T).pvalue
print(f"seen: t-test: autorank p = {p_of_t:.4f}; scipy, two-sided: {expected:.4f}")
assert np.isclose(p_of_t, expected), "the control (the t-test) is one-sided as well"

trials = [alike_networks() for _ in range(400)]
called = np.mean([p_by_autorank(trial, "nonparametric") < 0.05 for trial in trials])
called_by_scipy = np.mean([wilcoxon(trial.one, trial.other).pvalue < 0.05 for trial in trials])
print(f"seen: of 400 pairs of equally good networks, {100 * called:.1f} % have p < 0.05", end="; ")
print(f"by scipy, two-sided: {100 * called_by_scipy:.1f} %")
assert called > 0.075 > called_by_scipy, "it finds fewer differences now"
PYTHON
