"""Make a page to draw a digit on, which reads it with a network of your own.

    python -m elsewhere.draw_page                        # final_model.pth goes into draw.html
    python -m elsewhere.draw_page --weights FILE --output FILE

The page is one file, and needs no server and no network. draw.html, beside this file, is the page
with the shipped weights. Others are copies of it, with other weights at their end.
"""

import argparse
import base64
import json
import re
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.processes import expanded_path
from mnist_classifier import (
    IMAGE_SIZE,
    MEAN,
    STD,
    Failure,
    Parser,
    compute_logits,
    exit_code,
    find_weights,
    load_model,
)

SHIPPED_PAGE = Path(__file__).with_name("draw.html")
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {  # by the names that the page has for them
    "hardswish": F.hardswish,
    "relu": F.relu,
    "none": lambda maps: maps,
}


class Layer(NamedTuple):
    """An unpadded convolution and an activation: the only kind of layer that the page knows."""

    weights: Tensor  # (outputs, inputs, K, K), doubles
    biases: Tensor  # (outputs,)
    stride: int
    activation: str  # one of ACTIVATIONS


# --- the network, as the page computes it ---
def to_layers(model: nn.Module) -> list[Layer]:
    """Return the layers of `model`, for images from 0 to 1; their maps are averaged at the end.

    BatchNorm and the normalisation of the images multiply and add, as a convolution does: they
    become part of it. Raises Failure if `model` does something that the page cannot do.
    """
    images = torch.rand(10, 1, IMAGE_SIZE, IMAGE_SIZE)
    try:
        layers = fold(model)
        difference = run_layers(layers, images) - compute_logits(model, images)
    except (LookupError, RuntimeError):  # no convolution comes first, or maps do not fit
        layers = []
        difference = torch.tensor(torch.inf)
    is_same = bool((difference.abs() <= LARGEST_DIFFERENCE).all())  # which NaN is not
    if not is_same or not all(is_square(layer) for layer in layers):
        raise Failure(
            "the page cannot do what this network does: it knows square convolutions without "
            "padding, BatchNorm, Hardswish and ReLU, one after the other, and the average of the "
            "last maps"
        )
    return layers


LARGEST_DIFFERENCE = 1e-3  # of a logit


def is_square(layer: Layer) -> bool:
    """Tell whether the filters of `layer` are as high as wide, as the page takes them to be."""
    _, _, height, width = layer.weights.shape
    return height == width


def fold(model: nn.Module) -> list[Layer]:
    """Return the convolutions of `model`, with all else that `to_layers` knows in them."""
    layers: list[Layer] = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            layers.append(convolution(module))
        elif isinstance(module, nn.BatchNorm2d):
            layers[-1] = with_batch_norm(layers[-1], module)
        elif isinstance(module, nn.Hardswish):
            layers[-1] = layers[-1]._replace(activation="hardswish")
        elif isinstance(module, nn.ReLU):
            layers[-1] = layers[-1]._replace(activation="relu")
    layers[0] = with_normalised_images(layers[0])
    return layers


def convolution(module: nn.Conv2d) -> Layer:
    """Return the layer that `module` is."""
    weights = module.weight.detach().double()
    biases = torch.zeros(len(weights)) if module.bias is None else module.bias.detach()
    return Layer(weights, biases.double(), module.stride[0], "none")


def with_batch_norm(layer: Layer, norm: nn.BatchNorm2d) -> Layer:
    """Return `layer` with `norm`, in evaluation mode, after its convolution."""
    state = {name: tensor.double() for name, tensor in norm.state_dict().items()}
    factors = state["weight"] / (state["running_var"] + norm.eps).sqrt()  # (outputs,)
    return layer._replace(
        weights=layer.weights * factors.view(-1, 1, 1, 1),
        biases=(layer.biases - state["running_mean"]) * factors + state["bias"],
    )


def with_normalised_images(layer: Layer) -> Layer:
    """Return `layer` for images from 0 to 1, where it took normalised ones."""
    return layer._replace(
        weights=layer.weights / STD,
        biases=layer.biases - layer.weights.sum(dim=(1, 2, 3)) * MEAN / STD,
    )


def run_layers(layers: list[Layer], images: Tensor) -> Tensor:
    """Return the logits (N, 10) of `images` (N, 1, 28, 28), computed as the page does."""
    maps = images.double()
    for layer in layers:
        maps = F.conv2d(maps, layer.weights, layer.biases, layer.stride)
        maps = ACTIVATIONS[layer.activation](maps)
    return maps.mean(dim=(2, 3))


# --- the page ---
NETWORK = re.compile(r'(<script id="network" type="application/json">\n).*?(</script>)', re.DOTALL)


def make_page(model: nn.Module) -> str:
    """Return the page with the network `model`; raise Failure as `to_layers` does."""
    page = SHIPPED_PAGE.read_text(encoding="utf-8")
    network = to_json(to_layers(model))
    return NETWORK.sub(rf"\g<1>{network}\n\g<2>", page)


LINE = 96  # characters of base64


def to_json(layers: list[Layer]) -> str:
    """Return `layers` as the page takes them: what they are, and all of their numbers.

    The numbers are those of one layer after the other, weights before biases: little-endian floats
    of 32 bits, in base64, cut into lines.
    """
    shapes = []
    numbers = []
    for layer in layers:
        outputs, inputs, kernel_size, _ = layer.weights.shape
        shapes.append(
            {
                "outputs": outputs,
                "inputs": inputs,
                "kernelSize": kernel_size,
                "stride": layer.stride,
                "activation": layer.activation,
            }
        )
        numbers += [layer.weights.flatten(), layer.biases]
    values = torch.cat(numbers).tolist()
    text = base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    lines = [text[start : start + LINE] for start in range(0, len(text), LINE)]
    return json.dumps({"layers": shapes, "numbers": lines}, indent=1)


# --- command line ---
def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exit with 2 and one line if it is wrong."""
    parser = Parser(
        prog="draw_page", description="Make a page to draw a digit on, with a network inside."
    )
    parser.add_argument(
        "--weights",
        type=expanded_path,
        metavar="FILE",
        help="of the network; else final_model.pth, here or beside mnist_classifier.py",
    )
    parser.add_argument(
        "--output",
        type=expanded_path,
        metavar="FILE",
        default=Path("draw.html"),
        help="the page (default: draw.html, here)",
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    """Write the page, and say where it is; return the exit code."""
    weights = args.weights or find_weights()
    page = make_page(load_model(weights))
    try:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write {args.output} ({error.strerror}): see --output") from error
    print(f"{args.output}: reads with {weights}; open it in a browser")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with the arguments `argv`; return its exit code."""
    return exit_code(run, parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
