#!/usr/bin/env bash
# onnx's own reference evaluator runs the Softmax of opset 11 by the rule of opset 13. A network
# whose head is a 1 x 1 convolution has logits of shape (N, 10, 1, 1): the old rule spreads the
# probability over the ten digits, the new one over the last axis, which has one entry. So every
# digit gets probability 1. The same package's schema states the old rule.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

logits = np.arange(10, dtype=np.float32).reshape(1, 10, 1, 1)
model = onnx.parser.parse_model("""
    <ir_version: 7, opset_import: ["" : 11]>
    head (float[N, 10, 1, 1] logits) => (float[N, 10, 1, 1] probabilities) {
        probabilities = Softmax(logits)
    }
""")
onnx.checker.check_model(model, full_check=True)
default_axis = onnx.defs.get_schema("Softmax", 11).attributes["axis"].default_value.i

(reference,) = ReferenceEvaluator(model).run(None, {"logits": logits})
session = onnxruntime.InferenceSession(model.SerializeToString())
(runtime,) = session.run(None, {"logits": logits})

print("versions: onnx", version("onnx"), "onnxruntime", version("onnxruntime"))
print("guess: the reference evaluator heeds the opset: the probabilities of the digits sum to 1")
print(f"seen: the schema of opset 11 has axis {default_axis} and all behind it as its default")
print("seen: onnxruntime:        ", runtime.flatten().round(2), "sum", runtime.sum().round(3))
print("seen: reference evaluator:", reference.flatten(), "sum", reference.sum())

assert default_axis == 1, "the schema has another default now"
assert np.isclose(runtime.sum(), 1), "onnxruntime changed"
assert (reference == 1).all(), "the reference evaluator heeds the opset now"
PYTHON
