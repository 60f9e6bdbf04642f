"""The rules of the assignment, for any network called SmallCNN in mnist_classifier.py.

The network is judged by what it does. It runs on made-up images (37, 1, 28, 28) from 0 to 1, once
in training mode and once in evaluation mode, and tests/watch.py notes every call of a function of
torch. So a layer and a function, such as nn.Dropout and F.dropout, are the same to these tests.
A broken rule says in a sentence what it wants and what was found, if it can in which layer.
"""

from collections.abc import Iterable
from contextlib import suppress
from types import ModuleType
from typing import NoReturn

import pytest
from torch import Tensor, nn

from tests.watch import (
    IMAGES,
    NUM_CLASSES,
    Call,
    Network,
    averages_maps,
    gives_probabilities,
    is_fully_connected,
    is_same,
)

MAX_WEIGHTS = 20_000
MAX_EPOCHS = 20
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fail(sentence: str) -> NoReturn:
    pytest.fail(sentence, pytrace=False)


def load_program() -> ModuleType:
    """Return mnist_classifier.py; imported here, so that a missing class is a test's failure."""
    try:
        import mnist_classifier
    except NameError as error:
        if error.name != "SmallCNN":
            raise
    else:
        return mnist_classifier
    fail("mnist_classifier.py must have a class SmallCNN, and uses it, but has none")


def make_smallcnn() -> nn.Module:
    program = load_program()
    if not hasattr(program, "SmallCNN"):
        fail("mnist_classifier.py must have a class SmallCNN, and has none")
    return program.SmallCNN()


@pytest.fixture(scope="module")
def network() -> Network:
    with suppress(Exception, pytest.fail.Exception):  # the next test shows it
        return Network(make_smallcnn)
    pytest.skip("there is no network to judge: test_there_is_a_network_that_runs says why")


def test_there_is_a_network_that_runs():
    Network(make_smallcnn)


def test_trains_for_fewer_than_20_epochs():
    epochs = load_program().Config().epochs
    if not 1 <= epochs < MAX_EPOCHS:
        fail(f"training must take fewer than {MAX_EPOCHS} epochs, and Config().epochs is {epochs}")


def test_has_fewer_than_20000_weights(network):
    """Every number that a network holds counts, apart from the statistics of BatchNorm."""
    layers = [layer for layer in network.module.modules() if type(layer) not in BATCH_NORM]
    parameters = count(network.module.parameters())
    buffers = count(buffer for layer in layers for buffer in layer.buffers(recurse=False))
    others = count(outsider.tensor for outsider in network.evaluation.outsiders)
    total = parameters + buffers + others
    if not 0 < total < MAX_WEIGHTS:
        fail(
            f"a network must have fewer than {MAX_WEIGHTS:,} weights, and this one has {total:,}: "
            f"{parameters:,} in parameters, {buffers:,} in buffers other than BatchNorm's, and "
            f"{others:,} in other tensors"
        )


def count(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def test_every_weight_is_registered(network):
    for tensor, is_weight, place in network.training.outsiders + network.evaluation.outsiders:
        if is_weight:
            fail(
                "every weight must be a parameter of the network, or else it is not trained, "
                f"counted and saved, and the weight {tuple(tensor.shape)} in {place} is none "
                "(nn.ModuleList is the list for layers)"
            )


def test_every_layer_runs(network):
    ran = network.training.layers | network.evaluation.layers
    for name, layer in network.module.named_modules():
        if name not in ran and not any(layer.children()):
            fail(f"every layer must run, and {name} ({type(layer).__name__}) does not")


def test_every_parameter_is_trained(network):
    for name, parameter in network.module.named_parameters():
        if not parameter.requires_grad:
            fail(f"every parameter must be trained, and {name} is frozen")
        if name in network.training.untrained:
            fail(f"every parameter must be trained, and {name} gets no gradient")


def test_uses_batch_normalization(network):
    calls = [call for call in network.training.calls if "batch_norm" in call.function]
    if not calls:
        fail("BatchNorm (nn.BatchNorm2d, F.batch_norm) must be used, and none runs in forward()")
    for call in calls:
        if not call.argument(5, "training"):
            fail(f"BatchNorm must normalise by the batch in training, and does not in {call.place}")


def test_uses_dropout_in_training(network):
    calls = [call for call in network.training.calls if "dropout" in call.function]
    if not calls:
        fail("dropout (nn.Dropout, F.dropout) must be used, and none runs in forward()")
    for call in calls:
        p = call.argument(1, "p")
        if not 0 < p < 1:
            fail(f"dropout p must be between 0 and 1, and is {p} in {call.place}")
        if not dropout_acts(call):
            fail(f"dropout must act in training, and does not in {call.place}")


def test_uses_no_dropout_in_evaluation(network):
    for call in network.evaluation.calls:
        if "dropout" in call.function and dropout_acts(call):
            fail(
                f"dropout must not act in evaluation, and does in {call.place} "
                "(F.dropout needs training=self.training)"
            )


def dropout_acts(call: Call) -> bool:
    return call.argument(2, "training", "train")


def test_uses_global_average_pooling_or_a_fully_connected_layer(network):
    calls = network.evaluation.calls
    if not averages_maps(calls) and not any(map(is_fully_connected, calls)):
        fail(
            "the scores must come from global average pooling (the mean of all pixels of each "
            "channel) or a fully connected layer (of all pixels of all channels), and neither runs "
            "in forward()"
        )


def test_returns_ten_scores_for_each_of_any_number_of_images(network):
    for number in (1, 2, 7):
        shape = tuple(network.evaluate(IMAGES[:number]).shape)
        if shape != (number, NUM_CLASSES):
            fail(
                f"scores must have the shape (N, {NUM_CLASSES}), and for N = {number} have {shape}"
            )


def test_returns_logits_or_log_probabilities(network):
    for call in network.evaluation.calls:
        if gives_probabilities(call, network.evaluation):
            fail(
                "scores must be logits or log-probabilities, and are probabilities, if perhaps "
                f"scaled and shifted, from {call.function} in {call.place}"
            )


def test_evaluates_an_image_by_itself_and_the_same_each_time(network):
    scores = network.evaluate(IMAGES)
    if not network.evaluate(IMAGES).equal(scores):
        fail("evaluation must give the same scores each time, and two passes differ")
    for part in (slice(0, 1), slice(3, 5), slice(9, 16)):
        alone = network.evaluate(IMAGES[part])
        if not is_same(alone.reshape_as(scores[part]), scores[part]):
            fail(
                "evaluation must judge each image by itself, and the scores of "
                f"{len(alone)} of {len(IMAGES)} images change when the others are not there"
            )
