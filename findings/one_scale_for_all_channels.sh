#!/usr/bin/env bash
# LiteRT for microcontrollers turns integers of 8 bits into floats with the scale of the first
# channel, though the file has one for each. LiteRT takes each channel's own. A network of which
# only the weights were quantized has this operator before each convolution: it is read without an
# error, and answers wrongly.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    tflite-micro==0.dev20261023182759 ai-edge-litert==2.3.0 numpy==2.4.6

venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from tflite_micro import runtime


def tensor(name: str, kind: int) -> schema.TensorT:
    """Return a tensor of two channels."""
    made = schema.TensorT()
    made.name = name
    made.shape = [2]
    made.type = kind
    return made


integers = tensor("integers", schema.TensorType.INT8)
integers.quantization = schema.QuantizationParametersT()
integers.quantization.scale = [1.0, 10.0]  # of the first channel, and of the second
integers.quantization.zeroPoint = [0, 0]

operator = schema.OperatorT()
operator.inputs, operator.outputs = [0], [1]
code = schema.OperatorCodeT()
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE

graph = schema.SubGraphT()
graph.tensors = [integers, tensor("floats", schema.TensorType.FLOAT32)]
graph.inputs, graph.outputs = [0], [1]
graph.operators = [operator]

model = schema.ModelT()
model.version = 3
model.operatorCodes = [code]
model.subgraphs = [graph]
model.buffers = [schema.BufferT()]

builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
content = bytes(builder.Output())
values = np.array([7, 7], np.int8)

on_phones = Interpreter(model_content=content)
on_phones.allocate_tensors()
on_phones.set_tensor(on_phones.get_input_details()[0]["index"], values)
on_phones.invoke()
expected = on_phones.get_tensor(on_phones.get_output_details()[0]["index"]).tolist()

on_microcontrollers = runtime.Interpreter.from_bytes(content, arena_size=10_000)
on_microcontrollers.set_input(values, 0)
on_microcontrollers.invoke()
seen = on_microcontrollers.get_output(0).tolist()

for package in ("tflite-micro", "ai-edge-litert"):
    print("version:", package, version(package))
print("guess: 7 and 7 with the scales 1 and 10 are 7 and 70 in both")
print("seen: LiteRT", expected, "and for microcontrollers", seen)

assert expected == [7, 70], "LiteRT does not take each channel's scale"
assert seen == [7, 7], "each channel has its own scale now"
PYTHON
