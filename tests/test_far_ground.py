"""Other collections of digits are read from their files, and through the reader."""

import gzip

import pytest
import torch
from PIL import Image

import mnist_classifier as mc
from digit_reader import Reading
from elsewhere import far_ground
from tests.conftest import assert_one_line
from tests.drawn_digits import SegmentReader, draw_digits


@pytest.fixture
def weights(tmp_path) -> str:
    """An option that names weights of the network as it is."""
    torch.save(mc.SmallCNN().state_dict(), tmp_path / "weights.pth")
    return f"--weights={tmp_path / 'weights.pth'}"


def write(folder, name: str, rows: list[list[float]], separator: str = " "):
    text = "".join(separator.join(map(str, row)) + "\n" for row in rows)
    content = text.encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder / name


def test_each_collection_gives_ink_from_0_to_1_and_labels(tmp_path):
    ones = [0.0] * 7 + [1.0] + [0.0] * 2
    files = [
        write(tmp_path, "digits.csv.gz", [[16, 0, 8, 0, 7]], ","),
        write(tmp_path, "zip.test.gz", [[7, 1.0, -1.0, 0.0, -1.0]]),
        write(tmp_path, "semeion.data", [[1.0, 0.0, 0.5, 0.0, *ones]]),
        write(tmp_path, "ARDIS_test_2828.csv", [[255.0, 0.0, 127.5, 0.0]]),
    ]
    write(tmp_path, "ARDIS_test_labels.csv", [ones])
    folder = tmp_path / "img"
    folder.mkdir()
    Image.frombytes("L", (2, 2), bytes([0, 255, 127, 255])).save(folder / "7-001.png")
    for file in [*files, folder]:
        images, labels = far_ground.load_collection(file)
        expected = torch.tensor([[[1.0, 0.0], [0.5, 0.0]]])
        torch.testing.assert_close(images, expected, atol=0.003, rtol=0)
        assert labels.tolist() == [7]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("emnist.csv", [[1]]),
        ("zip.test", [[1, 2], [3]]),
        ("zip.train", [["a"]]),
        ("digits.csv", []),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_line(name, rows, weights, tmp_path, capsys):
    assert far_ground.main([weights, str(write(tmp_path, name, rows))]) == 1
    assert_one_line(capsys.readouterr().err, name)


def test_a_file_that_is_cut_off_or_missing_is_refused_in_one_line(weights, tmp_path, capsys):
    file = write(tmp_path, "zip.test.gz", [[7, 1.0, -1.0, 0.0, -1.0]])
    file.write_bytes(file.read_bytes()[:-10])
    for path in (file, tmp_path / "zip.train.gz"):
        assert far_ground.main([weights, str(path)]) == 1
        assert_one_line(capsys.readouterr().err, path.name)


def test_labels_of_another_number_are_refused_in_one_line(weights, tmp_path, capsys):
    images = write(tmp_path, "ARDIS_test_2828.csv", [[0] * 4] * 3)
    write(tmp_path, "ARDIS_test_labels.csv", [[1] + [0] * 9] * 2)
    assert far_ground.main([weights, str(images)]) == 1
    assert_one_line(capsys.readouterr().err, "3 images and 2 labels")


def test_the_nearest_neighbour_is_another_image():
    images = torch.tensor([0.0, 0.1, 5.0, 5.1]).view(4, 1, 1).expand(4, 2, 2)
    labels = torch.tensor([1, 2, 3, 4])
    assert far_ground.nearest_neighbours(images, labels).tolist() == [2, 1, 4, 3]


def test_an_image_is_not_its_own_neighbour_in_a_large_collection_either():
    images = torch.arange(1100.0).view(1100, 1, 1)  # more than are compared at once
    neighbours = far_ground.nearest_neighbours(images, torch.arange(1100))
    assert (neighbours - torch.arange(1100)).abs().tolist() == [1] * 1100


def test_a_blank_image_is_no_answer_and_the_next_one_keeps_its_place():
    seven = torch.zeros(28, 28)
    seven[4:8, 8:20] = seven[4:24, 16:20] = 1
    images = torch.stack([torch.zeros(28, 28), seven])
    blank, reading = far_ground.read_all(images, SegmentReader())
    assert blank is None
    assert reading.digit == 7


def test_a_row_counts_right_answers_sure_ones_and_the_right_among_these(monkeypatch, tmp_path):
    labels = torch.tensor([7, 7, 1, 1, 4])
    images = torch.tensor([0.0, 0.1, 4.0, 9.0, 9.1]).view(5, 1, 1)
    nothing = torch.zeros(1, 28, 28)
    right = Reading(7, 1.0, nothing, None)
    unsure = Reading(1, 0.5, nothing, None)
    readings = [right, right, right._replace(digit=2), unsure, None]
    monkeypatch.setattr(far_ground, "load_collection", lambda _: (images, labels))
    monkeypatch.setattr(far_ground, "read_all", lambda *_: readings)
    row = far_ground.row_of(tmp_path / "digits.csv", SegmentReader())
    assert row == "| digits.csv | 5 | 60.0% | 3 | 66.7% | 40.0% |"
    monkeypatch.setattr(far_ground, "read_all", lambda *_: [None] * 5)
    row = far_ground.row_of(tmp_path / "digits.csv", SegmentReader())
    assert row == "| digits.csv | 5 | 0.0% | 0 | 0.0% | 40.0% |"


def test_the_reader_sees_the_digits_of_a_collection(finished_run, tmp_path):
    digits = draw_digits(30, seed=3)
    images = torch.nn.functional.avg_pool2d(digits.scaled()[:, :, 2:26, 2:26], 2)[:, 0]
    rows = [
        [int(label), *(2 * image.flatten() - 1).tolist()]
        for image, label in zip(images, digits.labels, strict=True)
    ]
    row = far_ground.row_of(write(tmp_path, "zip.test.gz", rows), mc.load_model(finished_run))
    cells = row.strip("| ").split(" | ")
    assert cells[:2] == ["zip.test.gz", "30"]
    assert float(cells[2].rstrip("%")) >= 80
