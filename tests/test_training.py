"""The parts of the recipe, each against a known answer."""

import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import mnist_classifier
from mnist_classifier import Config, Digits, Muon, SmallCNN, augment, evaluate, to_float
from tests.drawn_digits import draw_digits


class PixelReader(nn.Module):
    """Takes the value of the first pixel, in steps of 25, as the class, with a logit of 5."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()  # evaluation remembers nothing for a backward pass
        pixels = (images[:, 0, 0, 0] * mnist_classifier.STD + mnist_classifier.MEAN) * 255
        return 5.0 * nn.functional.one_hot((pixels / 25).round().long(), 10)


def pixel_digits(answers: list[int], labels: list[int]) -> Digits:
    images = torch.zeros(len(answers), 28, 28, dtype=torch.uint8)
    images[:, 0, 0] = 25 * torch.tensor(answers)
    return Digits(images, torch.tensor(labels))


def test_evaluate_weighs_every_image_the_same_with_a_short_last_batch():
    labels = [i % 10 for i in range(23)]
    answers = labels[:20] + [(label + 1) % 10 for label in labels[20:]]  # the last batch is wrong
    digits = pixel_digits(answers, labels)
    logits = mnist_classifier.compute_logits(PixelReader(), to_float(digits.images), batch_size=10)
    assert logits.argmax(dim=1).tolist() == answers
    score = evaluate(PixelReader(), digits)
    assert score.accuracy == pytest.approx(20 / 23)
    all_wrong = math.log(math.exp(5) + 9)
    assert score.loss == pytest.approx(all_wrong - 5 * 20 / 23, rel=1e-5)


def test_evaluate_leaves_weights_and_batch_statistics_unchanged():
    model = SmallCNN().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, Digits(*draw_digits(30, seed=3)))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_evaluate_switches_dropout_off():
    model = SmallCNN(dropout=0.9).train()
    digits = Digits(*draw_digits(50, seed=3))
    assert evaluate(model, digits) == evaluate(model.train(), digits)


def learning_rates(losses: list[float], config: Config) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = mnist_classifier.make_scheduler(optimizer, config)
    rates = []
    for epoch, loss in enumerate(losses, start=1):
        mnist_classifier.step_scheduler(scheduler, loss, epoch)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def test_schedule_cuts_the_rate_when_the_loss_stops_falling(capsys):
    config = Config(lr_factor=0.5, lr_patience=0, lr_threshold=0.1)
    #         first  -20 %  -5 %  -12 % of 0.80  +   -20 %
    losses = [1.00, 0.80, 0.76, 0.704, 0.71, 0.56]
    assert learning_rates(losses, config) == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 00003: reducing learning rate of group 0 to 5.0000e-01.",
        "Epoch 00005: reducing learning rate of group 0 to 2.5000e-01.",
    ]


def test_schedule_waits_as_long_as_its_patience():
    config = Config(lr_factor=0.1, lr_patience=2, lr_threshold=0.0)
    rates = learning_rates([1.0, 1.0, 1.0, 1.0, 1.0], config)
    assert rates == pytest.approx([1.0, 1.0, 1.0, 0.1, 0.1])


def test_augmentation_off_returns_the_images():
    still = Config(rotation=0, translation=0, scale=0, shear=0)
    images = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(augment(images, still), images, atol=1e-4, rtol=0)


def centres(images: torch.Tensor) -> torch.Tensor:
    """Centre of mass (row, column) of each image (N, 1, 28, 28), in pixels from the middle."""
    positions = torch.arange(28) - 13.5
    mass = images.sum(dim=(1, 2, 3))
    rows = (images.sum(dim=(1, 3)) * positions).sum(dim=1) / mass
    columns = (images.sum(dim=(1, 2)) * positions).sum(dim=1) / mass
    return torch.stack([rows, columns], dim=1)


def dots(count: int, row: int, column: int) -> torch.Tensor:
    """Images with one soft dot of 4x4 pixels, `row` and `column` from the middle."""
    images = torch.zeros(count, 1, 28, 28)
    images[:, :, 12 + row : 16 + row, 12 + column : 16 + column] = 1
    return images


def test_translation_moves_the_digit_by_no_more_than_it_says():
    only = Config(rotation=0, translation=3.0, scale=0, shear=0)
    moved = centres(augment(dots(500, 0, 0), only))
    assert moved.abs().max() <= 3.01
    assert (moved.amax(dim=0) > 2.7).all()  # and uses the whole range, on both axes and sides
    assert (moved.amin(dim=0) < -2.7).all()


def test_rotation_turns_the_digit_by_no_more_than_it_says():
    only = Config(rotation=30.0, translation=0, scale=0, shear=0)
    moved = centres(augment(dots(500, -8, 0), only))  # a dot above the middle
    degrees = torch.atan2(moved[:, 1], -moved[:, 0]).rad2deg()
    assert degrees.abs().max() <= 30.5
    assert degrees.max() > 27
    assert degrees.min() < -27
    torch.testing.assert_close(moved.norm(dim=1), torch.full((500,), 8.0), atol=0.2, rtol=0)


def test_scale_and_shear_keep_to_their_limits():
    only = Config(rotation=0, translation=0, scale=0.2, shear=0)
    distance = centres(augment(dots(500, 0, 8), only))[:, 1]
    assert distance.min() >= 8 / 1.2 - 0.2
    assert distance.max() <= 8 / 0.8 + 0.2
    assert distance.max() - distance.min() > 2
    only = Config(rotation=0, translation=0, scale=0, shear=0.25)
    sideways = centres(augment(dots(500, 8, 0), only))
    assert sideways[:, 1].abs().max() <= 0.25 * 8 + 0.1
    assert sideways[:, 1].abs().max() > 0.2 * 8
    torch.testing.assert_close(sideways[:, 0], torch.full((500,), 8.0), atol=0.2, rtol=0)


def test_augmentation_keeps_each_image_in_its_place():
    brightness = torch.linspace(0.1, 1, 20).view(-1, 1, 1, 1)
    images = augment(brightness * dots(20, 0, 0), Config())
    torch.testing.assert_close(images.amax(dim=(1, 2, 3)), brightness.flatten(), atol=0.02, rtol=0)


class Recorder(nn.Module):
    """A network of one parameter that remembers the images it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(10))
        self.shown: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.shown.append(images.detach().mean(dim=(1, 2, 3)))
        return self.weight.expand(len(images), 10)


def show_epoch(
    digits: Digits, config: Config, epoch: int
) -> tuple[Recorder, mnist_classifier.Score]:
    """Run one epoch that changes no weight; return what was shown and the score."""
    model = Recorder()
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    average = AveragedModel(model)
    return model, mnist_classifier.train_epoch(model, average, frozen, digits, config, epoch)


def test_an_epoch_shows_every_image_once_in_random_order_and_counts_the_short_last_batch():
    images = torch.arange(10, dtype=torch.uint8).view(10, 1, 1).expand(10, 28, 28) * 20
    digits = Digits(images, torch.zeros(10, dtype=torch.long))
    config = Config(batch_size=4, rotation=0, translation=0, scale=0, shear=0)
    model, score = show_epoch(digits, config, epoch=1)
    assert [len(batch) for batch in model.shown] == [4, 4, 2]
    shown = torch.cat(model.shown)
    expected = (torch.arange(10) * 20 / 255 - mnist_classifier.MEAN) / mnist_classifier.STD
    torch.testing.assert_close(shown.sort().values, expected, atol=1e-4, rtol=0)
    assert not torch.equal(shown, shown.sort().values)
    assert score.loss == pytest.approx(math.log(10), rel=1e-5)  # all logits are 0 ...
    assert score.accuracy == 1.0  # ... and argmax takes the first, which is the label


@pytest.mark.parametrize(("epoch", "augmented"), [(1, True), (4, True), (5, False), (6, False)])
def test_the_last_epochs_see_the_images_as_they_are(epoch, augmented, monkeypatch):
    monkeypatch.setattr(
        mnist_classifier, "augment", lambda images, config: torch.zeros_like(images)
    )
    digits = Digits(torch.full((8, 28, 28), 255, dtype=torch.uint8), torch.zeros(8).long())
    model, _ = show_epoch(digits, Config(epochs=6, clean_epochs=2), epoch)
    assert (model.shown[0] < 0).all() == augmented  # black is below the mean, white above


def test_orthogonalize_brings_singular_values_near_one_and_keeps_directions():
    matrix = torch.randn(16, 40)
    result = mnist_classifier.orthogonalize(matrix)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(result.flatten(), (u @ vh).flatten(), dim=0) > 0.97


def test_optimizer_moves_every_parameter_downhill():
    model, config = SmallCNN(dropout=0.0), Config()
    images, labels = draw_digits(64, seed=4)
    inputs = mnist_classifier.normalize(mnist_classifier.to_float(images))
    optimizer = Muon(model, config)
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
    average = mnist_classifier.make_average(model, Config(average_window=3))
    for value in (5.0, -2.0, 7.0, 1.0):  # shares of the new value: all, 3/4, 3/5, 3/6
        model.running_mean.fill_(value)
        model.weight.data.fill_(-value)
        average.update_parameters(model)
    assert average.module.running_mean.item() == pytest.approx(2.55)
    assert average.module.weight.item() == pytest.approx(-2.55)


def flat_parameters(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_what_is_tested_and_returned_is_the_average_over_the_steps():
    digits = Digits(*draw_digits(60, seed=5))

    def drift(average_window: int) -> float:
        """How far training takes the returned weights from their start."""
        config = Config(epochs=2, batch_size=10, average_window=average_window)
        model, history = mnist_classifier.train(config, digits, digits)
        assert history[-1][4:6] == evaluate(model, digits)
        torch.manual_seed(config.seed)
        return (flat_parameters(model) - flat_parameters(SmallCNN())).norm().item()

    newest_only = 10**9
    assert drift(average_window=1) < 0.8 * drift(average_window=newest_only)


def test_the_seed_decides_everything():
    digits = Digits(*draw_digits(60, seed=6))

    def weights(seed: int) -> torch.Tensor:
        model, _ = mnist_classifier.train(
            Config(epochs=2, batch_size=16, seed=seed), digits, digits
        )
        return flat_parameters(model)

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))
