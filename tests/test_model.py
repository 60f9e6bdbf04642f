"""The architecture: what the network contains, and that it uses all of it."""

import pytest
import torch
from torch import nn

from mnist_classifier import SmallCNN, count_parameters


@pytest.fixture
def model() -> SmallCNN:
    return SmallCNN()


def modules_of_type(model: nn.Module, *types: type) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, types)]


def test_parameter_count_is_below_20000(model):
    assert 0 < count_parameters(model) < 20_000


def test_count_parameters_counts_the_trainable_ones():
    model = nn.Linear(3, 2)
    assert count_parameters(model) == 3 * 2 + 2
    model.bias.requires_grad_(False)
    assert count_parameters(model) == 3 * 2


def test_uses_batch_normalization(model):
    assert modules_of_type(model, nn.BatchNorm2d)


def test_uses_dropout(model):
    assert all(0 < layer.p < 1 for layer in modules_of_type(model, nn.Dropout))
    assert modules_of_type(model, nn.Dropout)


def test_uses_global_average_pooling(model):
    assert modules_of_type(model, nn.AdaptiveAvgPool2d, nn.AvgPool2d)
    pooled = []
    model.global_pool.register_forward_hook(lambda layer, args, output: pooled.append(output))
    model(torch.randn(2, 1, 28, 28))
    assert pooled[0].shape[2:] == (1, 1)


def test_has_no_hidden_fully_connected_layer(model):
    assert not [m for m in modules_of_type(model, nn.Linear) if m.out_features != 10]


def test_every_layer_runs_in_forward(model):
    layers = {name: m for name, m in model.named_modules() if not list(m.children())}
    ran = set()
    for name, layer in layers.items():
        layer.register_forward_hook(lambda *_, name=name: ran.add(name))
    model(torch.randn(2, 1, 28, 28))
    assert ran == set(layers)


@pytest.mark.parametrize("count", [1, 2, 7, 128])
def test_maps_any_number_of_images_to_ten_logits_each(model, count):
    assert model.eval()(torch.randn(count, 1, 28, 28)).shape == (count, 10)


def test_returns_raw_logits(model):
    logits = model.eval()(torch.randn(50, 1, 28, 28))
    assert (logits < 0).any()
    assert not torch.allclose(logits.exp().sum(dim=1), torch.ones(50))


def test_an_image_is_judged_by_itself_in_evaluation_mode(model):
    images = torch.randn(5, 1, 28, 28)
    model.eval()
    torch.testing.assert_close(model(images)[2:3], model(images[2:3]))


def test_every_parameter_gets_a_gradient(model):
    model(torch.randn(8, 1, 28, 28)).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_dropout_acts_in_training_mode_only(model):
    images = torch.randn(8, 1, 28, 28)
    model.train()
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))
    certain = SmallCNN(dropout=0.0).train()  # what else differs between two passes: nothing
    assert torch.equal(certain(images), certain(images))
