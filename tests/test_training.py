"""The parts of the recipe, each against a known answer."""

import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import mnist_classifier
from mnist_classifier import Config, Digits, Muon, Score, SmallCNN, augment, evaluate, train
from tests.drawn_digits import draw_digits


class PixelReader(nn.Module):
    """Takes the value of the first pixel, in steps of 25, as the class, with a logit of 5."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()  # evaluation remembers nothing for a backward pass
        pixels = (images[:, 0, 0, 0] * mnist_classifier.STD + mnist_classifier.MEAN) * 255
        return 5.0 * nn.functional.one_hot((pixels / 25).round().long(), 10)


def test_evaluate_weighs_every_image_the_same_with_a_short_last_batch():
    labels = torch.arange(23) % 10
    answers = torch.where(torch.arange(23) < 20, labels, (labels + 1) % 10)  # the end is wrong
    images = torch.zeros(23, 1, 28, 28, dtype=torch.uint8)
    images[:, 0, 0, 0] = 25 * answers
    logits = mnist_classifier.compute_logits(PixelReader(), images / 255, batch_size=10)
    assert torch.equal(logits.argmax(dim=1), answers)
    score = evaluate(PixelReader(), Digits(images, labels))
    assert score.accuracy == pytest.approx(20 / 23)
    all_wrong = math.log(math.exp(5) + 9)
    assert score.loss == pytest.approx(all_wrong - 5 * 20 / 23, rel=1e-5)


def test_evaluate_leaves_weights_and_batch_statistics_unchanged():
    model = SmallCNN().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, draw_digits(30, seed=3))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_evaluate_switches_dropout_off():
    model, digits = SmallCNN(dropout=0.9).train(), draw_digits(50, seed=3)
    assert evaluate(model, digits) == evaluate(model.train(), digits)


# --- augmentation ---


def test_augmentation_off_returns_the_images():
    still = Config(rotation=0, translation=0, scale=0, shear=0)
    images = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(augment(images, still), images, atol=1e-4, rtol=0)


def dots(count: int, row: int, column: int) -> torch.Tensor:
    """Images with one soft dot of 4x4 pixels, `row` and `column` from the middle."""
    images = torch.zeros(count, 1, 28, 28)
    images[:, :, 12 + row : 16 + row, 12 + column : 16 + column] = 1
    return images


def angle(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
    return torch.atan2(column, -row).rad2deg()  # degrees clockwise from above the middle


AUGMENTATIONS = [  # the only limit that is not 0, where a dot is, what is measured, from, to
    ({"translation": 3.0}, (0, 0), lambda row, column: row, -3, 3),
    ({"translation": 3.0}, (0, 0), lambda row, column: column, -3, 3),
    ({"rotation": 30.0}, (-8, 0), angle, -30, 30),
    ({"rotation": 30.0}, (-8, 0), torch.hypot, 8, 8),
    ({"scale": 0.2}, (0, 8), lambda row, column: column, 8 / 1.2, 8 / 0.8),
    ({"scale": 0.2}, (8, 0), lambda row, column: row, 8 / 1.2, 8 / 0.8),
    ({"shear": 0.25}, (8, 0), lambda row, column: column, -2, 2),
    ({"shear": 0.25}, (8, 0), lambda row, column: row, 8, 8),
]


@pytest.mark.parametrize(("limit", "dot", "measure", "low", "high"), AUGMENTATIONS)
def test_augmentation_goes_to_its_limits_and_no_further(limit, dot, measure, low, high):
    still = {"rotation": 0, "translation": 0, "scale": 0, "shear": 0}
    images = augment(dots(500, *dot), Config(**still | limit)).squeeze(1)
    places = torch.arange(28) - 13.5  # of the pixels, from the middle
    row, column = (images.sum(dim) @ places / images.sum((1, 2)) for dim in (2, 1))
    values, slack = measure(row, column), 0.06 * max(abs(high), 2)
    assert low - slack / 2 < values.min() < low + slack
    assert high - slack < values.max() < high + slack / 2


def test_augmentation_keeps_each_image_in_its_place():
    brightness = torch.linspace(0.1, 1, 20).view(-1, 1, 1, 1)
    images = augment(brightness * dots(20, 0, 0), Config())
    torch.testing.assert_close(images.amax(dim=(1, 2, 3)), brightness.flatten(), atol=0.02, rtol=0)


# --- an epoch ---


def grey_digits() -> Digits:
    """Ten images, each of one grey, labelled by their place."""
    greys = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1) * 20
    return Digits(greys.expand(10, 1, 28, 28), torch.arange(10))


def test_batches_show_every_image_once_in_random_order_with_its_label():
    batches = list(mnist_classifier.make_batches(grey_digits(), Config(batch_size=4), False))
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    labels = torch.cat([labels for _, labels in batches])
    assert not torch.equal(labels, torch.arange(10))
    assert torch.equal(labels.sort().values, torch.arange(10))
    shown = torch.cat([images[:, 0, 14, 14] for images, _ in batches])
    expected = (labels * 20 / 255 - mnist_classifier.MEAN) / mnist_classifier.STD
    torch.testing.assert_close(shown, expected)


def test_augmented_batches_are_augmented_before_they_are_normalised(monkeypatch):
    monkeypatch.setattr(mnist_classifier, "augment", lambda images, config: images * 0)
    ((images, _),) = mnist_classifier.make_batches(grey_digits(), Config(), True)
    torch.testing.assert_close(images.unique(), torch.tensor([-mnist_classifier.MEAN / 0.3081]))


class Constant(nn.Module):
    """Ten equal logits, whatever the image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weight.expand(len(images), 10)


def test_the_score_of_an_epoch_counts_images_not_batches():
    model = Constant()
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    batches = [
        (torch.zeros(n, 1, 28, 28), torch.full((n,), label)) for n, label in ((6, 0), (2, 5))
    ]
    average = AveragedModel(model)
    score = mnist_classifier.train_epoch(model.eval(), average, frozen, batches)
    assert score.loss == pytest.approx(math.log(10), rel=1e-5)  # all logits are 0 ...
    assert score.accuracy == 6 / 8  # ... and argmax takes the first
    assert model.training
    assert average.n_averaged == 2


def history_of(losses: list[float], config: Config, monkeypatch) -> list[mnist_classifier.Epoch]:
    """What `train` does when its epochs end with these training losses."""
    scores = (Score(loss, 0.5) for loss in losses)
    monkeypatch.setattr(mnist_classifier, "train_epoch", lambda *args: next(scores))
    digits = grey_digits()
    return train(config, digits, digits)[1]


def test_the_schedule_cuts_the_rates_when_the_training_loss_stops_falling(monkeypatch, capsys):
    config = Config(epochs=7, lr=1.0, lr_factor=0.5, lr_patience=0, lr_threshold=0.1)
    #         first  -20 %  -5 %  -12 % of 0.80  +   -20 %  + (too late to matter)
    losses = [1.00, 0.80, 0.76, 0.704, 0.71, 0.56, 0.9]
    history = history_of(losses, config, monkeypatch)
    assert [epoch.learning_rate for epoch in history] == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    assert [epoch.train_loss for epoch in history] == losses
    lines = [line for line in capsys.readouterr().out.splitlines() if "reducing" in line]
    assert lines == [
        "Epoch 00003: reducing learning rate of group 0 to 5.0000e-01.",
        "Epoch 00003: reducing learning rate of group 1 to 2.5000e-01.",
        "Epoch 00005: reducing learning rate of group 0 to 2.5000e-01.",
        "Epoch 00005: reducing learning rate of group 1 to 1.2500e-01.",
    ]


def test_the_schedule_waits_as_long_as_its_patience(monkeypatch):
    config = Config(epochs=6, lr=1.0, lr_factor=0.1, lr_patience=2, lr_threshold=0.0)
    rates = [epoch.learning_rate for epoch in history_of([1.0] * 6, config, monkeypatch)]
    assert rates == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.1, 0.1])


@pytest.mark.parametrize(("epochs", "clean"), [(1, 0), (2, 0), (4, 1), (12, 2), (19, 3)])
def test_the_last_sixth_of_the_epochs_sees_the_images_as_they_are(epochs, clean, monkeypatch):
    flags = []
    monkeypatch.setattr(
        mnist_classifier, "make_batches", lambda digits, config, augmented: flags.append(augmented)
    )
    history_of([1.0] * epochs, Config(epochs=epochs), monkeypatch)
    assert flags == [True] * (epochs - clean) + [False] * clean


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_training(loss, monkeypatch):
    with pytest.raises(mnist_classifier.Failure, match="not finite in epoch 2; try a lower --lr"):
        history_of([1.0, loss, 1.0], Config(epochs=3), monkeypatch)


# --- optimiser and average ---


def test_orthogonalize_brings_singular_values_near_one_and_keeps_directions():
    matrix = torch.randn(16, 40)
    result = mnist_classifier.orthogonalize(matrix)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(result.flatten(), (u @ vh).flatten(), dim=0) > 0.97


def test_the_optimizer_steps_with_nesterov_momentum_orthogonal_for_filters_alone():
    model = SmallCNN()
    filters, bias = model.features[3].weight, model.head.bias
    optimizer = Muon(model, Config(lr=0.1, lr_ratio=0.5, momentum=0.9))
    gradients = [torch.randn(24, 16, 3, 3), torch.randn(10)]
    before = [filters.detach().clone(), bias.detach().clone()]
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    for _ in range(2):
        filters.grad, bias.grad = (gradient.clone() for gradient in gradients)
        optimizer.step()
    # Velocities: g, 1.9 g. Updates: g + 0.9 g, g + 0.9 * 1.9 g; made orthogonal, both are alike.
    torch.testing.assert_close(bias, before[1] - 0.05 * (1.9 + 2.71) * gradients[1])
    direction = mnist_classifier.orthogonalize(gradients[0].flatten(1)).view_as(filters)
    torch.testing.assert_close(filters, before[0] - 2 * 0.1 * direction, atol=1e-3, rtol=0)


def test_optimizer_moves_every_parameter_downhill():
    model = SmallCNN(dropout=0.0)
    images, labels = draw_digits(64, seed=4)
    inputs = (images / 255 - mnist_classifier.MEAN) / mnist_classifier.STD
    optimizer = Muon(model, Config())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    losses = []
    for _ in range(15):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert [name for name, p in model.named_parameters() if torch.equal(p, before[name])] == []


def test_the_average_follows_weights_and_statistics_with_a_growing_memory():
    model = nn.BatchNorm1d(1)
    average = mnist_classifier.make_average(model, Config(average_memory=1 / 3))
    for value in (5.0, -2.0, 7.0, 1.0):  # shares of the new value: all, 3/4, 3/5, 3/6
        model.running_mean.fill_(value)
        model.weight.data.fill_(-value)
        average.update_parameters(model)
    assert average.module.running_mean.item() == pytest.approx(2.55)
    assert average.module.weight.item() == pytest.approx(-2.55)


def flat_parameters(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_what_is_tested_and_returned_is_the_average_over_the_steps():
    digits = draw_digits(60, seed=5)

    def drift(average_memory: float) -> float:
        """How far training takes the returned weights from their start."""
        config = Config(epochs=2, batch_size=10, average_memory=average_memory)
        model, history = train(config, digits, digits)
        assert history[-1][4:6] == evaluate(model, digits)
        torch.manual_seed(config.seed)
        return (flat_parameters(model) - flat_parameters(SmallCNN())).norm().item()

    newest_only = 1e-9
    assert drift(average_memory=1) < 0.8 * drift(average_memory=newest_only)


def test_the_seed_decides_everything():
    digits = draw_digits(60, seed=6)

    def weights(seed: int) -> torch.Tensor:
        return flat_parameters(train(Config(epochs=2, batch_size=16, seed=seed), digits, digits)[0])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))
