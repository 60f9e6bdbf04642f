"""The rules of the assignment, which any network called SmallCNN has to follow."""

import pytest
import torch
from torch import Tensor, nn

from mnist_classifier import Config, SmallCNN, count_parameters

IMAGES = torch.randn(50, 1, 28, 28, generator=torch.Generator().manual_seed(0))
POOLING = (nn.AdaptiveAvgPool2d, nn.AvgPool2d)


@pytest.fixture
def model() -> SmallCNN:
    return SmallCNN()


def layers(model: nn.Module, kind: type | tuple[type, ...]) -> list[nn.Module]:
    return [layer for layer in model.modules() if isinstance(layer, kind)]


def test_has_fewer_than_20000_parameters(model):
    assert 0 < count_parameters(model) < 20_000


def test_only_trainable_parameters_are_counted():
    layer = nn.Linear(3, 2)
    assert count_parameters(layer) == 3 * 2 + 2
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 3 * 2


def test_trains_for_fewer_than_20_epochs():
    assert 1 <= Config().epochs < 20


def test_uses_batch_normalization(model):
    assert layers(model, nn.BatchNorm2d), "there is no BatchNorm2d in SmallCNN"


def test_uses_dropout_in_training_mode_only(model):
    dropout = layers(model, (nn.Dropout, nn.Dropout2d))
    assert dropout, "there is no Dropout in SmallCNN"
    assert all(0 < layer.p < 1 for layer in dropout)
    assert not torch.equal(model.train()(IMAGES), model(IMAGES)), "two passes should differ"
    assert torch.equal(model.eval()(IMAGES), model(IMAGES)), "two passes should be equal"
    for layer in dropout:
        layer.p = 0.0
    model.train()
    assert torch.equal(model(IMAGES), model(IMAGES)), "something other than dropout is random"


def test_uses_global_average_pooling(model):
    shapes = []
    for layer in layers(model, POOLING):
        layer.register_forward_hook(lambda layer, given, result: shapes.append(result.shape[2:]))
    model(IMAGES)
    assert (1, 1) in shapes, "no average pooling in SmallCNN leaves a single value of each channel"


def test_every_layer_runs(model):
    unused = {name for name, layer in model.named_modules() if not list(layer.children())}

    def remove(name: str) -> None:
        model.get_submodule(name).register_forward_hook(lambda *_: unused.discard(name))

    for name in list(unused):
        remove(name)
    model(IMAGES)
    assert unused == set(), "forward() leaves these layers out"


def test_every_parameter_gets_a_gradient(model):
    model(IMAGES).square().sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == [], "these parameters are never trained"


def test_returns_raw_logits(model):
    logits = model.eval()(IMAGES)
    sums = logits.exp().sum(dim=1)
    assert (logits < 0).any(), "cross_entropy wants logits, and these look like probabilities"
    assert not torch.allclose(sums, torch.ones(50)), "these are logarithms of probabilities"


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_judges_each_of_any_number_of_images_by_itself(model, count):
    def read(images: Tensor) -> Tensor:
        return model.eval()(images)

    logits = read(IMAGES[:count])
    assert logits.shape == (count, 10)
    alone = read(IMAGES[count - 1 : count])
    torch.testing.assert_close(logits[-1:], alone)
