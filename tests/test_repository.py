"""What the repository says and ships agrees with what it does."""

import re
from pathlib import Path

import pytest
import torch

from mnist_classifier import (
    ACCURACY_FILE,
    MAX_EPOCHS,
    WEIGHTS_FILE,
    Config,
    SmallCNN,
    count_parameters,
    main,
    parse_args,
)

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "model_tests.yml").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """Every command in `text`, whether it stands on a line, after `run:` or between `&&`."""
    lines = [re.sub(r"^\s*(- )?(run: )?", "", line) for line in text.splitlines()]
    return [command.strip() for line in lines for command in line.split("&&")]


def test_readme_trains_and_tests_with_one_command_each():
    assert "pip install -r requirements.txt && python mnist_classifier.py\n" in README
    assert "pip install -r requirements.txt && pytest\n" in README


def test_ci_and_workflow_run_the_commands_of_the_readme():
    for text in (CI, WORKFLOW):
        found = commands(text)
        assert "pytest" in found
        assert any(c.startswith("python mnist_classifier.py") for c in found)
        assert any("pip install" in c and c.endswith("-r requirements.txt") for c in found)
        assert "99.40" in text


def test_every_option_in_the_readme_exists_and_every_option_is_in_the_readme(capsys):
    with pytest.raises(SystemExit):
        parse_args(["--help"])
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    table = set(re.findall(r"^\| `(--[a-z-]+)", README, flags=re.MULTILINE))
    assert table == options


def test_shipped_weights_load_into_the_network():
    weights = torch.load(ROOT / WEIGHTS_FILE, weights_only=True)
    SmallCNN().load_state_dict(weights)
    assert all(value.isfinite().all() for value in weights.values())


def test_shipped_accuracy_meets_the_claim_and_is_the_one_in_the_readme():
    accuracy = (ROOT / ACCURACY_FILE).read_text(encoding="ascii")
    assert float(accuracy) >= 99.40
    assert f"Accuracy: {accuracy}%\nTraining completed!" in README


def test_readme_states_the_size_of_the_network():
    parameters = count_parameters(SmallCNN())
    assert f"{parameters:,}" in README
    assert f"Total trainable parameters: {parameters}" in README


def test_default_recipe_keeps_to_the_epoch_limit():
    assert Config.epochs <= MAX_EPOCHS < 20


def test_readme_shows_what_predict_prints(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["--predict", "tests/photo_of_a_5.jpg", "--preview"]) == 0
    printed = capsys.readouterr().out.splitlines()
    shown = README[README.index("tests/photo_of_a_5.jpg\t5\t") :].splitlines()[: len(printed)]
    assert printed[0][:-6] == shown[0][:-6]  # all but the last digits of the probability
    assert printed[-1][:15] == shown[-1][:15]
    pairs = zip("".join(printed[1:-1]), "".join(shown[1:-1]), strict=True)
    assert sum(a != b for a, b in pairs) < 10  # another JPEG decoder may round differently


def test_what_a_run_leaves_is_not_committed_by_accident():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"data/", "checkpoint.pth", "history.csv", "mistakes.png", "settings.json"} <= {*ignored}
    assert not {WEIGHTS_FILE, ACCURACY_FILE} & {*ignored}
