"""Stage search: what is tried, what is chosen, what an interruption costs."""

import csv
import json
from itertools import product

import pytest
import toy_data

from equipoise import layout
from equipoise.errors import UserError
from equipoise.params import Params, parse
from equipoise.stages import search as stage
from equipoise.stages import train
from equipoise.training import search
from equipoise.training.loop import Trainer

TRAIN = [{"learning_rate": 0.01}, {"optimizer": "sgd", "learning_rate": 0.1}]
OPTIONS = [{"heads": "trained"}]
KEY = "joint-concat"


def settings(trials, train_changes=TRAIN, option_changes=OPTIONS, **changes):
    told = toy_data.train_settings(**changes)
    return toy_data.search_settings(told, trials, train_changes, option_changes)


def run(told):
    stage.run(toy_data.job("search", KEY), told)
    paths = layout.search("toy", KEY)
    with paths["trials"].open() as file:
        return json.loads(paths["chosen"].read_text()), list(csv.DictReader(file))


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()


def test_all_pairs_are_drawn_once_and_the_settings_as_they_stand_first():
    drawn = search.draw(settings(6), KEY)
    pairs = list(product([{}, *TRAIN], [{}, *OPTIONS]))
    assert drawn[0] == ({}, {})
    assert sorted(map(repr, drawn)) == sorted(map(repr, pairs))


def test_the_draw_depends_on_seed_and_method():
    changes = [{"learning_rate": i / 100} for i in range(1, 30)]
    told = settings(5, changes)
    first = search.draw(told, KEY)
    assert first == search.draw(told, KEY)
    assert first != search.draw(told, "lfm")
    assert first != search.draw(told.model_copy(update={"draw_seed": 1}), KEY)


def test_accuracy_decides_then_loss_then_order():
    def result(accuracy, loss):
        return search.Result(1, accuracy, loss)

    diverged = search.Result(None, None, None)
    assert search.best([result(0.5, 0.1), result(0.6, 2.0), result(0.6, 1.0), diverged]) == 2
    assert search.best([result(0.5, 0.1), result(0.5, 0.1)]) == 0
    with pytest.raises(UserError, match="diverged in every trial"):
        search.best([diverged])


def test_one_trial_trains_nothing(project, monkeypatch):
    monkeypatch.setattr(Trainer, "fit", None)
    chosen, rows = run(settings(1))
    assert chosen.pop("files")["trials.csv"]["rows"] == 1
    assert chosen.pop("record_digest")
    assert chosen == {"trial": 1, "trials": 1, "train": {}, "options": {}}
    assert [row["val_accuracy"] for row in rows] == [""]


def test_train_uses_what_was_chosen_and_it_is_the_best_on_validation(project):
    # A rate so small that the first trial learns nothing.
    lazy = toy_data.TRAIN.model_copy(update={"learning_rate": 1e-9})
    told = settings(6, train=lazy)
    chosen, rows = run(told)
    accuracies = [float(row["val_accuracy"]) for row in rows]
    assert accuracies[chosen["trial"] - 1] == max(accuracies) > accuracies[0]
    assert [row["chosen"] for row in rows].count("1") == 1
    assert json.loads(rows[chosen["trial"] - 1]["train"]) == chosen["train"] != {}

    train.run(toy_data.job("train", KEY), told.train)
    paths = layout.train("toy", KEY, "0")
    card = json.loads(paths["model"].read_text())
    assert card["settings"]["train"]["learning_rate"] == chosen["train"]["learning_rate"]
    assert card["options"] == chosen["options"]
    # The same training as the trial: the same validation accuracy at the epoch that was kept.
    kept = next(r for r in toy_data.history(paths) if int(r["epoch"]) == card["epoch"])
    assert float(kept["val_accuracy"]) == max(accuracies)


def test_an_interrupted_search_trains_no_trial_twice(project, monkeypatch):
    whole = run(settings(4))
    for path in layout.search("toy", KEY).values():
        path.unlink()
    fit, calls = Trainer.fit, []

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fit(self, *arguments)

    monkeypatch.setattr(Trainer, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(settings(4))
    assert not layout.search("toy", KEY)["chosen"].exists()
    assert run(settings(4)) == whole
    assert len(calls) == 3 + 2
    assert not layout.state("search", "toy", KEY).exists()


def test_a_diverged_trial_is_noted_and_not_chosen(project):
    chosen, rows = run(settings(2, [{"optimizer": "sgd", "learning_rate": 1e30}], []))
    assert chosen["trial"] == 1
    assert rows[1]["val_accuracy"] == ""


def test_train_says_which_stage_is_missing(project):
    with pytest.raises(UserError, match=r"chosen\.json: no such file; run stage search first"):
        train.run(toy_data.job("train", KEY), toy_data.train_settings())


GRID = {
    "datasets": {
        "keypad": {
            "modalities": {
                "video": {"kind": "frames", "pick": {"even": 4}, "size": 32},
                "audio": {"kind": "sound", "rate": 8000, "seconds": 0.8},
            }
        }
    },
    "methods": {"from_scratch": {"joint": {}, "lfm": {}}},
    "seeds": [0],
}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"trials": 3, "train": [{"learning_rate": 0.1}]}, "'joint' make only 2 settings"),
        ({"train": [{"learning_rat": 0.1}]}, "search.train.learning_rat: unknown key"),
        ({"train": [{"epochs": 3}]}, "'epochs' is the same for every trial"),
        ({"options": {"lfn": [{}]}}, "did you mean 'lfm'"),
        ({"options": {"lfm": [{"temprature": 1}]}}, "methods.from_scratch.lfm.temprature"),
    ],
)
def test_mistakes_are_found_before_anything_runs(section, message):
    with pytest.raises(UserError, match=message) as error:
        parse(Params, {**GRID, "search": section}, "params.yaml")
    assert "\n" not in str(error.value)
