"""What the repository says and ships agrees with what it does."""

import re
import tomllib

import pytest

import mnist_classifier as mc
from mnist_classifier import SmallCNN, count_parameters, load_model, main
from tests.conftest import PROGRAM

ROOT = PROGRAM.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "model_tests.yml").read_text(encoding="utf-8")
CODE = PROGRAM.read_text(encoding="utf-8")


def test_the_readme_sets_up_trains_and_tests_in_one_block_each_on_every_system():
    def blocks(language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[:2]

    setup = "python3 -m venv .venv\n.venv/bin/pip install -r requirements.txt\n.venv/bin/python "
    assert blocks("sh") == [setup + "mnist_classifier.py\n", setup + "-m pytest\n"]
    windows = setup.replace("python3", "py").replace("bin/pip", "bin/python -m pip")
    windows = windows.replace("bin", "Scripts").replace("/", "\\")
    assert blocks("bat") == [windows + "mnist_classifier.py\n", windows + "-m pytest\n"]


def test_the_program_carries_the_dependencies_of_requirements_txt():
    lines = re.search(r"^# /// script\n(.*?)^# ///$", CODE, re.MULTILINE | re.DOTALL)[1]
    metadata = tomllib.loads(re.sub("^# ", "", lines, flags=re.MULTILINE))
    required = (ROOT / "requirements.txt").read_text(encoding="ascii").split()
    assert metadata["dependencies"] == [line for line in required if not line.startswith("pytest")]
    oldest = min(re.findall(r'"(3\.\d+)"', WORKFLOW), key=lambda v: int(v.split(".")[1]))
    assert metadata["requires-python"] == f">={oldest}"
    assert f"Python {oldest}" in README


def test_the_workflow_tests_trains_and_lints():
    commands = {*re.findall(r"run: (.+)$", WORKFLOW, re.MULTILINE)}
    lint = {"ruff check --line-length 100 .", "ruff format --check --line-length 100 ."}
    assert {"pytest", "python mnist_classifier.py", "mypy mnist_classifier.py"} | lint <= commands
    assert "< 99.40" in WORKFLOW
    assert all(system in WORKFLOW for system in ("ubuntu-latest", "windows-latest", "macos-latest"))


def test_the_readme_has_every_option_with_the_default_that_help_shows(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    rows = re.findall(r"^\| `(--[a-z-]+)[^|]*\| `?([^ |`]*)", README, re.MULTILINE)
    assert {option for option, _ in rows} == {*re.findall(r"--[a-z][a-z-]+", text)} - {"--help"}
    for option, default in rows:
        if default not in ("", "off"):
            assert re.search(rf"{option} [^-]*\(default: {re.escape(default)}\)", text), option


def test_the_module_and_the_page_can_be_read_in_one_sitting():
    assert len(CODE.splitlines()) <= 700
    assert len(README.splitlines()) <= 230
    assert len(re.findall(r"^(?:import|from) ", CODE, re.MULTILINE)) <= 26
    assert max(map(len, CODE.splitlines())) <= 100


def test_every_file_has_its_line_in_the_tree_of_the_readme():
    named = set(re.findall(r"[\w.]+\.(?:py|md|txt|pth|yml|jpg|png)\b", README))
    shipped = {*ROOT.glob("*.py"), *ROOT.glob("tests/[!_]*"), *ROOT.glob(".github/*.*")}
    assert {path.name for path in shipped if path.is_file()} <= named


def test_shipped_weights_load_and_their_accuracy_meets_the_claim_of_the_readme():
    load_model(ROOT)
    accuracy = (ROOT / mc.ACCURACY_FILE).read_text(encoding="ascii")
    assert float(accuracy) >= 99.40
    assert f"Accuracy: {accuracy}%\nTraining completed!" in README
    assert f"Accuracy: {accuracy}%, standard error" in README
    assert f"claims the same: {accuracy}" in README


def test_readme_states_the_size_of_the_network_and_of_its_layers():
    parameters = count_parameters(SmallCNN())
    assert f"**{parameters:,}**" in README
    assert f"Total trainable parameters: {parameters}" in README
    table = README[README.index("| layer | output |") :].split("\n\n")[0].replace(",", "")
    terms = [list(map(int, re.findall(r"\d+", r.split("|")[3]))) for r in table.splitlines()[2:]]
    # a term is "weights + BatchNorm", or "layers x (weights + BatchNorm)"
    assert sum(t[0] * sum(t[1:]) if len(t) == 3 else sum(t) for t in terms) == parameters


def test_readme_shows_what_predict_prints(monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    assert main(["--predict", "tests/photo_of_a_5.jpg", "--preview"]) == 0
    out, err = capfd.readouterr()
    shown = README[README.index("tests/photo_of_a_5.jpg\t5\t") :]
    assert shown.startswith(out[: out.index(".") + 2])  # all but the last digits
    drawn = [line for line in err.splitlines()[1:] if line.strip()]
    pairs = zip("".join(drawn), "".join(shown.splitlines()[2 : 2 + len(drawn)]), strict=True)
    assert sum(a != b for a, b in pairs) < 10  # another JPEG decoder may round differently


def test_what_a_run_leaves_is_not_committed_by_accident():
    ignored = {*(ROOT / ".gitignore").read_text(encoding="ascii").splitlines()}
    assert {"data/", "history.csv", "mistakes.png", "settings.json", ".venv/"} <= ignored
    assert not {mc.WEIGHTS_FILE, mc.ACCURACY_FILE} & ignored
