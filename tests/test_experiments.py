"""The arithmetic of the experiments, on numbers made by hand, and what they keep between two runs."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch

import mnist_classifier as mc
from experiments import folds, hard_digits, one_fold, processes, published_recipe, seeds, times
from experiments.folds import DEFAULT, Pair, Result
from tests.drawn_digits import draw_digits

HISTORY = "epoch,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, where MNIST seems to be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mc, "load_mnist", lambda *_: None)
    return tmp_path


def write_history(folder: Path, accuracies: list[float], seconds: float = 1.0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{n},0.1,0.2,0.9,0.1,{a},{seconds}\n" for n, a in enumerate(accuracies, start=1)]
    (folder / mc.HISTORY_FILE).write_text(HISTORY + "".join(rows), encoding="ascii")


# --- processes ---
def test_processes_run_as_many_at_a_time_as_there_are_jobs(tmp_path):
    code = "import pathlib, sys, time\nhere = pathlib.Path(sys.argv[1])\n"
    code += "(here / sys.argv[2]).touch()\ntime.sleep(0.3)\nprint(len(list(here.iterdir())))\n"
    code += "(here / sys.argv[2]).unlink()"
    commands = {name: ["-c", code, str(tmp_path), name] for name in "abcd"}
    outputs = dict(processes.run_side_by_side(commands, jobs=1))
    assert outputs == dict.fromkeys("abcd", "1\n")
    outputs = dict(processes.run_side_by_side(commands, jobs=4))
    assert "4\n" in outputs.values()


def test_an_expected_error_of_a_process_is_one_line_with_its_name():
    command = ["-c", "import sys; sys.exit('error: no such setting')"]
    with pytest.raises(mc.Failure, match="^fold 3: no such setting$"):
        list(processes.run_side_by_side({"fold 3": command}, jobs=1))


def test_a_bug_in_a_process_shows_its_traceback(capfd):
    with pytest.raises(mc.Failure, match="^fold 3 failed, with the exit code 1$"):
        list(processes.run_side_by_side({"fold 3": ["-c", "1 / 0"]}, jobs=1))
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_when_a_process_fails_the_others_are_ended(monkeypatch):
    started = []
    start = processes.start
    monkeypatch.setattr(processes, "start", lambda a: started.append(start(a)) or started[-1])
    commands = {"bad": ["-c", "1 / 0"], "long": ["-c", "import time; time.sleep(60)"]}
    with pytest.raises(mc.Failure, match="^bad failed"):
        list(processes.run_side_by_side(commands, jobs=2))
    assert [run.process.poll() is not None for run in started] == [True, True]


def test_a_file_that_cannot_be_read_is_one_line(folder, capsys):
    assert folds.main(["missing.py"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "missing.py" in error
    assert len(error.splitlines()) == 1


# --- one fold ---
def test_each_fold_judges_its_sixth_and_trains_on_the_rest():
    greys = torch.arange(60, dtype=torch.uint8).view(60, 1, 1, 1)
    digits = mc.Digits(greys.expand(60, 1, 28, 28), torch.arange(60) % 7)
    for fold in range(6):
        fit, judge = one_fold.split_fold(digits, fold)
        fitted, judged = (part.images[:, 0, 0, 0].tolist() for part in (fit, judge))
        assert judged == list(range(10 * fold, 10 * fold + 10))
        assert sorted(fitted + judged) == list(range(60))
        for part, numbers in ((fit, fitted), (judge, judged)):
            assert part.labels.tolist() == [number % 7 for number in numbers]


def test_a_change_gives_settings_and_replaces_functions(monkeypatch):
    monkeypatch.setattr(mc, "augment", mc.augment)  # is put back after the test
    code = "epochs = 3\nHALF = 0.5\nlr = HALF / 10\nmc.augment = lambda images, config: images"
    assert one_fold.apply_change(code) == {"epochs": 3, "lr": 0.05}
    assert mc.augment(7, None) == 7
    assert one_fold.apply_change("") == {}


@pytest.mark.parametrize("change", ["epoch = 3", "seed = 3", "mc.augmnet = print"])
def test_a_misspelt_change_is_refused(change):
    try:
        with pytest.raises(mc.Failure, match="epoch|seed|augmnet"):
            one_fold.apply_change(change)
    finally:
        vars(mc).pop("augmnet", None)


@pytest.mark.parametrize("change", ["def augment(images, config): return images", "STROKE = 99"])
def test_a_change_that_replaces_nothing_is_refused(change, monkeypatch):
    name = re.search("augment|STROKE", change)[0]
    with pytest.raises(mc.Failure, match=f"write mc.{name} = {name}"):
        one_fold.apply_change(change)
    monkeypatch.setattr(mc, name, getattr(mc, name))  # is put back after the test
    assert one_fold.apply_change(f"{change}\nmc.{name} = {name}") == {}


def test_a_fold_trains_with_its_seed_and_settings(monkeypatch):
    sets = {"train": draw_digits(60, seed=1)}
    monkeypatch.setattr(mc, "load_digits", lambda data_dir, split: sets[split])
    seen = []

    def train(config, fit, judge):
        seen.append((config, len(fit.labels), len(judge.labels)))
        score = mc.Score(0.0, 1.0)
        return mc.SmallCNN(), [
            mc.Epoch(1, 0.1, score, score, 2.04),
            mc.Epoch(2, 0.1, score, score, 3),
        ]

    monkeypatch.setattr(mc, "train", train)
    scores = {10: mc.Score(0.25, 0.9)}  # of the sixth that judges
    monkeypatch.setattr(mc, "evaluate", lambda model, judge: scores[len(judge.labels)])
    results = one_fold.run_fold("data", "epochs = 2", fold=4, seed=204)
    assert seen == [(mc.Config(epochs=2, seed=204), 50, 10)]
    parameters = mc.count_parameters(mc.SmallCNN())
    assert results == {"error": 10.0, "loss": 0.25, "parameters": parameters, "seconds": 5.0}


PAGE = (Path(one_fold.__file__).parent / "README.md").read_text(encoding="utf-8")
CODES = [
    row.split("`")[1] for row in PAGE.splitlines() if re.match(r"\| [^|`]+ \| `[^`]+` \| [+-]", row)
]


@pytest.mark.parametrize("code", CODES)
def test_each_change_on_the_page_changes_what_training_uses(code, monkeypatch):
    places = [(mc, "augment"), (mc, "orthogonalize"), (mc.nn, "Dropout"), (mc.nn, "Hardswish")]
    before = [getattr(place, name) for place, name in places]
    for (place, name), value in zip(places, before, strict=True):
        monkeypatch.setattr(place, name, value)  # is put back after the test
    settings = one_fold.apply_change(code)
    after = [getattr(place, name) for place, name in places]
    assert mc.Config(**settings) != mc.Config() or after != before
    assert mc.SmallCNN()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_page_has_changes_to_try():
    assert len(CODES) > 5


# --- folds ---
def test_a_difference_has_the_standard_error_of_its_mean():
    default = {Pair(0, fold): Result(1.0 + fold, 0.5) for fold in range(4)}
    changed = {Pair(0, fold): Result(1.0 + fold + d, 0.4) for fold, d in enumerate((1, 2, 3, 6))}
    changed[Pair(100, 0)] = Result(99.0, 99.0)  # has no partner
    error, loss = folds.compare(changed, default)
    assert error.mean == pytest.approx(3.0)
    # Squares of -2, -1, 0 and 3 add up to 14: sqrt(14 / 3) / sqrt(4).
    assert error.standard_error == pytest.approx((14 / 3) ** 0.5 / 2)
    assert loss.mean == pytest.approx(-0.1)
    assert loss.standard_error == pytest.approx(0.0)


def test_the_table_shows_means_and_paired_differences(capsys):
    default = {Pair(0, 0): Result(0.4, 0.016), Pair(0, 1): Result(0.6, 0.018)}
    changed = {Pair(0, 0): Result(0.5, 0.015), Pair(0, 1): Result(0.9, 0.019)}
    folds.print_table({DEFAULT: default, "lr = 1": changed})
    assert capsys.readouterr().out.splitlines() == [
        "change    n  error, %    loss  error, points     loss",
        "default   2    0.500  0.0170",
        "lr = 1    2    0.700  0.0170  +0.200 +- 0.100  +0.0000 +- 0.0010",
    ]


def test_the_digest_changes_with_the_change_the_program_and_torch(monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("a = 1", encoding="utf-8")
    monkeypatch.setattr(processes, "PROGRAM", program)
    digests = [folds.digest_of("lr = 1"), folds.digest_of("lr = 2")]
    program.write_text("a = 2", encoding="utf-8")
    digests.append(folds.digest_of("lr = 1"))
    monkeypatch.setattr(torch, "__version__", "0.0")
    digests.append(folds.digest_of("lr = 1"))
    assert len({*digests}) == 4
    program.write_text("a = 1", encoding="utf-8")
    monkeypatch.undo()
    monkeypatch.setattr(processes, "PROGRAM", program)
    assert folds.digest_of("lr = 1") == digests[0]


@pytest.fixture
def trained(monkeypatch):
    """The jobs that folds hands to other processes; each answers at once."""
    done = []

    def run_side_by_side(commands, jobs):
        for job, command in commands.items():
            assert command[:2] == ["-m", "experiments.one_fold"]
            done.append((job.change, *map(int, command[4:])))
            error = 0.5 + 0.1 * (job.change != DEFAULT)
            line = {"error": error, "loss": 0.01, "parameters": 9, "seconds": 1.0}
            yield job, json.dumps(line)

    monkeypatch.setattr(folds, "run_side_by_side", run_side_by_side)
    return done


def test_the_change_and_the_default_get_the_same_folds_and_seeds(folder, trained, capsys):
    assert folds.main(["lr = 1", "--seeds", "200", "300"]) == 0
    expected = [(fold, base + fold) for base in (200, 300) for fold in range(6)]
    assert [job[1:] for job in trained if job[0] == DEFAULT] == expected
    assert [job[1:] for job in trained if job[0] == "lr = 1"] == expected
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "lr = 1   12    0.600  0.0100  +0.100 +- 0.000  +0.0000 +- 0.0000"


def test_an_interrupted_study_goes_on_where_it_stopped(folder, trained):
    folds.main(["lr = 1"])
    lines = Path("runs/folds.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(trained) == 12
    Path("runs/folds.jsonl").write_text("\n".join(lines[:9]) + "\n", encoding="utf-8")
    folds.main(["lr = 1"])
    assert trained[12:] == trained[9:12]


def test_a_table_has_the_seeds_of_its_study_alone(folder, trained, capsys):
    folds.main(["lr = 1", "--seeds", "200", "300"])
    folds.main(["lr = 1", "--seeds", "300"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("lr = 1    6 ")
    assert len(trained) == 24


def test_a_change_that_is_edited_during_its_study_is_refused(folder, monkeypatch, capsys):
    Path("change.py").write_text("lr = 1", encoding="utf-8")

    def edit(commands, jobs):
        Path("change.py").write_text("lr = 2", encoding="utf-8")
        job = next(job for job in commands if job.change == "change.py")
        yield job, json.dumps({"error": 0.5, "loss": 0.01, "parameters": 9, "seconds": 1.0})

    monkeypatch.setattr(folds, "run_side_by_side", edit)
    assert folds.main(["change.py"]) == 1
    assert "change.py or mnist_classifier.py was edited meanwhile" in capsys.readouterr().err
    assert not Path("runs/folds.jsonl").exists()


def test_results_of_another_text_of_a_change_are_not_taken(folder, trained):
    Path("change.py").write_text("lr = 1", encoding="utf-8")
    folds.main(["change.py"])
    Path("change.py").write_text("lr = 2", encoding="utf-8")
    folds.main(["change.py"])
    assert [job[0] for job in trained[12:]] == ["change.py"] * 6


def test_a_broken_line_of_results_is_named(folder, trained, capsys):
    folds.main([])
    with Path("runs/folds.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"change": "defa')
    assert folds.main([]) == 1
    assert "error: line 7 of " in capsys.readouterr().err


# --- seeds ---
@pytest.mark.parametrize(
    ("accuracies", "epoch"),
    [
        ([0.993, 0.994, 0.995], 2),
        ([0.995, 0.993, 0.9941], 3),
        ([0.995, 0.9951], 1),
        ([0.995, 0.9939], None),
    ],
)
def test_the_first_epoch_that_stays(accuracies, epoch):
    assert seeds.first_epoch_that_stays(accuracies) == epoch


@pytest.fixture
def trained_seeds(monkeypatch):
    """The command lines that seeds gives to the training script; each run ends at once."""
    done = []

    def run_side_by_side(commands, jobs):
        for seed, command in commands.items():
            done.append((seed, command))
            folder = Path(command[-1].removeprefix("--output-dir="))
            write_history(folder, [0.993, 0.9960 + 0.0003 * seed])
            yield seed, ""

    monkeypatch.setattr(seeds, "run_side_by_side", run_side_by_side)
    return done


def test_seeds_are_summed_up(folder, trained_seeds, capsys):
    assert seeds.main(["--seeds", "0", "1", "2", "--epochs", "2"]) == 0
    assert [seed for seed, _ in trained_seeds] == [0, 1, 2]
    assert trained_seeds[2][1][1:-2] == ["--data-dir=data", "--threads=1", "--epochs", "2"]
    assert trained_seeds[2][1][-2] == "--seed=2"
    assert capsys.readouterr().out.splitlines()[3:] == [
        "n 3, mean 99.630 %, standard deviation 0.030, worst 99.60, best 99.66",
        "seed  accuracy, %  stays at 99.40% or more from epoch",
        "   0        99.60  2",
        "   1        99.63  2",
        "   2        99.66  2",
    ]


def test_seeds_that_are_finished_are_not_trained_again(folder, trained_seeds):
    seeds.main(["--seeds", "0", "1"])
    Path("runs/default/1", seeds.FINISHED_FILE).unlink()  # as if it had been interrupted
    seeds.main([])
    assert [seed for seed, _ in trained_seeds] == [0, 1, *range(1, 10)]


def test_seeds_of_other_options_are_not_mixed(folder, trained_seeds, capsys):
    seeds.main(["--seeds", "0"])
    assert seeds.main(["--seeds", "0", "--epochs", "2"]) == 1
    assert "results of other options" in capsys.readouterr().err
    assert len(trained_seeds) == 1


@pytest.mark.parametrize("option", ["--seed=3", "--output-dir=x", "--evaluate", "--epoch=a"])
def test_options_that_cannot_be_passed_on_are_refused(option):
    with pytest.raises(SystemExit, match="^2$"):
        seeds.parse_args([option])


# --- hard digits ---
def test_what_all_networks_misread_is_told_from_what_one_does(monkeypatch, capsys):
    monkeypatch.setattr(hard_digits, "DISPUTED", (1, 2))
    labels = torch.tensor([0, 1, 2, 3, 4])
    first = torch.eye(10)[[0, 7, 2, 3, 5]] * 0.6
    second = torch.eye(10)[[0, 7, 8, 3, 6]] * 0.9
    hard_digits.print_hard_digits(torch.stack([first, second]), labels)
    assert capsys.readouterr().out.splitlines() == [
        "networks: 2, with a mean accuracy of 50.000%",
        "misread by at least one: 3, by all: 2",
        "the mean of their probabilities misreads 3: an accuracy of 40.00%",
        "of 2 disputed labels, all misread 1, at least one 2",
        "misread by all: image, label, answer of the mean and its probability",
        "    1  1  7  0.75  disputed",
        "    4  4  6  0.45",
    ]


def test_the_networks_of_all_seeds_are_asked(folder, monkeypatch, capsys):
    digits = draw_digits(20, seed=1)
    monkeypatch.setattr(mc, "load_digits", lambda folder, part: {"t10k": digits}[part])
    assert hard_digits.main(["--name=short"]) == 1
    assert "run experiments.seeds first" in capsys.readouterr().err
    for seed in range(3):
        Path("runs/short", str(seed)).mkdir(parents=True)
        torch.save(mc.SmallCNN().state_dict(), Path("runs/short", str(seed), mc.WEIGHTS_FILE))
    assert hard_digits.main(["--name=short"]) == 0
    assert capsys.readouterr().out.startswith("networks: 3, ")


# --- times ---
def test_the_ratio_is_taken_round_by_round(capsys):
    with_two = [(100, {9: 5, 3: 2}), (300, {9: 10, 3: 5}), (240, {9: 10, 3: 3})]
    with_one = [(100, {9: 10, 3: 4}), (300, {9: 20, 3: 5}), (240, {9: 12, 3: 4})]
    rounds = [
        {2: times.Seconds(*two), 1: times.Seconds(*one)}
        for two, one in zip(with_two, with_one, strict=True)
    ]
    times.print_summary(rounds)
    assert capsys.readouterr().out.splitlines() == [
        "3 rounds: the median (smallest to largest)",
        "threads: 2",
        "    published recipe: 240.0 s (100.0 to 300.0)",
        "    9 epochs: 10.0 s (5.0 to 10.0), ratio: 24.0 times (20.0 to 30.0)",
        "    3 epochs: 3.0 s (2.0 to 5.0), ratio: 60.0 times (50.0 to 80.0)",
        "threads: 1",
        "    published recipe: 240.0 s (100.0 to 300.0)",
        "    9 epochs: 12.0 s (10.0 to 20.0), ratio: 15.0 times (10.0 to 20.0)",
        "    3 epochs: 4.0 s (4.0 to 5.0), ratio: 60.0 times (25.0 to 60.0)",
    ]


def test_the_time_of_a_run_is_the_sum_of_its_epochs(tmp_path):
    write_history(tmp_path, [0.99, 0.99, 0.99], seconds=2.5)
    assert times.read_seconds(tmp_path / mc.HISTORY_FILE) == 7.5


def test_twenty_epochs_of_the_recipe_are_estimated_from_fewer():
    lines = "Epoch 1/2: train 40.50 s, test 98.28%\nEpoch 2/2: train 41.50 s, test 98.90%\n"
    assert times.read_published_seconds(lines) == pytest.approx(20 * 41)


def test_each_round_trains_with_both_recipes_and_both_numbers_of_threads(folder, monkeypatch):
    commands = []

    def run_alone(title, command):
        commands.append([part for part in command if not part.startswith("--output-dir")])
        if title == "the published recipe":
            return "Epoch 1/1: train 40.50 s, test 98.28%\n"
        (output,) = [part for part in command if part.startswith("--output-dir")]
        write_history(Path(output.removeprefix("--output-dir=")), [0.99], seconds=7)
        return ""

    monkeypatch.setattr(times, "run_alone", run_alone)
    assert times.main(["--rounds", "2", "--epochs", "9", "3"]) == 0
    data = "--data-dir=data"
    recipe = ["-m", "experiments.published_recipe", data, "--epochs=1"]
    program = [[str(processes.PROGRAM), data, f"--epochs={n}"] for n in (9, 3)]
    expected = [[*command, f"--threads={n}"] for n in (2, 1) for command in [recipe, *program]]
    assert commands == 2 * expected


# --- the published recipe ---
def test_the_published_network_has_its_published_size():
    network = published_recipe.make_network()
    assert mc.count_parameters(network) == 18_596
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_recipe_trains_on_drawn_digits_and_prints_what_times_reads(data_dir, capsys):
    options = [f"--data-dir={data_dir}", "--epochs=1", "--threads=1"]
    assert published_recipe.main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Total trainable parameters: 18596"
    assert times.read_published_seconds(lines[1]) > 0


def test_the_recipe_cuts_its_learning_rate_when_the_test_accuracy_stops_rising(monkeypatch):
    rates = []
    accuracies = iter([0.98, 0.97, 0.98, 0.98, 0.99])
    monkeypatch.setattr(published_recipe, "measure_accuracy", lambda *_: next(accuracies))
    monkeypatch.setattr(
        published_recipe, "train_epoch", lambda m, o, b: rates.append(o.param_groups[0]["lr"]) or 1
    )
    published_recipe.train(5, None, None)
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.001])


@pytest.mark.parametrize("module", [folds, seeds, times, published_recipe])
def test_a_wrong_number_is_refused_in_one_line(module, capsys, monkeypatch):
    option = {folds: "--jobs", seeds: "--jobs", times: "--rounds", published_recipe: "--epochs"}
    monkeypatch.setattr(sys, "argv", ["experiment"])
    with pytest.raises(SystemExit, match="^2$"):
        module.parse_args([f"{option[module]}=0"])
    assert len(capsys.readouterr().err.splitlines()) == 1
