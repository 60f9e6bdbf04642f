#!/usr/bin/env bash
# OpenCV's new engine, which reads ONNX networks by default, puts the zeros of a "same" convolution
# on the wrong side. With a stride of 2, filters of 3 x 3 and pictures of an even size, one row and
# one column of zeros are due, and SAME_UPPER, as Keras has it, wants them last; this engine has
# them first. So each such layer moves the picture by a pixel: of a network that reads 90 % of
# digits rightly, 8 % are left. OpenCV's classic engine is right, and so is the new one if the
# network names its zeros one by one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.32.0 scikit-learn==1.9.1 \
    numpy==2.4.6
cd "$folder"

"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

digits, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16
pictures = (digits / 16).reshape(-1, 1, 8, 8).astype(np.float32)
known, new = slice(0, 1000), slice(1000, None)
random = np.random.default_rng(0)
weights = {"one": random.standard_normal((32, 1, 3, 3)) / 3}
weights["two"] = random.standard_normal((64, 32, 3, 3)) / 17


def network(padding: dict, readout: dict | None = None) -> onnx.ModelProto:
    """Return a network that halves a digit twice, 8 to 4 to 2; the readout gives ten digits."""
    values = weights | (readout or {})
    nodes = [
        helper.make_node("Conv", ["x", "one"], ["a"], strides=[2, 2], **padding),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "two"], ["c"], strides=[2, 2], **padding),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["features"]),
    ]
    if readout:
        nodes.append(helper.make_node("Gemm", ["features", "w", "v"], ["digits"], transB=1))
    name, size = ("digits", 10) if readout else ("features", 256)
    arrays = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in values.items()]
    make_info = helper.make_tensor_value_info
    infos = [make_info("x", 1, ["n", 1, 8, 8])], [make_info(name, 1, ["n", size])]
    graph = helper.make_graph(nodes, "digits", *infos, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def answers(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime answers to the pictures."""
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


def opencv_answers(model: onnx.ModelProto, x: np.ndarray, engine: int) -> np.ndarray:
    """Return what OpenCV answers to the pictures, one after the other."""
    onnx.save(model, "network.onnx")
    net = cv2.dnn.readNetFromONNX("network.onnx", engine)
    found = []
    for picture in x:
        net.setInput(picture[np.newaxis])
        found.append(net.forward().reshape(10).copy())
    return np.array(found)


same, first, last = {"auto_pad": "SAME_UPPER"}, {"pads": [1, 1, 0, 0]}, {"pads": [0, 0, 1, 1]}
fit = LogisticRegression(max_iter=5000).fit(
    answers(network(same), pictures[known]), labels[known]
)
readout = {"w": fit.coef_, "v": fit.intercept_}
expected = answers(network(same, readout), pictures[new])
zeros_first = answers(network(first, readout), pictures[new])
assert np.allclose(expected, answers(network(last, readout), pictures[new]), atol=1e-3)
right = 100 * (expected.argmax(1) == labels[new]).mean()
print("versions:", *[f"{name} {version(name)}" for name in ("opencv-python-headless", "onnx")])
print("guess: OpenCV answers as ONNX Runtime")
print(f"seen: SAME_UPPER in ONNX Runtime: right {right:.1f} %")
for name, padding, engine, wanted in (
    ("SAME_UPPER, default engine", same, cv2.dnn.ENGINE_AUTO, zeros_first),
    ("SAME_UPPER, classic engine", same, cv2.dnn.ENGINE_CLASSIC, expected),
    ("0, 0, 1, 1, default engine", last, cv2.dnn.ENGINE_AUTO, expected),
):
    found = opencv_answers(network(padding, readout), pictures[new], engine)
    share = 100 * (found.argmax(1) == labels[new]).mean()
    print(f"seen: {name}: right {share:.1f} %")
    assert np.allclose(found, wanted, atol=1e-3), "it pads otherwise now"
    assert (share > right - 1) == (wanted is expected), "it reads otherwise now"
PYTHON
