"""The architecture: what the network contains, and that it uses all of it."""

import pytest
import torch
from torch import nn

from mnist_classifier import SmallCNN, count_parameters

IMAGES = torch.randn(50, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model() -> SmallCNN:
    return SmallCNN()


def test_has_fewer_than_20000_parameters_counting_the_trainable_ones(model):
    assert 0 < count_parameters(model) < 20_000
    layer = nn.Linear(3, 2)
    assert count_parameters(layer) == 3 * 2 + 2
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 3 * 2


def test_uses_batch_normalization_and_hardswish_after_each_hidden_convolution(model):
    assert list(map(type, model.features)) == [nn.Conv2d, nn.BatchNorm2d, nn.Hardswish] * 5


def test_uses_dropout_in_training_mode_only(model):
    assert isinstance(model.dropout, nn.Dropout)
    assert 0 < model.dropout.p < 1
    assert not torch.equal(model.train()(IMAGES), model(IMAGES))
    assert torch.equal(model.eval()(IMAGES), model(IMAGES))
    certain = SmallCNN(dropout=0.0).train()  # what else differs between two passes: nothing
    assert torch.equal(certain(IMAGES), certain(IMAGES))


def test_uses_global_average_pooling_instead_of_hidden_linear_layers(model):
    assert isinstance(model.global_pool, nn.AdaptiveAvgPool2d)
    features = model.features(IMAGES)
    assert features.shape == (50, 24, 4, 4)
    assert model.global_pool(features).shape == (50, 24, 1, 1)
    assert not any(isinstance(layer, nn.Linear) for layer in model.modules())


def test_every_layer_runs_and_every_parameter_gets_a_gradient(model):
    unused = {layer for layer in model.modules() if not list(layer.children())}
    for layer in list(unused):
        layer.register_forward_hook(lambda layer, *_: unused.discard(layer))
    model(IMAGES).square().sum().backward()
    assert unused == set()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_maps_any_number_of_images_to_ten_raw_logits_each_judged_by_itself(model, count):
    logits = model.eval()(IMAGES[:count])
    assert logits.shape == (count, 10)
    assert (logits < 0).any()
    assert not torch.allclose(logits.exp().sum(dim=1), torch.ones(count))
    torch.testing.assert_close(logits[-1:], model(IMAGES[count - 1 : count]))
