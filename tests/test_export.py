"""What is exported is the network. Most of this is skipped without the packages of exporting."""

import importlib.util
import re
import shutil

import pytest
import torch

import mnist_classifier as mc
from elsewhere import export
from tests.conftest import ROOT, assert_one_line

extras = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in export.EXTRAS),
    reason="the packages of exporting are not installed",
)


@pytest.fixture(scope="module")
def model() -> mc.SmallCNN:
    """A network whose BatchNorm has statistics of its own, as after training."""
    torch.manual_seed(0)
    model = mc.SmallCNN()
    for _ in range(3):
        model(torch.rand(20, 1, 28, 28))
    return model.eval()


@pytest.fixture(scope="module")
def exported(model) -> bytes:
    return export.to_onnx(model)


@pytest.fixture
def weights(model, tmp_path):
    torch.save(model.state_dict(), tmp_path / mc.WEIGHTS_FILE)
    return tmp_path / mc.WEIGHTS_FILE


def test_without_the_packages_a_line_says_how_to_get_them(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(export, "EXTRAS", ("onnx", "no_such_package"))
    output = tmp_path / "digits.onnx"
    assert export.main(["--to=onnx", f"--output={output}"]) == 1
    assert_one_line(capsys.readouterr().err, "pip install onnx no_such_package")
    assert not output.exists()


@pytest.mark.parametrize("option", ["--to=tflite", "--output=final_model.pth"])
def test_what_cannot_be_written_is_refused(option, capsys):
    with pytest.raises(SystemExit, match="^2$"):
        export.parse_args(["--to=onnx", option])
    assert_one_line(capsys.readouterr().err, option.split("=")[1])


def test_the_page_installs_the_packages_and_has_the_options(capsys):
    page = (ROOT / "elsewhere" / "README.md").read_text(encoding="utf-8")
    assert f"pip install {' '.join(export.EXTRAS)}\n" in page
    with pytest.raises(SystemExit, match="^0$"):
        export.main(["--help"])
    options = {*re.findall(r"--[a-z-]+", capsys.readouterr().out)} - {"--help"}
    assert {*re.findall(r"^\| `(--[a-z-]+)` \|", page, re.MULTILINE)} >= options


def test_other_answers_and_the_largest_difference_are_counted():
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 5.0]])
    others = torch.tensor([[2.5, 2.0], [3.0, 0.5], [0.0, 4.0]])
    difference = export.compare(logits, others)
    assert difference == (3, 1, 1.5)
    assert str(difference) == "1 of 3, logits by at most 1.5"


@extras
@pytest.mark.parametrize("count", [1, 7])
def test_the_exported_network_gives_the_same_logits_for_any_number_of_images(
    model, exported, count
):
    images = torch.rand(count, 1, 28, 28)
    logits = mc.compute_logits(model, images)
    torch.testing.assert_close(export.run_onnx(exported, images), logits, atol=1e-5, rtol=0)


@extras
def test_the_exported_file_says_nothing_about_where_it_was_made(exported):
    for trace in (str(ROOT), torch.__path__[0], "mnist_classifier.py", "stack_trace"):
        assert trace.encode() not in exported


@extras
def test_the_weights_are_in_the_exported_file_and_its_sides_have_names(exported):
    import onnx

    model = onnx.load_from_string(exported)
    onnx.checker.check_model(model, full_check=True)
    assert not any(onnx.external_data_helper.uses_external_data(t) for t in model.graph.initializer)
    assert len(exported) > 4 * 19_000  # bytes of the parameters
    sides = {}
    for value in [*model.graph.input, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        sides[value.name] = [dim.dim_param or dim.dim_value for dim in dims]
    assert sides == {"images": ["N", 1, 28, 28], "logits": ["N", 10]}


@extras
def test_a_file_with_another_network_is_not_written(weights, exported, monkeypatch, capsys):
    monkeypatch.setattr(export, "to_onnx", lambda model: exported)
    run_onnx = export.run_onnx
    monkeypatch.setattr(export, "run_onnx", lambda *inputs: run_onnx(*inputs) + 0.01)
    output = weights.with_name("digits.onnx")
    code = export.main(["--to=onnx", f"--weights={weights}", f"--output={output}"])
    assert code == 1
    assert_one_line(capsys.readouterr().err, "not the same", "nothing was written")
    assert not output.exists()


@extras
def test_the_command_compares_with_the_test_images_where_they_are(
    weights, exported, data_dir, monkeypatch, capsys
):
    monkeypatch.setattr(export, "to_onnx", lambda model: exported)
    output = weights.with_name("digits.onnx")
    for folder, images in ((data_dir, "0 of 330"), (weights.parent, "0 of 1,000")):
        command = ["--to=onnx", f"--weights={weights}", f"--output={output}"]
        assert export.main([*command, f"--data-dir={folder}"]) == 0
        assert images in capsys.readouterr().out
        assert output.read_bytes() == exported


@extras
def test_a_folder_that_cannot_be_written_is_named_with_its_option(capsys):
    assert export.main(["--to=onnx", "--output=/proc/none/digits.onnx"]) == 1
    assert_one_line(capsys.readouterr().err, "cannot write into /proc/none", "see --output\n")


@extras
def test_a_folder_without_the_test_images_is_not_filled(weights, exported, monkeypatch, capsys):
    monkeypatch.setattr(export, "to_onnx", lambda model: exported)
    monkeypatch.setattr(mc, "download_mnist", lambda data_dir: pytest.fail("downloads"))
    raw = weights.parent / "empty" / "MNIST" / "raw"
    raw.mkdir(parents=True)  # as after a download that failed
    command = ["--to=onnx", f"--weights={weights}", f"--output={weights.with_name('a.onnx')}"]
    assert export.main([*command, f"--data-dir={weights.parent / 'empty'}"]) == 0
    assert "images of noise" in capsys.readouterr().out


@extras
def test_a_network_that_answers_no_numbers_is_not_written(weights, exported, monkeypatch, capsys):
    monkeypatch.setattr(export, "to_onnx", lambda model: exported)
    monkeypatch.setattr(export, "run_onnx", lambda file, images: torch.full((1000, 10), torch.nan))
    output = weights.with_name("digits.onnx")
    command = ["--to=onnx", f"--weights={weights}", f"--output={output}"]
    assert export.main([*command, f"--data-dir={weights.parent}"]) == 1  # with noise
    assert_one_line(capsys.readouterr().err, "not the same", "nothing was written")
    assert not output.exists()


@extras
def test_eight_bits_are_smaller_and_nearly_the_same(
    finished_run, exported, data_dir, tmp_path, capsys
):
    output = tmp_path / "small.onnx"
    weights = shutil.copy(finished_run / mc.WEIGHTS_FILE, tmp_path)
    options = [f"--weights={weights}", f"--output={output}", f"--data-dir={data_dir}"]
    assert export.main(["--to=int8", *options]) == 0
    assert len(output.read_bytes()) < len(exported) / 2
    images = mc.load_digits(data_dir, "t10k").scaled()
    logits = mc.compute_logits(mc.load_model(weights), images)
    assert export.compare(logits, export.run_onnx(output.read_bytes(), images)).other_answers < 5
