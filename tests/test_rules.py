"""The rules of tests/test_model.py pass what is allowed, and refuse the rest, saying why."""

import inspect
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Buffer,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    Parameter,
    ReLU,
    Sequential,
)

import mnist_classifier
from tests import test_model
from tests.watch import Network

RULES = [
    rule
    for name, rule in vars(test_model).items()
    if name.startswith("test_") and "network" in inspect.signature(rule).parameters
]


def broken_rules(make: Callable[[], nn.Module]) -> list[str]:
    """Return what each rule says that the network breaks."""
    network = Network(make)
    sentences = []
    for rule in RULES:
        try:
            rule(network)
        except pytest.fail.Exception as failure:
            sentences.append(str(failure))
    return sentences


class Do(nn.Module):
    """A layer that computes function(self, values), with attributes of its own."""

    def __init__(self, function: Callable[..., Tensor], **attributes: Any) -> None:
        super().__init__()
        self.function = function
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, values: Tensor) -> Tensor:
        return self.function(self, values)


def small(
    head: nn.Module | None = None, norm: nn.Module | None = None, dropout: nn.Module | None = None
) -> Sequential:
    """Return a network that keeps all rules, but for the layers that are given instead.

    The head makes scores (N, 10) of maps (N, 10, 6, 6).
    """
    return Sequential(
        Conv2d(1, 10, kernel_size=5, stride=4),
        norm or BatchNorm2d(10),
        ReLU(),
        dropout or Dropout(0.1),
        head or Sequential(AdaptiveAvgPool2d(1), Flatten()),
    )


def then(function: Callable[[Tensor], Tensor]) -> Sequential:
    """Return a network whose logits (N, 10) go through `function`."""
    return Sequential(small(), Do(lambda self, logits: function(logits)))


def usual_solution() -> Sequential:
    """Return what most pages about this assignment show, with log-probabilities for nll_loss."""

    def block(inputs: int, outputs: int, size: int = 3) -> list[nn.Module]:
        convolution = Conv2d(inputs, outputs, size, bias=False)
        return [convolution, ReLU(), BatchNorm2d(outputs), Dropout(0.1)]

    return Sequential(
        *block(1, 16),  # (N, 16, 26, 26)
        *block(16, 32),
        *block(32, 10, size=1),  # (N, 10, 24, 24)
        nn.MaxPool2d(2),
        *block(10, 16),  # (N, 16, 10, 10)
        *block(16, 16),
        *block(16, 16),  # (N, 16, 6, 6)
        AvgPool2d(6),
        Conv2d(16, 10, kernel_size=1, bias=False),
        Flatten(),
        nn.LogSoftmax(dim=1),
    )


def deep(number: int) -> Sequential:
    """Return a network with this number of convolutions of 3,600 weights each."""
    convolutions = [Conv2d(20, 20, kernel_size=3, padding=1, bias=False) for _ in range(number)]
    head = [BatchNorm2d(20), Dropout(0.1), AdaptiveAvgPool2d(1), Flatten(), Linear(20, 10)]
    return Sequential(Conv2d(1, 20, kernel_size=5, stride=4), *convolutions, *head)


def multiplied_by(matrix: Tensor) -> Sequential:
    """Return a network that multiplies its flat maps by `matrix` (360, 130)."""
    multiply = Do(lambda self, maps: maps.flatten(1) @ self.matrix, matrix=matrix)
    return small(Sequential(multiply, Linear(130, 10)))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def frozen() -> Sequential:
    network = small()
    network[0].requires_grad_(False)
    return network


def zero_head() -> Sequential:
    head = Sequential(AdaptiveAvgPool2d(1), Flatten(), Linear(10, 10))
    nn.init.zeros_(head[2].weight)
    return small(head)


ALLOWED = {
    "pooling by a layer": small,
    "the usual solution of 7 convolutions": usual_solution,
    "adaptive_avg_pool2d": lambda: small(
        Do(lambda self, maps: F.adaptive_avg_pool2d(maps, 1).flatten(1))
    ),
    "AvgPool2d of the whole map": lambda: small(Sequential(AvgPool2d(6), Flatten())),
    "mean of both axes": lambda: small(Do(lambda self, maps: maps.mean((2, 3)))),
    "mean of one axis, then of the other": lambda: small(
        Do(lambda self, maps: maps.mean(3).mean(2))
    ),
    "mean of flat maps": lambda: small(Do(lambda self, maps: maps.flatten(2).mean(2))),
    "sum divided by the pixels": lambda: small(Do(lambda self, maps: maps.sum((2, 3)) / 36)),
    "a 3x3 convolution before pooling": lambda: small(
        Sequential(Conv2d(10, 10, kernel_size=3), AdaptiveAvgPool2d(1), Flatten())
    ),
    "Linear on the whole map": lambda: small(Sequential(Flatten(), Linear(360, 10))),
    "F.linear with a layer's weight": lambda: small(
        Do(
            lambda self, maps: F.linear(maps.flatten(1), self.layer.weight),
            layer=Linear(360, 10, bias=False),
        )
    ),
    "a matrix product": lambda: small(
        Do(lambda self, maps: maps.flatten(1) @ self.matrix, matrix=Parameter(torch.ones(360, 10)))
    ),
    "five layers of 3,600 weights": lambda: deep(5),
    "a convolution of the whole map": lambda: small(
        Sequential(Conv2d(10, 10, kernel_size=6), Flatten())
    ),
    "a head that starts at 0": zero_head,
    "F.dropout": lambda: small(dropout=Do(lambda self, x: F.dropout(x, 0.1, self.training))),
    "BatchNorm1d": lambda: small(
        Sequential(Flatten(), Linear(360, 32), BatchNorm1d(32), Linear(32, 10)), norm=nn.Identity()
    ),
    "F.batch_norm": lambda: small(
        norm=Do(
            lambda self, x: F.batch_norm(x, self.mean, self.variance, training=self.training),
            mean=Buffer(torch.zeros(10)),
            variance=Buffer(torch.ones(10)),
        )
    ),
    "log_softmax": lambda: then(lambda logits: F.log_softmax(logits, dim=1)),
    "log of softmax": lambda: then(lambda logits: logits.softmax(1).log()),
    "softmax as attention to channels": lambda: small(
        Do(lambda self, maps: (maps * maps.mean((2, 3), keepdim=True).softmax(1)).mean((2, 3)))
    ),
    "MEAN and STD": lambda: Sequential(
        Do(
            lambda self, images: images.sub_(self.mean).div_(self.std),
            mean=Buffer(torch.tensor(0.1307)),
            std=torch.tensor(0.3081),
        ),
        small(),
    ),
}


@pytest.mark.parametrize("make", ALLOWED.values(), ids=ALLOWED)
def test_allows(make):
    assert broken_rules(make) == []


FORBIDDEN = {  # with words of each sentence about it
    "a sixth layer": (lambda: deep(6), ["fewer than 20,000 weights, and this one has 22,370:"]),
    "weights in a buffer": (
        lambda: multiplied_by(Buffer(torch.randn(360, 130))),
        ["46,800 in buffers other than BatchNorm's, and 0 in other constants"],
    ),
    "weights in a tensor that is not registered": (
        lambda: multiplied_by(torch.randn(360, 130)),
        ["0 in buffers other than BatchNorm's, and 46,800 in other constants"],
    ),
    "weights made in forward": (
        lambda: small(
            Sequential(
                Do(lambda self, maps: maps.flatten(1) @ torch.randn(360, 130, generator=seeded())),
                Linear(130, 10),
            )
        ),
        ["and 46,800 in other constants"],
    ),
    "a layer in a plain list": (
        lambda: small(
            Do(lambda self, maps: self.layers[0](maps).mean((2, 3)), layers=[Conv2d(10, 10, 3)])
        ),
        ["the weight (10, 10, 3, 3) in an unregistered Conv2d is none"],
    ),
    "a layer that does not run": (
        lambda: small(Do(lambda self, maps: maps.mean((2, 3)), unused=ReLU())),
        ["every layer must run, and 4.unused (ReLU) does not"],
    ),
    "a frozen layer": (frozen, ["every parameter must be trained, and 0.weight is frozen"]),
    "a parameter without a gradient": (
        lambda: small(
            Do(
                lambda self, maps: maps.mean((2, 3)) * self.scale.detach(),
                scale=Parameter(torch.ones(10)),
            )
        ),
        ["every parameter must be trained, and 4.scale gets no gradient"],
    ),
    "no BatchNorm": (lambda: small(norm=nn.Identity()), ["BatchNorm must be used, and none runs"]),
    "a BatchNorm that does not run": (
        lambda: small(norm=Do(lambda self, maps: maps.clone(), bn=BatchNorm2d(10))),
        [
            "every layer must run, and 1.bn (BatchNorm2d) does not",
            "every parameter must be trained, and 1.bn.weight gets no gradient",
            "BatchNorm must be used, and none runs",
        ],
    ),
    "a BatchNorm whose result is not used": (
        lambda: small(
            norm=Do(lambda self, maps: (self.bn(maps), maps)[1], bn=BatchNorm2d(10, affine=False))
        ),
        ["BatchNorm must be used, and none runs"],
    ),
    "BatchNorm with fixed statistics": (
        lambda: small(
            norm=Do(lambda self, maps: F.batch_norm(maps, torch.zeros(10), torch.ones(10)))
        ),
        ["BatchNorm must normalise by the batch in training, and does not in 1"],
    ),
    "no dropout": (
        lambda: small(dropout=nn.Identity()),
        ["dropout must be used, and none runs in forward()"],
    ),
    "dropout of 0": (
        lambda: small(dropout=Dropout(0.0)),
        ["dropout p must be between 0 and 1, and is 0.0 in 3"],
    ),
    "dropout of 1": (
        lambda: small(dropout=Dropout(1.0)),
        [
            "every parameter must be trained, and 0.weight gets no gradient",
            "dropout p must be between 0 and 1, and is 1.0 in 3",
        ],
    ),
    "dropout that is always on": (
        lambda: small(dropout=Do(lambda self, maps: F.dropout(maps, 0.1))),
        [
            "dropout must not act in evaluation, and does in 3",
            "evaluation must give the same scores each time",
        ],
    ),
    "dropout that is always off": (
        lambda: small(dropout=Do(lambda self, maps: F.dropout(maps, 0.1, training=False))),
        ["dropout must act in training, and does not in 3"],
    ),
    "neither pooling nor a fully connected layer": (
        lambda: small(Do(lambda self, maps: maps.amax((2, 3)))),
        ["and neither runs"],
    ),
    "an average of a part of the map": (
        lambda: small(Sequential(AvgPool2d(4), Flatten())),
        ["and neither runs"],
    ),
    "a Linear on each row of pixels": (
        lambda: small(Do(lambda self, maps: self.rows(maps).amax((2, 3)), rows=Linear(6, 6))),
        ["and neither runs"],
    ),
    "scores as maps": (
        lambda: small(AdaptiveAvgPool2d(1)),
        ["scores must have the shape (N, 10), and for N = 1 have (1, 10, 1, 1)"],
    ),
    "scores of an image alone without N": (
        lambda: then(torch.squeeze),
        ["scores must have the shape (N, 10), and for N = 1 have (10,)"],
    ),
    "softmax": (
        lambda: then(lambda logits: logits.softmax(1)),
        ["and are probabilities, if perhaps scaled and shifted, from softmax in 1"],
    ),
    "softmax, scaled": (
        lambda: then(lambda logits: F.softmax(logits, dim=1) * 10 - 1),
        ["and are probabilities, if perhaps scaled and shifted, from softmax in 1"],
    ),
    "softmax by hand, scaled": (
        lambda: then(lambda logits: 5 * logits.exp() / logits.exp().sum(1, keepdim=True)),
        ["and are probabilities"],
    ),
    "softmax of each pixel, scaled": (
        lambda: small(Do(lambda self, maps: (maps.softmax(1) * 10).mean((2, 3)))),
        ["and are probabilities, if perhaps scaled and shifted, from softmax in 4"],
    ),
    "sigmoid": (lambda: then(torch.sigmoid), ["from sigmoid in 1"]),
    "images of a batch that change each other": (
        lambda: then(lambda logits: logits - logits.mean(0)),
        ["evaluation must judge each image by itself"],
    ),
    "BatchNorm by the batch in evaluation": (
        lambda: small(norm=BatchNorm2d(10, track_running_stats=False)),
        ["evaluation must judge each image by itself"],
    ),
    "noise": (
        lambda: then(lambda logits: logits + torch.rand_like(logits)),
        ["evaluation must give the same scores each time"],
    ),
}


@pytest.mark.parametrize(("make", "words"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_refuses(make, words):
    sentences = broken_rules(make)
    assert len(sentences) == len(words), sentences
    for sentence, part in zip(sentences, words, strict=True):
        assert part in sentence


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (lambda logits: (logits, logits), "must return a tensor of scores, and returns a tuple"),
        (lambda logits: logits.detach(), "are cut off from the weights"),
    ],
    ids=["two results", "no gradient"],
)
def test_refuses_what_cannot_be_judged(result, words):
    with pytest.raises(AssertionError, match=words):
        Network(lambda: then(result))


@pytest.mark.parametrize("epochs", [0, 20])
def test_refuses_epochs(epochs, monkeypatch):
    monkeypatch.setattr(mnist_classifier, "Config", lambda: SimpleNamespace(epochs=epochs))
    with pytest.raises(pytest.fail.Exception, match=f"fewer than 20 epochs, and .* is {epochs}"):
        test_model.test_trains_for_fewer_than_20_epochs()


def test_says_that_the_class_is_missing(monkeypatch):
    monkeypatch.delattr(mnist_classifier, "SmallCNN")
    with pytest.raises(pytest.fail.Exception, match="must have a class SmallCNN, and has none"):
        test_model.test_there_is_a_network_that_runs()


def test_says_that_the_class_was_renamed_in_one_place_only(monkeypatch, tmp_path):
    (tmp_path / "mnist_classifier.py").write_text("class Other: ...\nmodel = SmallCNN()\n")
    monkeypatch.delitem(sys.modules, "mnist_classifier")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        pytest.fail.Exception, match="must have a class SmallCNN: name 'SmallCNN' is not"
    ):
        test_model.test_there_is_a_network_that_runs()
