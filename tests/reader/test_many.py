"""Many pictures at once: the same answers in the same order, in batches that do not wait long."""

import pytest
import torch
from PIL import Image

from digit_reader import Reading, read_digit, read_pictures
from digit_reader.reader import BATCH_SIZE, LONGEST_WAIT
from mnist_classifier import Failure
from tests.drawn_digits import SegmentReader, draw_digits
from tests.reader.sevens import TWO_SEVENS, draw_seven

IMAGES = draw_digits(BATCH_SIZE + 10, seed=5).images[:, 0]
BLANK = Image.new("L", (50, 50), 255)


class Counter(SegmentReader):
    """Remembers how many images came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(images))
        return super().forward(images)


def test_the_answers_are_those_to_single_pictures_in_their_order():
    sources = [*IMAGES, draw_seven(), BLANK, TWO_SEVENS, *IMAGES[:3], "missing.png"]
    model = SegmentReader()
    answers = list(read_pictures(sources, model))
    assert len(answers) == len(sources)
    for source, answer in zip(sources, answers, strict=True):
        if isinstance(answer, Failure):
            with pytest.raises(Failure, match=str(answer)):
                read_digit(source, model)
            continue
        alone = read_digit(source, model)
        assert (answer.digit, answer.note) == (alone.digit, alone.note)
        assert answer.probability == pytest.approx(alone.probability)
        assert torch.equal(answer.image, alone.image)
    failures = [i for i, answer in enumerate(answers) if isinstance(answer, Failure)]
    assert failures == [sources.index(BLANK), len(sources) - 1]


def test_small_pictures_are_read_in_full_batches(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    model = Counter()
    list(read_pictures([draw_seven()] * (BATCH_SIZE + 10), model))
    assert model.batches == [BATCH_SIZE, 10]


def test_answers_do_not_wait_longer_than_they_may_and_pictures_are_taken_when_needed(monkeypatch):
    taken = []
    clock = 0.0

    def slow_sources():
        nonlocal clock
        for image in IMAGES[:6]:
            clock += 0.4 * LONGEST_WAIT
            taken.append(image)
            yield image

    monkeypatch.setattr("time.monotonic", lambda: clock)
    model = Counter()
    answers = read_pictures(slow_sources(), model)
    assert isinstance(next(answers), Reading)
    assert (len(taken), model.batches) == (3, [3])
    assert len(list(answers)) == 5
    assert model.batches == [3, 3]


def test_nothing_but_failures_asks_the_network_nothing():
    model = Counter()
    assert [str(answer) for answer in read_pictures(["a.png", "b.png"], model)] == [
        "no such file",
        "no such file",
    ]
    assert list(read_pictures([], model)) == []
    assert model.batches == []


def test_a_wrong_type_is_an_error_of_the_program_and_not_an_answer():
    with pytest.raises(TypeError, match="uint8"):
        list(read_pictures([None], SegmentReader()))
