#!/usr/bin/env bash
# snnTorch can compare the first few spikes of each output with the times at which they shall come
# (multi_spike=True). When it has found a spike of each, it erases whole time steps instead of these
# spikes: at each step at which any output of any digit has its spike, all outputs of all digits
# lose theirs. So outputs that fire exactly as they shall can have a loss above 0, and the loss of
# a digit can depend on the other digits that are looked at with it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 \
    snntorch==1.0.0 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import snntorch.functional as spiking
import torch

STEPS, LABELS = 20, 10


def spikes(labels: list[int], right: list[int], others: list[int]) -> torch.Tensor:
    """Return outputs that fire when they shall: those of the labels, and all the others."""
    fired = torch.zeros(STEPS, len(labels), LABELS)
    for place, label in enumerate(labels):
        for output in range(LABELS):
            fired[right if output == label else others, place, output] = 1
    return fired


def loss(labels: list[int], fired: torch.Tensor, right: list[int], others: list[int]) -> float:
    """Return the loss of the outputs, for the times at which they shall fire."""
    measure = spiking.mse_temporal_loss(on_target=right, off_target=others, multi_spike=True)
    return measure(fired, torch.tensor(labels)).item()


print("versions:", *[f"{name} {version(name)}" for name in ("snntorch", "torch")])
print("guess: outputs that fire exactly when they shall have a loss of 0")
for right, others, is_zero in (
    ([2, 6], [9, 13], True), ([2, 9], [9, 13], False), ([2, 6], [6, 13], False)
):
    seen = loss([3, 7], spikes([3, 7], right, others), right, others)
    print(f"seen: the label's output shall fire, and does, at {right}, others at {others}:"
          f" loss {seen:.4f}")
    assert (seen == 0) == is_zero, "another loss now"
print("guess: a digit's second spike is found wherever the spikes of other digits are")
alone = torch.zeros(STEPS, 1, LABELS)
alone[[2, 6], 0] = 1  # all outputs fire at 2 and 6
for step, expected in ((4, 6), (6, STEPS - 1)):
    other = torch.zeros(STEPS, 1, LABELS)
    other[step, 0, 0] = 1  # one output of another digit fires once
    measure = spiking.mse_temporal_loss(on_target=[2, 6], off_target=[2, 6], multi_spike=True)
    times, _ = measure.spk_time_fn(torch.cat([alone, other], dim=1), torch.tensor([3, 7]))
    seen = sorted(set(times[1, 0].tolist()))
    print(f"seen: a digit fires at 2 and 6, another one at {step}: second spikes at {seen}")
    assert seen == [expected], "it finds other spikes now"
PYTHON
