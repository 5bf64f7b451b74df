"""SimBaMM: joint training on its fusion, with options for the size."""

import pytest
import toy_data
from safetensors.torch import load_file

from equipoise import params
from equipoise.errors import UserError
from equipoise.methods.simbamm import Options, check

FRAMES = {"video": {"kind": "frames", "pick": {"even": 4}, "size": 32}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def test_with_its_defaults_it_is_joint_training_on_the_fusion():
    toy_data.write_project()
    one = load_file(toy_data.run_train("joint-simbamm")["weights"])
    two = load_file(toy_data.run_train("simbamm")["weights"])
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)


def test_heads_that_do_not_divide_the_features_are_refused_before_anything_runs():
    given = params.Params.model_validate(
        {
            "datasets": {"keypad": {"modalities": FRAMES, "model": {"features": 20}}},
            "methods": {"from_scratch": {"joint": {}}},
            "seeds": [0],
        }
    )
    check("late_transformer", Options(heads=5), given)
    with pytest.raises(ValueError, match=r"heads: 8 do not divide model.features \(20\)"):
        check("late_transformer", Options(), given)


def test_layers_of_a_warmup_are_kept_or_the_run_is_refused():
    toy_data.write_project()
    fused = toy_data.MODEL.model_copy(update={"fusion": "simbamm"})
    toy_data.run_warmup(model=fused)
    toy_data.run_train("simbamm", {}, warm=True, model=fused)
    with pytest.raises(UserError, match="a transformer of another size"):
        toy_data.run_train("simbamm-late_transformer-x", {"layers": 1}, warm=True, model=fused)
