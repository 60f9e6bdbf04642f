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

import mnist_classifier
from tests import test_model
from tests.watch import Network

RULES = [
    rule
    for name, rule in vars(test_model).items()
    if name.startswith("test_") and "network" in inspect.signature(rule).parameters
]


def broken_rules(make: Callable[[], nn.Module]) -> list[str]:
    """Return the sentence of each rule that the network breaks."""
    network = Network(make)
    sentences = []
    for rule in RULES:
        try:
            rule(network)
        except pytest.fail.Exception as failure:
            sentences.append(str(failure))
    return sentences


class Do(nn.Module):
    """A layer that computes function(self, values), and has these attributes."""

    def __init__(self, function: Callable[..., Any], **attributes: Any) -> None:
        super().__init__()
        self.function = function
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, values: Tensor) -> Any:
        return self.function(self, values)


def small(
    *head: nn.Module, norm: nn.Module | None = None, dropout: nn.Module | None = None
) -> nn.Sequential:
    """Return a network that keeps the rules, unless one of the given layers breaks them.

    The head, which is the layers from 4 on, turns maps (N, 10, 6, 6) into scores (N, 10).
    """
    return nn.Sequential(
        nn.Conv2d(1, 10, kernel_size=5, stride=4),
        norm or nn.BatchNorm2d(10),
        nn.ReLU(),
        dropout or nn.Dropout(0.1),
        *(head or [nn.AdaptiveAvgPool2d(1), nn.Flatten()]),
    )


def then(function: Callable[[Tensor], Any]) -> nn.Sequential:
    """Return a network with logits (N, 10) that go through `function`."""
    return small(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Do(lambda self, logits: function(logits)))


def usual_solution() -> nn.Sequential:
    """Return what many pages about this assignment show, to be trained with nll_loss."""

    def block(inputs: int, outputs: int, size: int = 3) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, size, bias=False)
        return [convolution, nn.ReLU(), nn.BatchNorm2d(outputs), nn.Dropout(0.1)]

    return nn.Sequential(
        *block(1, 16),
        *block(16, 16),
        *block(16, 10, size=1),
        nn.MaxPool2d(2),  # (N, 10, 12, 12)
        *block(10, 16),
        *block(16, 16),
        *block(16, 16),
        nn.AvgPool2d(6),  # (N, 16, 1, 1)
        nn.Conv2d(16, 10, kernel_size=1, bias=False),
        nn.Flatten(),
        nn.LogSoftmax(dim=1),
    )


def functions_alone() -> nn.Module:
    """Return a network that has parameters and buffers, and no layers."""

    def scores(self: nn.Module, images: Tensor) -> Tensor:
        maps = F.conv2d(images, weight=self.filters)
        maps = F.batch_norm(maps, self.mean, self.var, training=self.training)
        return F.dropout(maps.relu(), 0.1, self.training).mean((2, 3))

    filters = nn.Parameter(torch.randn(10, 1, 5, 5))
    return Do(
        scores, filters=filters, mean=nn.Buffer(torch.zeros(10)), var=nn.Buffer(torch.ones(10))
    )


def deep(number: int) -> nn.Sequential:
    """Return a network with this number of convolutions of 3,600 weights."""
    convolutions = [nn.Conv2d(20, 20, 3, padding=1, bias=False) for _ in range(number)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 10)]
    first = nn.Conv2d(1, 20, kernel_size=5, stride=4)
    return nn.Sequential(first, *convolutions, nn.BatchNorm2d(20), nn.Dropout(0.1), *head)


def times(matrix: Tensor | None) -> nn.Sequential:
    """Return a network that multiplies its flat maps by `matrix` (360, 130), or makes one."""

    def multiply(self: nn.Module, maps: Tensor) -> Tensor:
        if self.matrix is not None:
            return maps.flatten(1) @ self.matrix
        seeded = torch.Generator().manual_seed(0)
        return maps.flatten(1) @ torch.randn(360, 130, generator=seeded)

    return small(Do(multiply, matrix=matrix), nn.Linear(130, 10))


def zero_head() -> nn.Sequential:
    head = nn.Linear(10, 10)
    nn.init.zeros_(head.weight)
    return small(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def frozen() -> nn.Sequential:
    network = small()
    network[0].requires_grad_(False)
    return network


ALLOWED = {
    "pooling, BatchNorm and dropout as layers": small,
    "the usual solution of 7 convolutions": usual_solution,
    "five layers of 3,600 weights": lambda: deep(5),
    "AvgPool2d of the whole map": lambda: small(nn.AvgPool2d(6), nn.Flatten()),
    "adaptive_avg_pool2d": lambda: small(
        Do(lambda self, maps: F.adaptive_avg_pool2d(maps, 1)), nn.Flatten()
    ),
    "mean of both axes, changed in place": lambda: small(
        Do(lambda self, maps: maps.mean((2, 3)).mul_(2))
    ),
    "mean of an axis each": lambda: small(Do(lambda self, maps: maps.mean(3).mean(2))),
    "mean of flat maps": lambda: small(Do(lambda self, maps: maps.flatten(2).mean(2))),
    "a 3x3 convolution, then pooling": lambda: small(
        nn.Conv2d(10, 10, kernel_size=3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ),
    "a layer in a ModuleList": lambda: small(
        Do(
            lambda self, maps: self.list[0](maps).mean((2, 3)),
            list=nn.ModuleList([nn.Conv2d(10, 10, 3)]),
        )
    ),
    "a convolution of the whole map": lambda: small(nn.Conv2d(10, 10, kernel_size=6), nn.Flatten()),
    "LazyLinear of the whole map": lambda: small(nn.Flatten(), nn.LazyLinear(10)),
    "F.linear with the weight of a layer": lambda: small(
        nn.Flatten(),
        Do(
            lambda self, row: F.linear(row, weight=self.layer.weight, bias=self.layer.bias),
            layer=nn.Linear(360, 10),
        ),
    ),
    "a head that starts at 0": zero_head,
    "a learned scale": lambda: small(
        Do(
            lambda self, maps: self.scale.exp() * maps.mean((2, 3)),
            scale=nn.Parameter(torch.tensor(0.0)),
        )
    ),
    "F.dropout": lambda: small(dropout=Do(lambda self, maps: F.dropout(maps, 0.1, self.training))),
    "BatchNorm1d": lambda: small(
        nn.Flatten(), nn.BatchNorm1d(360), nn.Linear(360, 10), norm=nn.Identity()
    ),
    "functions alone": functions_alone,
    "log_softmax": lambda: then(lambda logits: F.log_softmax(logits, dim=1)),
    "log of softmax": lambda: then(lambda logits: logits.softmax(1).log()),
    "softmax as attention to channels": lambda: small(
        Do(lambda self, maps: (maps * maps.mean((2, 3), keepdim=True).softmax(1)).mean((2, 3)))
    ),
    "MEAN and STD, in place": lambda: nn.Sequential(
        Do(
            lambda self, images: images.sub_(self.mean).div_(self.std),
            mean=nn.Buffer(torch.tensor(0.1307)),
            std=torch.tensor(0.3081),
        ),
        small(),
    ),
    "scores written into a tensor": lambda: then(
        lambda logits: torch.empty(logits.shape).copy_(logits)
    ),
}

FORBIDDEN = {  # each with words of all that is said about it
    "a sixth layer": (lambda: deep(6), ["fewer than 20,000 weights, and this one has 22,370:"]),
    "weights in a buffer": (
        lambda: times(nn.Buffer(torch.randn(360, 130))),
        ["46,800 in buffers other than BatchNorm's, and 0 in other tensors"],
    ),
    "weights in a tensor": (
        lambda: times(torch.randn(360, 130)),
        ["0 in buffers other than BatchNorm's, and 46,800 in other tensors"],
    ),
    "weights from a seed": (lambda: times(None), ["and 46,800 in other tensors"]),
    "a layer in a plain list": (
        lambda: small(
            Do(lambda self, maps: self.list[0](maps).mean((2, 3)), list=[nn.Conv2d(10, 10, 3)])
        ),
        ["the weight (10, 10, 3, 3) in an unregistered Conv2d is none"],
    ),
    "a layer that does not run": (
        lambda: small(Do(lambda self, maps: maps.mean((2, 3)), relu=nn.ReLU())),
        ["every layer must run, and 4.relu (ReLU) does not"],
    ),
    "a frozen layer": (frozen, ["every parameter must be trained, and 0.weight is frozen"]),
    "a parameter without a gradient": (
        lambda: small(
            Do(
                lambda self, maps: maps.mean((2, 3)) * self.scale.sign(),
                scale=nn.Parameter(torch.ones(10)),
            )
        ),
        ["every parameter must be trained, and 4.scale gets no gradient"],
    ),
    "no BatchNorm": (lambda: small(norm=nn.Identity()), ["must be used, and none runs"]),
    "a BatchNorm that does not run": (
        lambda: small(norm=Do(lambda self, maps: maps, norm=nn.BatchNorm2d(10))),
        [
            "every layer must run, and 1.norm (BatchNorm2d) does not",
            "every parameter must be trained, and 1.norm.weight gets no gradient",
            "BatchNorm (nn.BatchNorm2d, F.batch_norm) must be used, and none runs in forward()",
        ],
    ),
    "a BatchNorm for nothing": (
        lambda: small(
            norm=Do(lambda self, maps: (maps, F.batch_norm(maps, None, None, training=True))[0])
        ),
        ["BatchNorm (nn.BatchNorm2d, F.batch_norm) must be used, and none runs in forward()"],
    ),
    "BatchNorm by constants": (
        lambda: small(
            norm=Do(lambda self, maps: F.batch_norm(maps, torch.zeros(10), torch.ones(10)))
        ),
        ["BatchNorm must normalise by the batch in training, and does not in 1"],
    ),
    "no dropout": (
        lambda: small(dropout=nn.Identity()),
        ["dropout (nn.Dropout, F.dropout) must be used, and none runs in forward()"],
    ),
    "dropout of 0": (
        lambda: small(dropout=nn.Dropout(0.0)),
        ["dropout p must be between 0 and 1, and is 0.0 in 3"],
    ),
    "dropout of 1": (
        lambda: small(dropout=nn.Dropout(1.0)),
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
    "dropout that is never on": (
        lambda: small(dropout=Do(lambda self, maps: F.dropout(maps, 0.1, training=False))),
        ["dropout must act in training, and does not in 3"],
    ),
    "the largest pixel of each channel": (
        lambda: small(Do(lambda self, maps: maps.amax((2, 3)))),
        ["global average pooling (the mean of all pixels of each channel) or a fully connected"],
    ),
    "an average of a part": (lambda: small(nn.AvgPool2d(4), nn.Flatten()), ["and neither runs"]),
    "a Linear of single rows": (
        lambda: small(nn.Linear(6, 6), Do(lambda self, maps: maps.amax((2, 3)))),
        ["and neither runs"],
    ),
    "a convolution of a part": (
        lambda: small(nn.Conv2d(10, 10, kernel_size=4, stride=4), nn.Flatten()),
        ["and neither runs"],
    ),
    "scores as maps": (
        lambda: small(nn.AdaptiveAvgPool2d(1)),
        ["scores must have the shape (N, 10), and for N = 1 have (1, 10, 1, 1)"],
    ),
    "no N for one image": (
        lambda: then(torch.squeeze),
        ["scores must have the shape (N, 10), and for N = 1 have (10,)"],
    ),
    "softmax, scaled and shifted": (
        lambda: then(lambda logits: logits.softmax(1) * 10 - 1),
        ["and are probabilities, if perhaps scaled and shifted, from softmax in 6"],
    ),
    "softmax by hand, scaled first": (
        lambda: then(lambda logits: 9 * logits.exp() / logits.exp().sum(1, keepdim=True)),
        ["scores must be logits or log-probabilities, and are probabilities"],
    ),
    "sigmoid": (lambda: then(torch.sigmoid), ["from sigmoid in 6"]),
    "scores that depend on the batch": (
        lambda: then(lambda logits: logits - 0.01 * logits.mean(0)),
        ["evaluation must judge each image by itself"],
    ),
    "noise": (
        lambda: then(lambda logits: logits + torch.rand_like(logits)),
        ["evaluation must give the same scores each time"],
    ),
}


@pytest.mark.parametrize("make", ALLOWED.values(), ids=ALLOWED)
def test_allows(make):
    assert broken_rules(make) == []


@pytest.mark.parametrize(("make", "words"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_refuses(make, words):
    sentences = broken_rules(make)
    assert len(sentences) == len(words), sentences
    for sentence, part in zip(sentences, words, strict=True):
        assert part in sentence


UNFIT = {
    "two results": (lambda logits: (logits, logits), "a tensor of scores, and returns a tuple"),
    "scores without gradients": (torch.detach, "must have gradients, and are cut off"),
}


@pytest.mark.parametrize(("function", "words"), UNFIT.values(), ids=UNFIT)
def test_refuses_a_network_that_returns(function, words):
    with pytest.raises(AssertionError, match=words):
        Network(lambda: then(function))


@pytest.mark.parametrize("epochs", [0, 20])
def test_refuses_epochs(epochs, monkeypatch):
    monkeypatch.setattr(mnist_classifier, "Config", lambda: SimpleNamespace(epochs=epochs))
    with pytest.raises(pytest.fail.Exception, match=f"fewer than 20 epochs, and .* is {epochs}"):
        test_model.test_trains_for_fewer_than_20_epochs()


def test_says_that_the_class_is_missing(monkeypatch):
    monkeypatch.delattr(mnist_classifier, "SmallCNN", raising=False)
    with pytest.raises(pytest.fail.Exception, match="have a class SmallCNN, and has none"):
        test_model.test_there_is_a_network_that_runs()


def test_says_that_the_class_is_missing_where_it_is_used(monkeypatch, tmp_path):
    (tmp_path / "mnist_classifier.py").write_text("model = SmallCNN()")
    monkeypatch.delitem(sys.modules, "mnist_classifier")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(pytest.fail.Exception, match="class SmallCNN, and uses it, but has none"):
        test_model.test_there_is_a_network_that_runs()
