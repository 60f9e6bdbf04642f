"""Write the trained network into one ONNX file, which most other programs can run.

    python -m elsewhere.export --to onnx                       # digits.onnx
    python -m elsewhere.export --to int8 --output small.onnx   # weights and values of 8 bits

The file takes "images" (N, 1, 28, 28), floats from 0, the background, to 1, ink, and gives
"logits" (N, 10). This needs three packages more than training: see README.md, beside this file.
"""

import argparse
import importlib.util
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor, nn

import mnist_classifier as mc
from experiments.processes import expanded_path

EXTRAS = ("onnx", "onnxscript", "onnxruntime")
INPUT = "images"
OUTPUT = "logits"
CALIBRATION_IMAGES = 1000  # training images that show int8 the range of the values in each layer
CALIBRATION_BATCH = 100
NOISE_IMAGES = 1000  # are compared where MNIST is not there
TOLERANCE = 1e-3  # largest difference of a logit that rounding can explain; int8 has no such limit


def to_onnx(model: nn.Module) -> bytes:
    """Return `model` as the content of an ONNX file that takes any number of images."""
    from onnx_ir.passes import common  # type: ignore[import-not-found]

    examples = torch.zeros(2, 1, mc.IMAGE_SIZE, mc.IMAGE_SIZE)  # a single one would stay single
    program = torch.onnx.export(
        model,
        (examples,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=[{0: torch.export.Dim("N")}],
        verbose=False,
    )
    assert program is not None  # it is None for the older exporter alone
    common.ClearMetadataAndDocStringPass()(program.model)  # source lines, and paths on this machine
    content: bytes = program.model_proto.SerializeToString()  # with the weights in it
    return content


def to_int8(onnx_file: bytes, images: Tensor) -> bytes:
    """Return the ONNX file with weights and values of 8 bits.

    `images` (N, 1, 28, 28), 0 to 1, show the range of the values in each layer: larger ones are
    cut off later.
    """
    import onnx  # type: ignore[import-not-found]
    from onnxruntime.quantization import quantize_static  # type: ignore[import-not-found]

    batches = ({INPUT: batch.numpy()} for batch in torch.split(images, CALIBRATION_BATCH))
    reader = SimpleNamespace(get_next=lambda: next(batches, None))
    with tempfile.TemporaryDirectory() as folder:
        quantized = Path(folder, "int8.onnx")
        model = onnx.load_from_string(onnx_file)
        quantize_static(model, quantized, reader, per_channel=True)
        return quantized.read_bytes()


def run_onnx(onnx_file: bytes, images: Tensor) -> Tensor:
    """Return the logits (N, 10) that onnxruntime computes for `images` (N, 1, 28, 28), 0 to 1."""
    import onnxruntime  # type: ignore[import-not-found]

    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    (logits,) = session.run([OUTPUT], {INPUT: images.numpy()})
    return torch.from_numpy(logits)


class Difference(NamedTuple):
    """How the logits of two programs for the same images differ."""

    images: int
    other_answers: int
    largest: float  # difference of a logit

    def __str__(self) -> str:
        return f"{self.other_answers} of {self.images:,}, logits by at most {self.largest:.2g}"


def compare(logits: Tensor, others: Tensor) -> Difference:
    """Return how `others` (N, 10) differ from `logits` (N, 10)."""
    other_answers = (logits.argmax(dim=1) != others.argmax(dim=1)).sum().item()
    return Difference(len(logits), int(other_answers), (logits - others).abs().max().item())


def check(model: nn.Module, onnx_file: bytes, data_dir: Path) -> Difference:
    """Print and return how onnxruntime's answers differ from torch's.

    The images are MNIST's test images if they are in `data_dir`, and noise otherwise.
    """
    raw = Path(data_dir, "MNIST", "raw")
    if any(raw.glob("t10k-images-idx3-ubyte*")):  # or with .gz at its end
        images = mc.load_digits(data_dir, "t10k").scaled()
        kind = "MNIST's test images"
    else:
        images = torch.rand(NOISE_IMAGES, 1, mc.IMAGE_SIZE, mc.IMAGE_SIZE)
        kind = f"images of noise, as MNIST is not in {data_dir}"
    difference = compare(mc.compute_logits(model, images), run_onnx(onnx_file, images))
    print(f"Answers that differ from PyTorch's: {difference} ({kind})")
    return difference


def check_extras() -> None:
    """Raise Failure if a package is missing that training does not need."""
    if any(importlib.util.find_spec(name) is None for name in EXTRAS):
        raise mc.Failure(f"exporting needs more packages: pip install {' '.join(EXTRAS)}")


def run(args: argparse.Namespace) -> int:
    """Export as the command line says; return the exit code."""
    check_extras()
    mc.check_output_dir(args.output.parent, "--output")
    model = mc.load_model(args.weights or mc.find_weights())
    content = to_onnx(model)
    if args.to == "int8":
        digits = mc.load_digits(args.data_dir, "train")
        content = to_int8(content, digits.scaled(slice(CALIBRATION_IMAGES)))
    difference = check(model, content, args.data_dir)
    is_same = difference.largest <= TOLERANCE  # which NaN is not
    if args.to == "onnx" and not is_same:
        raise mc.Failure("the exported network is not the same: nothing was written")
    mc.write_files(args.output.parent, {args.output.name: content})
    print(f"{args.output}: {len(content):,} bytes")
    return 0


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = mc.Parser(
        prog="elsewhere.export",
        description="Write the trained network into one ONNX file.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--to",
        choices=["onnx", "int8"],
        required=True,
        default=argparse.SUPPRESS,  # in the help, which would say "None"
        help="with floats, or with 8 bits",
    )
    add("--output", type=expanded_path, default="digits.onnx", help="file to write")
    add("--weights", type=expanded_path, help="of the network; else as the reader finds them")
    add("--data-dir", type=expanded_path, default="data", help="where MNIST is: int8 needs it")
    args = parser.parse_args(argv)
    if args.output.suffix != ".onnx":
        parser.error(f"--output has to end in .onnx, not be {args.output}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    logging.getLogger().setLevel(logging.ERROR)  # the quantizer's advice is for large networks
    return mc.exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
