"""The parts of the recipe, each against a known answer."""

import itertools
import math
from unittest.mock import Mock

import pytest
import torch
from torch import nn

import mnist_classifier as mc
from mnist_classifier import Config, Digits, Failure, Muon, Score, SmallCNN, evaluate, train
from tests.drawn_digits import draw_digits


def test_the_network_normalises_its_images_itself():
    model = SmallCNN().eval()
    images = draw_digits(3, seed=4).scaled()
    assert (images.min(), images.max() <= 1) == (0, True)
    seen = []
    model.features.register_forward_hook(lambda layer, given, result: seen.extend(given))
    model(images)
    torch.testing.assert_close(seen[0], (images - mc.MEAN) / mc.STD)


def test_the_network_refuses_integers_and_other_shapes():
    with pytest.raises(TypeError, match="must be floats .*, not torch.uint8"):
        SmallCNN()(draw_digits(3, seed=4).images)
    with pytest.raises(
        ValueError, match=r"must be floats \(N, 1, 28, 28\) .*, not \(3, 1, 32, 32\)"
    ):
        SmallCNN()(torch.zeros(3, 1, 32, 32))


def test_only_trainable_parameters_are_counted():
    layer = nn.Linear(3, 2)
    assert mc.count_parameters(layer) == 3 * 2 + 2
    layer.bias.requires_grad_(False)
    assert mc.count_parameters(layer) == 3 * 2


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (torch.zeros(3, 1, 28, 28), torch.zeros(3).long()),
        (torch.zeros(3, 28, 28).byte(), torch.zeros(3).long()),
        (torch.zeros(3, 1, 28, 28).byte(), torch.zeros(4).long()),
        (torch.zeros(3, 1, 28, 28).byte(), torch.zeros(3)),
        (torch.zeros(3, 1, 28, 28).byte(), torch.zeros(3).int()),
        (torch.zeros(3, 1, 28, 28).byte(), torch.zeros(3, 1).long()),
    ],
    ids=[
        "floats",
        "no channel",
        "more labels",
        "floats for labels",
        "short labels",
        "labels in a column",
    ],
)
def test_digits_refuse_images_and_labels_of_another_kind(images, labels):
    wanted = r"must be torch\.(uint8 \((3|4), 1, 28, 28\).*|int64 \(N,\)), not torch\.\w+ \("
    with pytest.raises(ValueError, match=wanted):
        Digits(images, labels)


@pytest.mark.parametrize("labels", [[0, 10], [-1, 3], []], ids=str)
def test_digits_refuse_labels_of_no_digit_and_having_no_image(labels):
    images = torch.zeros(len(labels), 1, 28, 28).byte()
    with pytest.raises(ValueError, match=r"labels must be from 0 to 9, not from|there is no image"):
        Digits(images, torch.tensor(labels).long())


@pytest.mark.parametrize("of_numpy", ["images", "labels"])
def test_digits_refuse_arrays_that_are_no_tensors(of_numpy):
    parts = {"images": torch.zeros(3, 1, 28, 28).byte(), "labels": torch.zeros(3).long()}
    parts[of_numpy] = parts[of_numpy].numpy()
    with pytest.raises(TypeError, match="images and labels must be tensors, not ndarray"):
        Digits(**parts)


def test_digits_give_their_images_from_0_to_1():
    digits = draw_digits(5, seed=4)
    assert torch.equal(digits.scaled(), digits.images / 255)
    assert torch.equal(digits.scaled(torch.tensor([3, 1])), digits.images[[3, 1]] / 255)


def test_scores_and_digits_are_short_when_they_are_shown():
    assert repr(Score(0.01114691980183, 0.9961000084877)) == "Score(loss=0.0111, accuracy=0.9961)"
    assert repr(draw_digits(5, seed=4)) == "Digits(5 images on cpu)"


def test_evaluate_shows_every_image_once_and_changes_nothing():
    model = SmallCNN().train()
    digits = draw_digits(23, seed=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    logits = mc.compute_logits(model, digits.scaled(), batch_size=10)  # the last one is short
    assert not logits.requires_grad  # nothing is remembered for a backward pass
    assert not logits.is_inference()  # but another network may learn from them
    expected = mc.score_logits(logits, digits.labels)
    assert evaluate(model.train(), digits) == pytest.approx(expected)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    expected = model.eval()(digits.scaled()).detach()
    torch.testing.assert_close(logits, expected)


class AlwaysZero(nn.Module):
    """Reads every image as a 0."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 10)."""
        return torch.eye(10)[0].expand(len(images), -1)


def test_evaluate_counts_every_image_of_a_large_set():
    labels = torch.cat([torch.zeros(2000), torch.ones(3)]).long()
    digits = Digits(torch.zeros(2003, 1, 28, 28).byte(), labels)
    assert evaluate(AlwaysZero(), digits).accuracy == 2000 / 2003


def test_the_score_weighs_every_image_the_same():
    labels = torch.arange(23) % 10
    answers = torch.where(torch.arange(23) < 20, labels, (labels + 1) % 10)  # the end is wrong
    score = mc.score_logits(5.0 * nn.functional.one_hot(answers, 10), labels)
    assert score.accuracy == pytest.approx(20 / 23)
    assert score.loss == pytest.approx(math.log(math.exp(5) + 9) - 5 * 20 / 23, rel=1e-5)


# --- flags ---
def bar(column: int) -> torch.Tensor:
    """A 1 (28, 28) uint8: a bar in rows 4 to 23, 3 pixels wide around this column."""
    image = torch.zeros(28, 28, dtype=torch.uint8)
    image[4:24, column - 1 : column + 2] = 200
    return image


@pytest.mark.parametrize(("column", "top"), [(14, 4), (8, 4), (14, 8)])
def test_a_flag_is_a_line_from_the_top_down_and_to_the_left(column, top):
    torch.manual_seed(0)
    one = bar(column).roll(top - 4, dims=0)
    lengths = []
    widths = []
    for flagged in mc.draw_flags(one.expand(200, -1, -1)):
        inked = flagged > 127
        stem = flagged[top + 18].argmax().item()  # no flag is so long
        left = stem - inked.any(dim=0).int().argmax().item()
        down = inked[:, stem - left].nonzero().float().mean().item() - top
        assert flagged[top + 1 : top + 19, stem].min() == 200  # the 1 itself is as it was
        assert flagged[:, stem + 5 :].max() == 0
        assert flagged[: top - 2].max() == 0
        assert abs((flagged.sum(dim=0) * torch.arange(28)).sum() / flagged.sum() - 13.5) <= 0.5
        if left > 4:
            length = math.hypot(left, down)
            lengths.append(length)
            widths.append((inked.sum().item() - 60) / length)
            assert 25 < math.degrees(math.atan2(down, left)) < 75
    assert 4 < min(lengths) < 7
    assert 12 < max(lengths) < 16
    assert 0.3 < min(widths) < 1
    assert 2 < max(widths) < 4


def test_a_flag_begins_below_the_soft_edge_of_a_stroke():
    sharp = bar(14)
    soft = sharp.clone()
    soft[2:4, 13:16] = 90
    pairs = []
    for one in (sharp, soft):
        torch.manual_seed(0)
        pairs.append(mc.draw_flags(one.expand(20, -1, -1)))
    sharp_flags, soft_flags = pairs
    same = (sharp_flags > 127) == (soft_flags > 127)
    assert same.flatten(1).all(dim=1).sum() >= 15  # others are moved otherwise by the paler ink


def test_a_share_of_the_ones_is_given_a_flag():
    torch.manual_seed(0)
    faint = bar(8) // 2
    images = torch.stack([bar(13)] * 1000 + [faint] * 100)
    labels = torch.tensor([1, 7] * 500 + [1] * 100)
    digits = Digits(images.unsqueeze(1), labels)
    before = images.clone()
    flagged = mc.add_flags(digits, 0.25)
    changed = (flagged.images != digits.images).flatten(1).any(dim=1)
    assert not changed[labels == 7].any()
    assert not changed[1000:].any()  # too faint to see where they begin
    assert 90 < changed.sum() < 160
    assert torch.equal(digits.images[:, 0], before)
    assert torch.equal(flagged.labels, labels)
    assert torch.equal(mc.add_flags(digits, 0).images, digits.images)


def test_flags_are_seen_in_all_epochs_but_the_last_ones(monkeypatch):
    digits = draw_digits(100, seed=3)
    seen = []
    monkeypatch.setattr(mc, "train_epoch", lambda *args: seen.append(args[-1]) or Score(1.0, 0.5))
    train(Config(epochs=3, flagged_share=1.0), digits, draw_digits(5, seed=7))
    first, second, last = seen
    assert first is second
    assert last is digits
    changed = (first.images != digits.images).flatten(1).any(dim=1)
    assert torch.equal(changed, digits.labels == 1)


# --- augmentation ---
STILL = {"rotation": 0, "translation": 0, "scale": 0, "shear": 0, "elastic": 0}


def dots(count: int, row: int, column: int) -> torch.Tensor:
    """Images with one soft dot of 4x4 pixels, `row` and `column` from the middle."""
    images = torch.zeros(count, 1, 28, 28)
    images[:, :, 12 + row : 16 + row, 12 + column : 16 + column] = 1
    return images


AUGMENTATIONS = [  # the only limit that is not 0, where a dot is, what is measured, from, to
    ({"translation": 3.0}, (0, 0), "row", -3, 3),
    ({"translation": 3.0}, (0, 0), "column", -3, 3),
    ({"translation": 3.0}, (0, 0), "difference", -6, 6),  # each axis by itself
    ({"rotation": 30.0}, (-8, 0), "angle", -30, 30),
    ({"rotation": 30.0}, (-8, 0), "distance", 8, 8),
    ({"scale": 0.2}, (0, 8), "column", 8 / 1.2, 8 / 0.8),
    ({"scale": 0.2}, (8, 0), "row", 8 / 1.2, 8 / 0.8),
    ({"scale": 0.2}, (8, 8), "difference", 8 / 1.2 - 8 / 0.8, 8 / 0.8 - 8 / 1.2),
    ({"shear": 0.25}, (8, 0), "column", -2, 2),
    ({"shear": 0.25}, (8, 0), "row", 8, 8),
]


def measure(images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Where the dot in each of `images` (N, 1, 28, 28) is, from the middle: pixels and degrees."""
    places = torch.arange(28) - 13.5
    mass = images.sum(dim=(1, 2, 3))
    row = images.sum(dim=(1, 3)) @ places / mass
    column = images.sum(dim=(1, 2)) @ places / mass
    return {
        "row": row,
        "column": column,
        "difference": column - row,
        "angle": torch.atan2(column, -row).rad2deg(),
        "distance": torch.hypot(row, column),
    }


@pytest.mark.parametrize(("limit", "dot", "what", "low", "high"), AUGMENTATIONS)
def test_augmentation_goes_to_its_limits_and_no_further(limit, dot, what, low, high):
    config = Config(**STILL | limit)
    values = measure(mc.augment(dots(2000, *dot), config))[what]
    slack = 0.06 * max(abs(high), 2)
    assert low - slack / 2 < values.min() < low + slack
    assert high - slack < values.max() < high + slack / 2


def test_bending_displaces_each_point_by_a_normal_amount_along_each_axis():
    images = mc.augment(dots(2000, 0, 0), Config(**STILL | {"elastic": 0.7}))
    places = measure(images)
    for axis in ("row", "column"):
        assert places[axis].mean().abs() < 0.1
        assert 0.45 < places[axis].std() < 0.7
    assert torch.corrcoef(torch.stack([places["row"], places["column"]]))[0, 1].abs() < 0.1


def test_bending_displaces_the_corners_by_the_outermost_points():
    torch.manual_seed(0)
    points = torch.randn(3, 2, 5, 5) * 0.7
    torch.manual_seed(0)
    bent = mc.bend(3, 0.7, torch.device("cpu"))
    torch.testing.assert_close(bent[:, :, ::27, ::27], points[:, :, ::4, ::4])


def test_bending_is_smooth():
    line = torch.zeros(500, 1, 28, 28)
    line[:, :, 13:15] = 1  # from left to right
    bent = mc.augment(line, Config(**STILL | {"elastic": 1.0}))[:, 0]
    rows = (torch.arange(28.0) @ bent) / bent.sum(dim=1)  # (N, 28), where it is in each column
    assert rows[:, 4:-4].std() > 0.5
    assert (rows[:, 5:-4] - rows[:, 4:-5]).abs().mean() < 0.25


def test_augmentation_keeps_each_image_in_its_place_and_fills_in_black():
    images = torch.linspace(0.1, 1, 20).view(-1, 1, 1, 1) * dots(20, 0, 0)
    brightest = mc.augment(images, Config()).amax(dim=(1, 2, 3))
    torch.testing.assert_close(brightest, images.amax(dim=(1, 2, 3)), atol=0.02, rtol=0)
    torch.testing.assert_close(mc.augment(images, Config(**STILL)), images, atol=1e-4, rtol=0)
    assert mc.augment(torch.ones(20, 1, 28, 28), Config()).min() == 0


# --- an epoch ---
def grey_digits(count: int = 10) -> Digits:
    """Images, each of one grey, labelled by their place (the tens left out)."""
    greys = torch.arange(count, dtype=torch.uint8).view(count, 1, 1, 1)
    return Digits(greys.expand(count, 1, 28, 28), torch.arange(count) % 10)


@pytest.mark.parametrize("augmented", [False, True])
def test_batches_have_all_images_once_with_their_labels_in_random_order(augmented, monkeypatch):
    monkeypatch.setattr(mc, "augment", lambda images, config: images / 2)
    digits = grey_digits()
    batches = list(mc.make_batches(digits, Config(batch_size=4), augmented))
    images, labels = map(torch.cat, zip(*batches, strict=True))
    assert torch.equal(labels.sort().values, digits.labels)
    assert not torch.equal(labels, digits.labels)
    expected = labels / 255 / (2 if augmented else 1)
    torch.testing.assert_close(images[:, 0, 14, 14], expected)


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [(5, 2, [2, 2, 1]), (129, 128, [65, 64]), (128, 128, [128]), (1, 128, [1])],
)
def test_batches_differ_by_one_image_at_the_most(count, batch_size, sizes):
    config = Config(batch_size=batch_size)
    assert mc.count_steps(grey_digits(count), config) == len(sizes)
    batches = mc.make_batches(grey_digits(count), config, augmented=False)
    assert [len(labels) for _, labels in batches] == sizes


def test_a_network_with_batchnorm_after_pooling_trains_on_129_images(monkeypatch):
    class Pooled(SmallCNN):
        def __init__(self):
            super().__init__()
            self.global_pool = nn.Sequential(self.global_pool, nn.BatchNorm2d(10))

    monkeypatch.setattr(mc, "SmallCNN", Pooled)
    digits = draw_digits(129, seed=1)
    _, history = train(Config(epochs=1, batch_size=128), digits, digits)
    assert math.isfinite(history[0].train.loss)


def bias_model() -> nn.Module:
    """A network whose logits, for black images, are 5 for a 0 and 0 for the others."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    model[1].bias.data = 5 * torch.eye(10)[0]
    return model


LOSS_OF_0 = math.log(math.exp(5) + 9) - 5
LOSS_OF_3 = math.log(math.exp(5) + 9)


def black_digits(labels: list[int]) -> Digits:
    return Digits(torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8), torch.tensor(labels))


def one_epoch(model: nn.Module, labels: list[int], average=None, number=1, **settings) -> Score:
    """Train nothing (the learning rate is 0) on black images with these labels."""
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    average = average or Mock()
    return mc.train_epoch(number, Config(**settings), model, average, frozen, black_digits(labels))


def test_an_epoch_weighs_images_not_batches():
    model = bias_model().eval()
    average = Mock()
    score = one_epoch(model, [0, 0, 3, 3, 0], average, batch_size=2)
    assert score.loss == pytest.approx((3 * LOSS_OF_0 + 2 * LOSS_OF_3) / 5, rel=1e-5)
    assert score.accuracy == pytest.approx(3 / 5)
    assert model.training
    assert average.update.call_count == 3


def test_the_average_is_of_the_weights_after_each_step():
    model = bias_model()
    average = mc.RunningAverage(model, divisor=10**9)  # follows at once
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    mc.train_epoch(1, Config(), model, average, optimizer, black_digits([3] * 4))
    torch.testing.assert_close(average.model.state_dict(), model.state_dict())


def test_the_gradient_is_that_of_the_last_batch_alone():
    model = bias_model()
    one_epoch(model, [3] * 4, batch_size=2)
    expected = model[1].bias.softmax(0) - torch.eye(10)[3]
    torch.testing.assert_close(model[1].bias.grad, expected)


def test_the_bar_shows_loss_and_accuracy_as_they_stand(monkeypatch):
    monkeypatch.setattr(torch, "randperm", torch.arange)
    monkeypatch.setattr(mc, "can_draw_bar", lambda: True)
    shown = []
    monkeypatch.setattr(mc.tqdm, "set_postfix_str", lambda bar, text: shown.append(text))
    one_epoch(bias_model(), [0] * 20 + [3] * 20, batch_size=1)
    mean = (LOSS_OF_0 + LOSS_OF_3) / 2
    assert shown == [f"loss={LOSS_OF_0:.3f}, acc=100.00%", f"loss={mean:.3f}, acc=50.00%"]


@pytest.mark.parametrize(("epochs", "clean"), [(1, 1), (2, 1), (6, 1), (9, 2), (19, 4)])
def test_the_last_sixth_of_the_epochs_and_at_least_one_sees_the_images_as_they_are(
    epochs, clean, monkeypatch
):
    augment = Mock(side_effect=lambda images, config: images)
    monkeypatch.setattr(mc, "augment", augment)
    for number in range(1, epochs + 1):
        one_epoch(bias_model(), [0, 1, 2], number=number, epochs=epochs)
        assert augment.called == (number <= epochs - clean)
        augment.reset_mock()


# --- a training ---
def history_of(losses, config: Config, monkeypatch, test_loss=0.4) -> list[mc.Epoch]:
    """What `train` does when its epochs end with these training losses."""
    scores = (Score(loss, 0.5) for loss in losses)
    monkeypatch.setattr(mc, "train_epoch", lambda *_: next(scores))
    monkeypatch.setattr(mc, "evaluate", lambda *_: Score(test_loss, 0.75))
    return train(config, grey_digits(), draw_digits(5, seed=7))[1]


def relative_rates(history: list[mc.Epoch]) -> list[float]:
    """The learning rates, as shares of the first."""
    return [epoch.learning_rate / history[0].learning_rate for epoch in history]


def test_the_schedule_halves_the_rate_after_an_epoch_without_progress(monkeypatch):
    losses = [1.0, 0.8, 0.76, 0.704, 0.71, 0.9]  # 20, 5 and 12 % lower than the last progress
    config = Config(epochs=6, lr=1.0, lr_threshold=0.1)
    history = history_of(losses, config, monkeypatch)
    assert relative_rates(history) == [1, 1, 1, 0.5, 0.5, 0.25]
    assert [epoch.train.loss for epoch in history] == losses


def test_progress_is_measured_from_the_last_loss_that_was_progress(monkeypatch):
    losses = [1.0, 0.96, 0.93, 0.93]  # the third is not 5 % below the second, but below the first
    history = history_of(losses, Config(epochs=4, lr=1.0, lr_threshold=0.05), monkeypatch)
    assert relative_rates(history) == [1, 1, 0.5, 0.5]


def test_the_schedule_waits_as_long_as_its_patience(monkeypatch):
    config = Config(epochs=6, lr=1.0, lr_factor=0.1, lr_patience=2, lr_threshold=0.0)
    history = history_of([1.0] * 6, config, monkeypatch)
    assert relative_rates(history) == pytest.approx([1, 1, 1, 1, 0.1, 0.1])


def test_a_cut_is_said_and_after_the_last_epoch_there_is_none(monkeypatch, capsys):
    history_of([1.0, 1.0, 1.0], Config(epochs=3, lr=0.1), monkeypatch)
    lines = [line for line in capsys.readouterr().out.splitlines() if "rate" in line]
    assert len(lines) == 1
    assert lines[0].startswith("Reduced the learning rates to 0.")


@pytest.mark.parametrize(("factor", "is_said"), [(0.5, True), (2.0, False)])
def test_a_cut_is_said_and_a_rise_is_not(factor, is_said, capsys):
    optimizer = torch.optim.SGD(SmallCNN().parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: factor**epoch)
    scheduler.step = lambda loss, step=scheduler.step: step()
    optimizer.step()  # torch warns of a scheduler that is first
    mc.step_schedule(scheduler, 0.3)
    assert ("Reduced" in capsys.readouterr().out) == is_said


def test_the_first_learning_rates_and_the_momentum_are_those_of_the_configuration(monkeypatch):
    muon = Mock(wraps=mc.Muon)
    monkeypatch.setattr(mc, "Muon", muon)
    config = Config(epochs=1, lr=0.3, lr_ratio=0.2, momentum=0.8)
    (epoch,) = history_of([1.0], config, monkeypatch)
    assert epoch.learning_rate == 0.3
    assert muon.call_args.kwargs["lr_others"] == pytest.approx(0.06)
    assert muon.call_args.kwargs["momentum"] == 0.8


def test_the_history_has_the_training_score_and_the_test_score(monkeypatch):
    (epoch,) = history_of([1.0], Config(epochs=1), monkeypatch)
    assert (epoch.number, epoch.train, epoch.test) == (1, (1.0, 0.5), (0.4, 0.75))


def test_the_seconds_of_an_epoch_are_those_of_its_training(monkeypatch):
    clock = itertools.count(step=100.0)
    monkeypatch.setattr(mc.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(mc, "train_epoch", lambda *_: next(clock) and Score(1.0, 0.5))
    monkeypatch.setattr(mc, "evaluate", lambda *_: next(clock) and Score(0.4, 0.75))
    _, (epoch,) = train(Config(epochs=1), draw_digits(9, seed=3), draw_digits(5, seed=7))
    assert epoch.seconds == 200  # two ticks: that of train_epoch, and the end


def test_an_epoch_is_a_line_on_training_and_one_on_the_test(capsys):
    epoch = mc.Epoch(2, 0.1, train=Score(0.5, 0.8), test=Score(0.4, 0.2), seconds=1.54)
    mc.print_epoch(epoch, 3)
    assert capsys.readouterr().out == (
        "Epoch 2/3: loss=0.500, acc=80.00%, 1.5 s\n"
        "Test set: Average loss: 0.4000, Accuracy: 20.00%\n"
    )


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_training(loss, monkeypatch):
    with pytest.raises(Failure, match="not finite in epoch 2; try a lower --lr"):
        history_of([1.0, loss, 1.0], Config(epochs=3), monkeypatch)


# --- optimiser and average ---
def test_orthogonalize_brings_singular_values_near_one_and_keeps_directions():
    matrix = torch.randn(16, 40) * torch.logspace(0, -1, 16).view(16, 1)  # lopsided
    result = mc.orthogonalize(matrix)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(result.flatten(), (u @ vh).flatten(), dim=0) > 0.97


def test_orthogonalize_leaves_a_gradient_of_zeros():
    assert torch.equal(mc.orthogonalize(torch.zeros(4, 9)), torch.zeros(4, 9))


class TwoKinds(nn.Module):
    """A filter, and parameters of every other kind."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
        self.head = nn.Conv2d(8, 10, 1)


def make_muon(model: TwoKinds) -> Muon:
    filters = [model.features[0].weight]
    return Muon(model.parameters(), filters, lr=0.1, lr_others=0.05, momentum=0.9)


def test_the_optimizer_steps_with_nesterov_momentum_orthogonal_for_filters_alone():
    model = TwoKinds()
    optimizer = make_muon(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    gradients = {name: torch.randn_like(p) for name, p in model.named_parameters()}
    for _ in range(2):
        for name, p in model.named_parameters():
            p.grad = gradients[name].clone()
        optimizer.step()
    # Velocities: g, 1.9 g. Updates: g + 0.9 g, g + 0.9 * 1.9 g; made orthogonal, both are alike.
    for name, p in model.named_parameters():
        step = 0.05 * (1.9 + 2.71) * gradients[name]
        if name == "features.0.weight":
            matrix = gradients[name].flatten(1)
            step = 2 * 0.1 * mc.orthogonalize(matrix).view_as(p)
        torch.testing.assert_close(p, before[name] - step, atol=1e-3, rtol=0)


def test_a_frozen_layer_is_left_alone():
    model = TwoKinds()
    model.features.requires_grad_(False)
    optimizer = make_muon(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.head.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"head.weight", "head.bias"}


def test_the_filters_are_those_before_the_head_whatever_the_layers_are_called(shipped_model):
    class Renamed(SmallCNN):
        def __init__(self):
            super().__init__()
            self.classifier = self.head
            del self.head

    for model in (shipped_model, Renamed()):
        names = {id(p): name for name, p in model.named_parameters()}
        filters = [names[id(p)] for p in model.filters()]
        assert filters == [f"features.{place}.weight" for place in (0, 3, 6, 9)]


def test_a_network_that_torch_compile_wrapped_has_the_same_filters():
    model = SmallCNN()
    wrapped = torch.compile(model)
    optimizer = Muon(wrapped.parameters(), wrapped.filters(), lr=0.1, lr_others=0.05, momentum=0.9)
    filters, others = (group["params"] for group in optimizer.param_groups)
    assert {id(p) for p in filters} == {id(p) for p in model.filters()}
    assert any(p is model.head.weight for p in others)


def test_the_average_follows_weights_and_statistics_with_a_growing_memory():
    model = nn.BatchNorm1d(1)
    average = mc.RunningAverage(model, divisor=3)
    for value in (5.0, -2.0, 7.0, 1.0):  # shares of the new value: all, 3/4, 3/5, 3/6
        model.running_mean.fill_(value)
        model.weight.data.fill_(-value)
        average.update(model)
    assert average.model.running_mean.item() == pytest.approx(2.55)
    assert average.model.weight.item() == pytest.approx(-2.55)


def test_the_average_follows_a_model_whose_memory_was_laid_out_anew():
    model = SmallCNN()
    average = mc.RunningAverage(model, divisor=9)
    model.to(memory_format=torch.channels_last)
    with torch.no_grad():
        model.features[3].weight.fill_(7)
    average.update(model)
    assert (average.model.features[3].weight == 7).all()


def test_the_seed_decides_everything_and_the_average_is_tested_and_returned():
    digits = draw_digits(60, seed=6)

    def weights(**settings: float) -> torch.Tensor:
        model, history = train(Config(epochs=2, batch_size=16, **settings), digits, digits)
        assert not model.training
        assert history[-1].test == evaluate(model, digits)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(seed=3), weights(seed=3))
    assert not torch.equal(weights(seed=3), weights(seed=4))
    assert not torch.equal(weights(seed=3), weights(seed=3, averaging_divisor=1))
