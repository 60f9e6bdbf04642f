#!/usr/bin/env bash
# OnnxSlim merges a multiplication into the convolution before it. If a network gives each column
# (or each row) of its maps a weight, and has as many channels as columns, then each channel gets a
# weight instead: a network of 8 channels on digits of 8 x 8 pixels reads worse, and one of 7 or 9
# channels is kept as it was. The weights are squeezed to one axis before their number is compared
# with that of the channels, so that it is lost which axis they were for.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxslim==0.1.98 \
    onnx==1.23.2 onnxruntime==1.32.0 scikit-learn==1.9.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
import onnxslim
from onnx import helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

pixels, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
pixels = (pixels / 16).reshape(-1, 1, 8, 8).astype(np.float32)
known, new = slice(0, 1000), slice(1000, None)
middle = np.exp(-((np.arange(8) - 3.5) ** 2) / 4)  # the middle has the greatest weights
axes = {"columns": (1, 1, 1, 8), "rows": (1, 1, 8, 1), "channels": (1, 8, 1, 1)}


def network(channels: int, weighted: str, readout: dict | None = None) -> onnx.ModelProto:
    """Return a network that weighs columns, rows or channels; the readout gives ten digits."""
    filters = np.random.default_rng(0).standard_normal((channels, 1, 3, 3))
    values = {"filters": filters, "weights": middle.reshape(axes[weighted])} | (readout or {})
    nodes = [
        helper.make_node("Conv", ["pixels", "filters"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Mul", ["maps", "weights"], ["weighted"]),
        helper.make_node("Relu", ["weighted"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["features"]),
    ]
    if readout:
        nodes.append(helper.make_node("Gemm", ["features", "w", "b"], ["digits"], transB=1))
    last, size = ("digits", 10) if readout else ("features", channels * 64)
    inputs = [helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, ["n", 1, 8, 8])]
    outputs = [helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, ["n", size])]
    initializers = [
        numpy_helper.from_array(array.astype(np.float32), name) for name, array in values.items()
    ]
    graph = helper.make_graph(nodes, "digits", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def answers(model: onnx.ModelProto, pictures: np.ndarray) -> np.ndarray:
    """Return what the network answers to the pictures."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"pixels": pictures})[0]


print("versions:", *[f"{name} {version(name)}" for name in ("onnxslim", "onnx", "onnxruntime")])
print("guess: the slimmed network answers as before")
for channels, weighted, is_alike in (
    (8, "channels", True),
    (8, "columns", False),
    (8, "rows", False),
    (7, "columns", True),
    (9, "columns", True),
):
    features = answers(network(channels, weighted), pixels[known])
    fit = LogisticRegression(max_iter=5000, tol=0.01).fit(features, labels[known])
    readout = {"w": fit.coef_, "b": fit.intercept_}
    before = answers(network(channels, weighted, readout), pixels[new])
    after = answers(onnxslim.slim(network(channels, weighted, readout)), pixels[new])
    right = [100 * (found.argmax(1) == labels[new]).mean() for found in (before, after)]
    print(f"seen: {channels} channels, weights of {weighted}:", end=" ")
    print(f"right before {right[0]:.1f} %, after {right[1]:.1f} %")
    assert np.allclose(before, after, atol=1e-3) == is_alike, "it keeps other answers now"
    if not is_alike:
        others = answers(network(channels, "channels", readout), pixels[new])
        assert np.allclose(after, others, atol=1e-3), "the weights go elsewhere now"
        assert right[1] < right[0] - 2, "it reads as well as before now"
PYTHON
