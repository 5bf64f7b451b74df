"""Joint training: which modality FiLM modulates, through training, files and a warm-up."""

import numpy as np
import pytest
import torch
import toy_data
from small import model as small_model

from equipoise import layout, registry
from equipoise.errors import UserError
from equipoise.methods.base import create
from equipoise.params import Params
from equipoise.store.features import FeatureStore
from equipoise.training.inference import load_model, predict


@pytest.mark.parametrize("names", [("audio", "video"), ("audio", "image", "video")])
@pytest.mark.parametrize("target", [None, "video"])
def test_film_modulates_the_target_by_all_others(names, target):
    net = small_model("film", names)
    create("joint-film", {"target": target}).attach(net, {})
    x = {m: torch.randn(5, 4, dtype=torch.float64) for m in names}
    chosen = target or "audio"
    others = np.concatenate([x[m].numpy() for m in names if m != chosen], axis=1)
    affine, classifier = net.fusion.affine, net.fusion.classifier
    both = others @ affine.weight.detach().numpy().T + affine.bias.detach().numpy()
    hidden = both[:, :4] * x[chosen].numpy() + both[:, 4:]
    expected = hidden @ classifier.weight.detach().numpy().T + classifier.bias.detach().numpy()
    np.testing.assert_allclose(net.fusion(x, {}).detach(), expected)


def test_of_one_modality_it_is_a_linear_classifier():
    net = small_model("film", ("video",))
    create("joint-film", {"target": "video"}).attach(net, {})
    x = torch.randn(5, 4, dtype=torch.float64)
    expected = x @ net.fusion.classifier.weight.T + net.fusion.classifier.bias
    torch.testing.assert_close(net.fusion({"video": x}, {}), expected)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()


def test_a_loaded_model_modulates_the_modality_it_was_trained_with(project):
    found = []
    for options in ({}, {"target": "audio"}, {"target": "video"}):
        paths = toy_data.run_train("joint-film", options)
        loaded = load_model(paths["model"].parent)
        assert loaded.model.fusion.target == options.get("target", "audio")
        with FeatureStore(layout.features("toy")["features"]) as store:
            found.append(predict(loaded, store, toy_data.splits()["val"], "cpu").logits)
    assert np.array_equal(found[0], found[1]) and not np.allclose(found[0], found[2])


def test_what_has_no_such_target_is_refused(project):
    with pytest.raises(ValueError, match="target: variant 'concat' modulates nothing"):
        registry.check_method(
            "joint", {"target": "video"}, "from_scratch", Params.model_construct()
        )
    with pytest.raises(UserError, match="target must be one of audio, video; got 'vidoe'"):
        toy_data.run_train("joint-film", {"target": "vidoe"})
    film = {"model": toy_data.MODEL.model_copy(update={"fusion": "film"})}
    toy_data.run_warmup(**film)
    with pytest.raises(UserError, match="the warm-up modulated 'audio'"):
        toy_data.run_train("joint-film", {"target": "video"}, warm=True, **film)
    toy_data.run_train("joint-film", {"target": "audio"}, warm=True, **film)
