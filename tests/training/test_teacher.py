"""A trained run as an input of another: which one it is, and what it leaves alone."""

import json
import shutil

import pytest
import torch
import toy_data
from safetensors.torch import load_file, save_file
from toy_data import contents, history

from equipoise import files, layout, vouch
from equipoise.errors import UserError
from equipoise.methods.umt.method import Umt
from equipoise.params import Encoder, Model
from equipoise.stages import train
from equipoise.store.inputs import open_inputs
from equipoise.training.job import make_trainer, start_of
from equipoise.training.loop import Trainer

TEACHER = layout.train("toy", toy_data.TEACHER, "0")
TOLD = toy_data.train_settings(teacher=toy_data.TEACHER)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()


def trainer(told=TOLD, seed=0):
    """A run of umt as stage train makes it, before its first step."""
    job = toy_data.job("train", "umt", seed)
    with open_inputs("toy") as store:
        start = start_of(job, told, store)
        return make_trainer(job, told, "umt", told.options, told.train.epochs, start, store)


def retrain(seed=1):
    """Put the run of another seed in the place of the teacher's."""
    other = toy_data.run_train(toy_data.TEACHER, seed=seed)
    for name, path in other.items():
        shutil.copy(path, TEACHER[name])
    card = json.loads(TEACHER["model"].read_text())
    vouch.write(TEACHER["model"], {**card, "seed": 0})


def test_the_card_names_the_weights_that_taught_it():
    toy_data.run_train(toy_data.TEACHER)
    card = json.loads(toy_data.run_train("umt")["model"].read_text())
    assert card["teacher_sha256"] == files.sha256(TEACHER["weights"])
    assert card["settings"]["teacher"] == toy_data.TEACHER
    assert json.loads(TEACHER["model"].read_text())["teacher_sha256"] == ""


def test_the_teacher_is_of_the_same_seed():
    for seed in (0, 1):
        toy_data.run_train(toy_data.TEACHER, seed=seed)
    for seed in (0, 1):
        weights = layout.train("toy", toy_data.TEACHER, str(seed))["weights"]
        expected = load_file(weights)
        found = trainer(seed=seed).run.teacher.model.state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_the_teacher_is_no_part_of_the_model():
    toy_data.run_train(toy_data.TEACHER)
    before = TEACHER["weights"].read_bytes()
    found = trainer()
    teacher = found.run.teacher.model
    shown = {id(p) for group in found.run.optimizer.param_groups for p in group["params"]}
    assert not shown & {id(p) for p in teacher.parameters()}
    assert not any(p.requires_grad for p in teacher.parameters())
    weights = {name: value.clone() for name, value in teacher.state_dict().items()}
    best = found.fit()
    assert not teacher.training, "evaluation mode also while the student trains"
    assert all(torch.equal(teacher.state_dict()[n], w) for n, w in weights.items())
    assert best.weights.keys() == found.run.model.state_dict().keys()
    assert TEACHER["weights"].read_bytes() == before


def test_the_teacher_reads_the_very_inputs_of_the_student(monkeypatch):
    toy_data.run_train(toy_data.TEACHER)
    found, seen = trainer(), {"student": [], "teacher": []}
    for who, model in (("student", found.run.model), ("teacher", found.run.teacher.model)):

        def note(_, arguments, who=who):
            seen[who].append({m: x.clone() for m, x in arguments[0].items()})

        model.register_forward_pre_hook(note)
    monkeypatch.setattr(
        Trainer, "evaluate", lambda self, subset: {"val_accuracy": 0, "val_loss": 1}
    )
    found.fit()
    assert len(seen["student"]) == len(seen["teacher"]) == 4 * 3
    for one, two in zip(seen["student"], seen["teacher"], strict=True):
        assert all(torch.equal(one[m], two[m]) for m in one)


def test_a_student_with_the_teachers_weights_has_nothing_to_learn_from_it():
    """The first distance is zero, up to what training mode does to a batch normalisation."""
    toy_data.run_train(toy_data.TEACHER)
    found = trainer()
    own = found.run.model.state_dict()
    same = {n: w for n, w in found.run.teacher.model.state_dict().items() if n in own}
    found.run.model.load_state_dict(own | same)
    found.method.attach(found.run.model, {})
    found.method.setup(found.run)
    batch = next(found.run.data.ordered(found.run.data.splits["train"], 16))
    output = found.run.model.eval()(batch.inputs)
    joint = torch.nn.functional.cross_entropy(output.logits, batch.labels)
    assert float(found.method.loss(output, batch).detach()) == pytest.approx(float(joint.detach()))


def test_an_interrupted_run_goes_on_with_the_same_teacher_and_starts_anew_with_another(monkeypatch):
    toy_data.run_train(toy_data.TEACHER)
    fit, steps = Umt.train_step, []

    def dies(self, batch):
        steps.append(1)
        if len(steps) == 5:
            raise KeyboardInterrupt
        return fit(self, batch)

    for change, left in ((lambda: None, 12 - 4), (retrain, 12)):
        steps.clear()
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Umt, "train_step", dies)
            toy_data.run_train("umt")
        change()
        steps.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Umt, "train_step", lambda self, b: steps.append(1) or fit(self, b))
            resumed = contents(toy_data.run_train("umt"))
        assert len(steps) == left
        shutil.rmtree(layout.state("train"))
        assert contents(toy_data.run_train("umt")) == resumed


def refused(match, told=TOLD):
    with pytest.raises(UserError, match=match) as error:
        trainer(told)
    assert "\n" not in str(error.value)


def test_a_teacher_that_is_missing_or_damaged_is_refused():
    refused("model.safetensors: no such file; 'umt' reads it: run stage train of 'unimodal' first")
    toy_data.run_train(toy_data.TEACHER)
    weights = load_file(TEACHER["weights"])
    save_file({name: value + 1 for name, value in weights.items()}, TEACHER["weights"])
    refused("sha256 differs from model.json")


def test_a_teacher_that_does_not_fit_is_refused():
    toy_data.run_train(toy_data.TEACHER)
    wide = toy_data.train_settings(teacher=toy_data.TEACHER, model=Model(features=8))
    refused("has other length of the features than this run; run stage train of 'unimodal'", wide)
    others = {**toy_data.ENCODERS, "audio": Encoder(name="conv_speech")}
    refused(
        "has other modalities, encoders or normalisation",
        TOLD.model_copy(update={"encoders": others}),
    )
    rows = layout.split("toy")["split"].read_text().splitlines()
    moved = [*rows[:2], rows[2].replace("train", "test"), *rows[3:]]
    with toy_data.another_split("\n".join(moved) + "\n"):
        refused("was trained on another split.csv; run stage train again")


def test_a_method_that_reads_a_teacher_does_not_start_without():
    told = toy_data.train_settings()
    with pytest.raises(UserError, match=r"reads a trained run; put it in methods\.with_teacher"):
        trainer(told)


def test_every_trial_of_a_search_has_the_teacher_of_the_first_seed(monkeypatch):
    from equipoise.stages import search

    for seed in (0, 1):
        toy_data.run_train(toy_data.TEACHER, seed=seed)
    seen = []
    setup = Umt.setup
    monkeypatch.setattr(
        Umt,
        "setup",
        lambda self, run: seen.append(run.teacher.card.seed) or setup(self, run),
    )
    settings = toy_data.search_settings(TOLD, 2, option_changes=[{"weight": 1.0}])
    search.run(toy_data.job("search", "umt"), settings)
    assert seen == [settings.seed] * 2
    train.run(toy_data.job("train", "umt", 1), TOLD)
    assert seen[-1] == 1
    rows = history(layout.train("toy", "umt", "1"))
    assert all(float(row["method_distance_audio"]) > 0 for row in rows)
