"""The architecture: what the network contains, and that it uses all of it."""

import pytest
import torch
from torch import nn

from mnist_classifier import SmallCNN, count_parameters


@pytest.fixture
def model() -> SmallCNN:
    return SmallCNN()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(50, 1, 28, 28)


def layers(model: nn.Module, *types: type) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, types)]


def test_has_fewer_than_20000_parameters(model):
    assert 0 < count_parameters(model) < 20_000


def test_count_parameters_counts_the_trainable_ones():
    model = nn.Linear(3, 2)
    assert count_parameters(model) == 3 * 2 + 2
    model.bias.requires_grad_(False)
    assert count_parameters(model) == 3 * 2


def test_uses_batch_normalization(model):
    assert layers(model, nn.BatchNorm2d)


def test_uses_dropout_in_training_mode_only(model, images):
    assert [layer for layer in layers(model, nn.Dropout) if 0 < layer.p < 1]
    assert not torch.equal(model.train()(images), model(images))
    assert torch.equal(model.eval()(images), model(images))
    certain = SmallCNN(dropout=0.0).train()  # what else differs between two passes: nothing
    assert torch.equal(certain(images), certain(images))


def test_uses_global_average_pooling_instead_of_hidden_linear_layers(model, images):
    pooled = []
    model.global_pool.register_forward_hook(lambda layer, inputs, output: pooled.append(output))
    model(images)
    assert isinstance(model.global_pool, nn.AdaptiveAvgPool2d)
    assert pooled[0].shape[2:] == (1, 1)
    assert not [layer for layer in layers(model, nn.Linear) if layer.out_features != 10]


def test_every_layer_runs_and_every_parameter_gets_a_gradient(model, images):
    unused = {layer for layer in model.modules() if not list(layer.children())}
    for layer in list(unused):
        layer.register_forward_hook(lambda layer, *_: unused.discard(layer))
    model(images).square().sum().backward()
    assert unused == set()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("count", [1, 2, 7, 128])
def test_maps_any_number_of_images_to_ten_logits_each(model, count):
    assert model.eval()(torch.randn(count, 1, 28, 28)).shape == (count, 10)


def test_returns_raw_logits(model, images):
    logits = model.eval()(images)
    assert (logits < 0).any()
    assert not torch.allclose(logits.exp().sum(dim=1), torch.ones(50))


def test_judges_an_image_by_itself_in_evaluation_mode(model, images):
    model.eval()
    torch.testing.assert_close(model(images)[2:3], model(images[2:3]))
