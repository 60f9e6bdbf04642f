#!/usr/bin/env bash
# onnxconverter-common's optimizer merges a padding into the convolution after it, and takes each
# padding for one of zeros: mirrored pixels, repeated edges and white paper around a digit all
# become a frame of zeros, and a network that was trained without such a frame reads worse. The
# optimizer looks for the kind of padding at the convolution, which has none, not at the padding.
# A padding that comes first in a network stays as it is; here a layer comes before it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxconverter-common==1.16.0 \
    onnx==1.23.2 onnxruntime==1.32.0 scikit-learn==1.9.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnxconverter_common.optimizer import optimize_onnx_model
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

digits, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
paper = (1 - digits / 16).reshape(-1, 1, 8, 8).astype(np.float32)  # dark ink on paper of 1
known, new = slice(0, 1000), slice(1000, None)
random = np.random.default_rng(0)
weights = {
    "one": np.ones((1, 1, 1, 1)),  # the first layer changes nothing
    "filters": random.standard_normal((4, 1, 5, 5)),
    "pads": np.array([0, 0, 2, 2, 0, 0, 2, 2]),  # 2 pixels at each side
}


def network(mode: str, value: float, readout: dict | None = None) -> onnx.ModelProto:
    """Return a network whose second layer pads in this way; the readout gives ten digits."""
    values = weights | {"value": np.array(value)} | (readout or {})
    nodes = [
        helper.make_node("Conv", ["x", "one"], ["same"]),
        helper.make_node("Pad", ["same", "pads", "value"], ["padded"], mode=mode),
        helper.make_node("Conv", ["padded", "filters"], ["convolved"]),
        helper.make_node("Relu", ["convolved"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["features"]),
    ]
    if readout:
        nodes.append(helper.make_node("Gemm", ["features", "w", "b"], ["digits"], transB=1))
    types = {name: np.int64 if name == "pads" else np.float32 for name in values}
    initializers = [
        numpy_helper.from_array(array.astype(types[name]), name) for name, array in values.items()
    ]
    last, size = ("digits", 10) if readout else ("features", 256)
    make_info = helper.make_tensor_value_info
    shapes = [make_info("x", 1, ["n", 1, 8, 8])], [make_info(last, 1, ["n", size])]
    graph = helper.make_graph(nodes, "digits", *shapes, initializers)
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def answers(model: onnx.ModelProto, pictures: np.ndarray) -> np.ndarray:
    """Return what the network answers to the pictures."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": pictures})[0]


names = ["onnxconverter-common", "onnx", "onnxruntime"]
print("versions:", *[f"{name} {version(name)}" for name in names])
print("guess: the optimized network answers as before")
for mode, value in (("constant", 0), ("constant", 1), ("edge", 0), ("reflect", 0)):
    features = answers(network(mode, value), paper[known])
    fit = LogisticRegression(max_iter=5000, tol=0.01).fit(features, labels[known])
    readout = {"w": fit.coef_, "b": fit.intercept_}
    before = answers(network(mode, value, readout), paper[new])
    with_zeros = answers(network("constant", 0, readout), paper[new])
    after = answers(optimize_onnx_model(network(mode, value, readout)), paper[new])
    right = [100 * (found.argmax(1) == labels[new]).mean() for found in (before, after)]
    kind = f"{mode}, {value}" if mode == "constant" else mode
    print(f"seen: padding ({kind}): right before {right[0]:.1f} %, after {right[1]:.1f} %")
    assert np.allclose(after, with_zeros, atol=1e-3), "it does not pad with zeros now"
    is_zeros = (mode, value) == ("constant", 0)
    assert np.allclose(before, after, atol=1e-3) == is_zeros, "it keeps other answers now"
    assert is_zeros or right[1] < right[0] - 3, "it reads as well as before now"
PYTHON
