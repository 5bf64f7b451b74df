"""``equipoise.load``: model and preparation as one module, and the block of docs/predict.md."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_data
from safetensors.torch import save_file

import equipoise
from equipoise import layout
from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.models.build import build_encoder
from equipoise.params import EmbedJob, Encoder
from equipoise.prediction import predict
from equipoise.stages import embed
from equipoise.stages.job import Job
from equipoise.store.features import FeatureStore

PAGE = (Path(__file__).parents[2] / "docs/predict.md").read_text(encoding="utf-8")


def test_the_block_of_the_page_gives_what_stage_evaluate_said(model, trained):
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "equipoise.load" in b)
    space = {"MODEL_DIR": model, "FEATURES": trained.features}
    exec(compile(block, "predict.md", "exec"), space)
    assert len(space["predicted"]) == 4
    with FeatureStore(trained.features) as store:
        rows = [int(row["sample_id"].removeprefix("s")) for row in trained.evaluated]
        samples = {
            m: torch.from_numpy(np.stack([store.row(m, row) for row in rows]))
            for m in ("video", "audio")
        }
    with torch.no_grad():
        output = space["model"](samples)
    truth = [space["model"].classes.index(row["label"]) for row in trained.evaluated]
    given = output.logits.softmax(1)[range(len(truth)), truth]
    expected = [float(row["probability"]) for row in trained.evaluated]
    np.testing.assert_allclose(given.numpy(), expected, atol=1e-5)
    assert list(output.modality_logits) == ["audio", "video"]


def test_one_modality_alone_is_what_predict_says_of_it(model, trained):
    loaded = equipoise.load(str(model))
    assert not loaded.training and isinstance(loaded, torch.nn.Module)
    path = next((trained.raw / "media").glob("02.*"))
    (clip,) = predict(model, [path], device="cpu", threads=1)
    with FeatureStore(trained.features) as store, torch.no_grad():
        output = loaded({"audio": torch.from_numpy(store.rows("audio", 2, 3))})
    (head,) = output.modality_logits.values()
    np.testing.assert_allclose(head.softmax(1)[0].numpy(), clip.probabilities["audio"], atol=1e-5)


def test_its_weights_can_be_tuned_and_saved(model, trained):
    loaded = equipoise.load(model)
    with FeatureStore(trained.features) as store:
        samples = {m: torch.from_numpy(store.rows(m, 0, 2)) for m in loaded.shapes}
    with pytest.raises(UserError, match="the batch has 2 of 'audio', 1 of 'video'"):
        loaded({**samples, "video": samples["video"][:1]})
    loaded(samples).logits.sum().backward()
    assert all(p.grad is not None for p in loaded.model.encoders.parameters())
    other = equipoise.load(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(loaded.state_dict())
    assert torch.equal(other(samples).logits, loaded(samples).logits)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({}, "no modality; the model knows audio, video"),
        ({"smell": torch.zeros(1, 2)}, "cannot predict from smell"),
        ({"video": torch.zeros(16, 16, 3)}, "'video' has shape (16, 16, 3); the model takes (B, "),
    ],
)
def test_what_it_cannot_read_is_one_line(model, samples, words):
    with pytest.raises(UserError) as caught:
        equipoise.load(model)(samples)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_frozen_encoder_is_part_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    torch.manual_seed(3)
    small = {"width": 0.1}
    given = Input("pictures", (2, 3, 12, 12))
    state = build_encoder(Encoder(name="i3d", options=small), given, 4).state_dict()
    save_file({n: v for n, v in state.items() if not n.startswith("projection")}, "net.safetensors")
    frozen = Encoder(name="i3d", options=small, weights="net.safetensors", freeze="body")
    monkeypatch.setitem(toy_data.ENCODERS, "video", frozen)
    toy_data.write_project()
    embed.run(Job("embed", "toy"), EmbedJob(encoders={"video": frozen}))
    toy_data.run_train("joint-concat")
    loaded = equipoise.load(layout.train("toy", "joint-concat", "0")["model"].parent)
    with FeatureStore(layout.features("toy")["features"]) as store:
        samples = {m: torch.from_numpy(store.rows(m, 0, 5)) for m in loaded.shapes}
    with FeatureStore(layout.embed("toy")["embeddings"]) as store, torch.no_grad():
        embedded = torch.from_numpy(store.rows("video", 0, 5))
        # What stage embed stored, normalised as in training.
        norm = loaded.card.modalities["video"].normalisation
        inputs = (embedded - torch.tensor(norm.mean)) / torch.tensor(norm.std)
        expected = loaded.model.encoders["video"](inputs)
        found = loaded(samples).features["video"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    body = loaded.train().frozen["video"].body
    assert not body.training and not any(p.requires_grad for p in body.parameters())


def test_the_import_alone_is_light():
    code = "import sys, equipoise; equipoise.load; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
