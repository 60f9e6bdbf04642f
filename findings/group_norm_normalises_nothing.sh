#!/usr/bin/env bash
# onnx2pytorch makes of a GroupNorm a layer that normalises nothing, if the file is of PyTorch's
# older exporter (dynamo=False), which stores its scale of 1 as a constant: the network is
# converted without a warning, and in evaluation mode its values keep the mean and the spread that
# they had. The layer follows running statistics, which the file does not have, so that they say
# mean 0 and variance 1. InstanceNorm, whose scale is stored as a weight, is converted rightly.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    torch==2.14.1 torchvision==0.29.1 onnx==1.23.2 onnxruntime==1.32.0 onnx2pytorch==0.6.0

venv/bin/python - <<'PYTHON'
import io
import warnings
from importlib.metadata import version

import onnx
import onnxruntime
import torch
from onnx2pytorch import ConvertModel
from torch import Tensor, nn

warnings.filterwarnings("ignore", "You are using the legacy TorchScript-based ONNX export")
torch.manual_seed(0)
images = 3 * torch.rand(16, 8, 12, 12) + 1  # maps of a network, mean 2.5


def export(layer: nn.Module) -> onnx.ModelProto:
    """Return `layer` as ONNX."""
    file = io.BytesIO()
    torch.onnx.export(layer, (images,), file, dynamo=False)
    return onnx.load_from_string(file.getvalue())


def by_onnxruntime(model: onnx.ModelProto) -> Tensor:
    """Return what onnxruntime makes of the images."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (name,) = [each.name for each in session.get_inputs()]
    return torch.tensor(session.run(None, {name: images.numpy()})[0])


def describe(values: Tensor) -> str:
    """Return mean and standard deviation as text, without a minus before zero."""
    return f"mean {abs(values.mean().item()):.2f}, standard deviation {values.std().item():.2f}"


names = ("torch", "onnx", "onnxruntime", "onnx2pytorch")
print("versions:", ", ".join(f"{name} {version(name)}" for name in names))
print("guess: the converted layer does what it did before")
for layer, is_alike in ((nn.InstanceNorm2d(8, affine=True), True), (nn.GroupNorm(4, 8), False)):
    model = export(layer.eval())
    converted = ConvertModel(model).eval()
    with torch.inference_mode():
        right, seen = layer(images), converted(images)
    print(f"seen: {type(layer).__name__}")
    print("  in torch:            ", describe(right))
    print("  in onnxruntime:      ", describe(by_onnxruntime(model)))
    print("  by onnx2pytorch:     ", describe(seen))
    assert torch.allclose(by_onnxruntime(model), right, atol=1e-4), "the file says something else"
    assert torch.allclose(seen, right, atol=1e-4) == is_alike, "it is converted otherwise now"
    assert is_alike or torch.allclose(seen, images, atol=1e-3), "it does normalise now"
PYTHON
