"""What `python -m digit_reader` prints, and what it exits with."""

import errno
import io
import json
import os
import re
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from PIL import Image

from digit_reader import SURE
from digit_reader.__main__ import main
from tests.conftest import ROOT, assert_one_line, start
from tests.drawn_digits import SegmentReader
from tests.reader.sevens import TWO_SEVENS, draw_seven


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> Path:
    """The current folder, with pictures in it, and a reader that needs no training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("digit_reader.__main__.load_model", lambda path: SegmentReader())
    draw_seven().save("my seven.png")
    draw_seven("RGB", (10, 10, 10), (200, 200, 90)).save("other.jpg")
    return tmp_path


def answer(capsys, *arguments: str) -> tuple[int, list[list[str]], list[str]]:
    """Exit code, table and lines on standard error."""
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, [line.split("\t") for line in out.splitlines()], err.splitlines()


def test_each_picture_has_a_line_with_digit_and_probability(pictures, capsys):
    code, table, err = answer(capsys, "my seven.png", "other.jpg")
    assert (code, err) == (0, [])
    assert [row[:2] for row in table] == [["my seven.png", "7"], ["other.jpg", "7"]]
    assert all(re.fullmatch(r"[01]\.\d{4}", row[2]) and row[3] == "" for row in table)


@pytest.mark.parametrize(("below", "mark"), [(0.0, ""), (0.01, "unsure")])
def test_an_answer_that_is_not_sure_is_marked(below, mark, pictures, capsys, monkeypatch):
    probability = SURE - below
    result = torch.tensor([7]), torch.tensor([probability], dtype=torch.float64)
    monkeypatch.setattr("digit_reader.reader.predict", Mock(return_value=result))
    _, table, _ = answer(capsys, "my seven.png")
    assert table == [["my seven.png", "7", f"{probability:.4f}", mark]]


def test_patterns_are_expanded_unless_a_file_has_that_name(pictures, capsys):
    for name in ("[a].png", "a.png"):
        draw_seven().save(name)
    code, table, err = answer(capsys, "*.jpg", str(pictures / "*.png"), "[a].png")
    assert (code, err) == (0, [])
    expanded = [str(pictures / name) for name in ("[a].png", "a.png", "my seven.png")]
    assert [row[0] for row in table] == ["other.jpg", *expanded, "[a].png"]


def test_the_weights_are_those_that_are_named_or_else_found(pictures, monkeypatch, capsys):
    load = Mock(return_value=SegmentReader())
    monkeypatch.setattr("digit_reader.__main__.load_model", load)
    answer(capsys, "my seven.png", "--weights=some.pth")
    answer(capsys, "my seven.png")
    (pictures / "final_model.pth").touch()
    answer(capsys, "my seven.png")
    weights = [call.args[0] for call in load.mock_calls]
    assert weights == [Path("some.pth"), ROOT / "final_model.pth", Path("final_model.pth")]


def test_missing_weights_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for weights in (tmp_path / "final_model.pth", "none.pth", "~nobody-has-this-name/none.pth"):
        assert main(["any.png", f"--weights={weights}"]) == 1
        assert_one_line(capsys.readouterr().err, f"there are no weights in {weights}")
    assert main(["any.png", f"--weights={tmp_path}"]) == 1
    assert_one_line(capsys.readouterr().err, f"there are no weights in {tmp_path}", "final_model")


def test_the_reader_runs_as_a_module_from_any_folder(shipped_model, tmp_path):
    draw_seven().save(tmp_path / "seven.png")
    command = ["-m", "digit_reader", "seven.png"]
    with start(command, cwd=tmp_path, text=True) as process:
        out, err = process.communicate()
    assert re.match(r"seven\.png\t7\t", out), err


BAD_PICTURES = {  # and what is said about them
    "blank.png": "error: blank.png: blank",
    "text.png": "error: text.png: cannot be read: .* save it as JPEG or PNG",
    "folder.png": "error: folder.png: is a folder without a picture: "
    "name one, or a folder with pictures",
    "missing.png": "error: missing.png: no such file",
    "*.bmp": r"error: \*\.bmp: no such file",
    "huge.png": "error: huge.png: has more than 40,000,000 pixels",
    "two.png": "note: two.png: 2 things are as large as a digit; one is read",
}


def test_bad_pictures_get_a_line_each_and_the_others_an_answer(pictures, capsys):
    Image.new("L", (50, 50), 255).save("blank.png")
    Path("text.png").write_text("no picture at all", encoding="ascii")
    Path("folder.png").mkdir()
    Image.new("1", (8_000, 5_001)).save("huge.png")
    TWO_SEVENS.save("two.png")
    code, table, err = answer(capsys, "my seven.png", *BAD_PICTURES, "other.jpg")
    assert code == 1
    assert [row[:2] for row in table] == [
        ["my seven.png", "7"],
        ["two.png", "7"],
        ["other.jpg", "7"],
    ]
    for line, expected in zip(err, BAD_PICTURES.values(), strict=True):
        assert re.match(expected, line)


def test_a_folder_stands_for_the_pictures_in_it_and_in_its_folders(pictures, capsys):
    for path in ("scans/b.PNG", "scans/a.png", "scans/1/c.jpg", "scans/.hidden/d.png"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        draw_seven().save(path, "PNG")
    for path in ("scans/._a.png", "scans/notes.txt", "scans/letter.pdf"):
        Path(path).write_text("no picture", encoding="ascii")
    phones = [os.path.join("scans", name) for name in ("phone.HEIC", "phone.mpo")]
    for phone in phones:
        Path(phone).touch()
    Path("scans/empty").mkdir()
    code, table, err = answer(capsys, "scans", "my seven.png")
    found = [os.path.join("scans", *names) for names in (["a.png"], ["b.PNG"], ["1", "c.jpg"])]
    assert [row[:2] for row in table] == [[name, "7"] for name in [*found, "my seven.png"]]
    assert code == 1
    assert err == [f"error: {phone}: is empty: copy or download it again" for phone in phones]


def test_a_folder_that_cannot_be_opened_is_an_error(pictures, capsys, monkeypatch):
    for name in ("open", "closed"):
        Path("scans", name).mkdir(parents=True)
        draw_seven().save(f"scans/{name}/a.png")
    monkeypatch.setattr(os, "scandir", refuse_closed(os.scandir))
    monkeypatch.setattr(os, "listdir", refuse_closed(os.listdir))
    code, table, err = answer(capsys, "scans")
    assert (code, [row[0] for row in table]) == (1, [os.path.join("scans", "open", "a.png")])
    error = "cannot be opened: you have no permission to read it"
    closed = os.path.join("scans", "closed")
    assert err == [f"error: {closed}: {error}"]
    assert answer(capsys, closed) == (1, [], err)
    assert answer(capsys, f"{closed}/missing.png") == (
        1,
        [],
        [f"error: {closed}/missing.png: {error}"],
    )


def refuse_closed(original):
    def list_folder(path):
        if "closed" in os.fspath(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return original(path)

    return list_folder


def test_folders_and_the_matches_of_a_pattern_come_in_the_order_of_their_names(
    pictures, capsys, monkeypatch
):
    for folder in "213":
        (pictures / folder).mkdir()
        draw_seven().save(f"{folder}/a.png")
    _, table, _ = answer(capsys, ".")
    assert [row[0] for row in table[2:]] == [os.path.join(".", n, "a.png") for n in "123"]
    monkeypatch.setattr("glob.glob", lambda pattern: ["other.jpg", "my seven.png"])
    _, table, _ = answer(capsys, "*.*")
    assert [row[0] for row in table] == ["my seven.png", "other.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="such names do not exist there")
def test_a_tab_or_a_line_break_in_a_name_breaks_no_table(pictures, capsys):
    draw_seven().save("a\tb\nc.png")
    code, table, err = answer(capsys, "a\tb\nc.png", "no\nsuch.png")
    assert [row[:2] for row in table] == [["a?b?c.png", "7"]]
    assert (code, err) == (1, ["error: no?such.png: no such file"])


def test_a_dash_stands_for_standard_input(pictures, capsys, monkeypatch):
    with open("my seven.png", "rb") as file:
        monkeypatch.setattr("sys.stdin", file)
        code, table, err = answer(capsys, "-", "other.jpg")
    assert (code, err) == (0, [])
    assert [row[:2] for row in table] == [["-", "7"], ["other.jpg", "7"]]


def test_a_closed_standard_input_is_one_line(pictures, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    error = "error: standard input is closed: name a file instead of -"
    assert answer(capsys, "my seven.png", "-") == (1, [], [error])
    assert answer(capsys, "--all", "-") == (1, [], [error])


def test_a_closed_standard_output_is_one_line(pictures, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)  # as after >&-
    assert main(["my seven.png"]) == 1
    assert_one_line(capsys.readouterr().err, "standard output is closed")


def test_options_may_stand_between_pictures(pictures, capsys):
    assert main(["my seven.png", "--json", "other.jpg"]) == 0
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    assert [line["file"] for line in lines] == ["my seven.png", "other.jpg"]


def test_a_picture_for_which_there_is_no_memory_is_not_called_broken(pictures, capsys, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", Mock(side_effect=MemoryError))
    error = "needs more memory than there is: save a smaller picture"
    assert answer(capsys, "other.jpg") == (1, [], [f"error: other.jpg: {error}"])


def test_json_has_a_line_for_each_picture_with_the_same_names_in_all(pictures, capsys):
    TWO_SEVENS.save("two\t\u4e03.png" if sys.platform == "linux" else "two.png")
    (two,) = (path.name for path in pictures.glob("two*.png"))
    Path("empty.png").touch()
    code = main(["--json", "my seven.png", two, "empty.png"])
    out, err = capsys.readouterr()
    assert out.isascii()
    seven, two_sevens, empty = map(json.loads, out.splitlines())
    assert list(seven) == list(empty) == ["file", "digit", "probability", "sure", "note"]
    probability = seven.pop("probability")
    assert 0.9 < probability <= 1
    assert probability == round(probability, 4)
    assert seven == {"file": "my seven.png", "digit": 7, "sure": True, "note": None}
    note = "2 things are as large as a digit; one is read"
    assert (two_sevens["file"], two_sevens["sure"], two_sevens["note"]) == (two, False, note)
    reason = "is empty: copy or download it again"
    values = {"digit": None, "probability": None, "sure": False, "note": reason}
    assert empty == {"file": "empty.png"} | values
    assert (code, err.splitlines()[1:]) == (1, [f"error: empty.png: {reason}"])


def test_each_answer_is_flushed(pictures, monkeypatch):
    out = Mock(wraps=io.StringIO())
    monkeypatch.setattr("sys.stdout", out)
    main(["my seven.png", "other.jpg"])
    assert out.flush.call_count >= 2


def test_without_standard_error_the_table_stays_a_table(pictures, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr", None)  # as after 2>&-
    assert main(["missing.png", "my seven.png", "--preview"]) == 1
    assert re.fullmatch(r"my seven\.png\t7\t[01]\.\d{4}\t\n", capsys.readouterr().out)


def test_a_jpeg_may_be_larger_than_others(pictures, capsys, monkeypatch):
    monkeypatch.setattr("digit_reader.picture.MAX_JPEG_PIXELS", 200 * 160)
    monkeypatch.setattr("digit_reader.picture.MAX_PIXELS", 200 * 160 - 1)
    code, table, err = answer(capsys, "other.jpg", "my seven.png")
    assert (code, [row[0] for row in table]) == (1, ["other.jpg"])
    limits = "31,999 pixels or, as a JPEG, 32,000"
    assert err == [f"error: my seven.png: has more than {limits}: save a smaller picture"]
    monkeypatch.setattr("digit_reader.picture.MAX_JPEG_PIXELS", 200 * 160 - 1)
    assert answer(capsys, "other.jpg")[0] == 1


def test_a_bug_is_not_taken_for_a_bad_picture(pictures, monkeypatch):
    monkeypatch.setattr("digit_reader.reader.find_ink", Mock(side_effect=RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        main(["my seven.png"])


def test_a_name_unknown_to_the_console_is_escaped(pictures, capsys, monkeypatch):
    draw_seven().save("caf\u00e9.png")
    with monkeypatch.context() as patch:
        console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        patch.setattr(sys, "stdout", console)
        assert main(["caf\u00e9.png"]) == 0
    assert b"caf\\xe9.png\t7\t" in console.buffer.getvalue()
    assert capsys.readouterr().err == ""


def test_the_preview_draws_the_digit_apart_from_the_table(pictures, capsys):
    _, table, (name, *drawing) = answer(capsys, "my seven.png", "--preview")
    assert table[0][:2] == ["my seven.png", "7"]
    assert name == "my seven.png:"
    assert [len(line) for line in drawing] == [28] * 14
    inked = [line.strip() for line in drawing if line.strip()]
    assert len(inked[0]) >= 13  # the bar of the seven
    assert 3 <= len(inked[-1]) <= 5  # its stem


def test_pictures_are_read_with_one_thread(pictures, capsys):
    torch.set_num_threads(2)
    answer(capsys, "my seven.png")
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("arguments", [[], ["--no-such-option", "x.png"]])
def test_wrong_arguments_exit_with_2_and_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert_one_line(capsys.readouterr().err, "see --help")


def test_warnings_about_odd_files_are_not_shown(pictures, capsys, recwarn):
    broken_exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0"  # five entries, of which none is there
    draw_seven().save("odd.jpg", exif=broken_exif)
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        Image.open("odd.jpg").getexif()
    recwarn.clear()
    code, table, err = answer(capsys, "odd.jpg")
    assert (code, table[0][1], err) == (0, "7", [])
    assert [str(warning.message) for warning in recwarn] == []
