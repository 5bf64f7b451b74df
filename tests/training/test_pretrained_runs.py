"""A network of transformers in a whole run: its folder is needed to train, and no more."""

import json
import shutil

import numpy as np
import pytest
import toy_data
import transformers

from equipoise import layout
from equipoise.errors import UserError
from equipoise.params import Encoder, Train
from equipoise.store.features import FeatureStore
from equipoise.training.inference import load_model, predict

SHORT = Train(epochs=1, batch_size=18, learning_rate=1e-3)
SAID = {"image_mean": [0.5, 0.25, 0.5], "image_std": [0.5, 0.5, 0.25]}


def vit(size, patch):
    """The configuration of a very small vision transformer."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return transformers.ViTConfig(image_size=size, patch_size=patch, intermediate_size=16, **sizes)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    transformers.AutoModel.from_config(vit(12, 4)).save_pretrained("net")
    (tmp_path / "net" / "preprocessor_config.json").write_text(json.dumps(SAID))
    chosen = Encoder(name="pretrained", weights="net", rates={"body": 0.1})
    monkeypatch.setitem(toy_data.ENCODERS, "video", chosen)
    toy_data.write_project()
    return tmp_path / "net"


def test_a_trained_model_predicts_without_the_folder(folder):
    paths = toy_data.run_train("joint-concat", train=SHORT)
    shutil.rmtree(folder)
    loaded = load_model(paths["model"].parent)
    card = loaded.card.modalities["video"]
    assert card.encoder.options["config"]["hidden_size"] == 16
    assert card.weights is not None and card.weights.name == "net"
    # What the folder says of its input, in units of 8 bits, not the moments of the training split.
    np.testing.assert_allclose(card.normalisation.mean, (127.5, 63.75, 127.5))
    np.testing.assert_allclose(card.normalisation.std, (127.5, 127.5, 63.75))
    rows = toy_data.splits()["val"]
    with FeatureStore(layout.features("toy")["features"]) as store:
        found = predict(loaded, store, rows, "cpu", batch_size=5)
        right = float(np.mean(found.logits.argmax(1) == store.labels[rows]))
    (row,) = toy_data.history(paths)
    assert right == pytest.approx(float(row["val_accuracy"]))


def test_a_folder_of_another_size_ends_in_one_line_before_training(folder):
    transformers.AutoModel.from_config(vit(16, 4)).save_pretrained(folder)
    with pytest.raises(UserError, match="reads pictures of 16 x 16, not 12 x 12; say size: 16"):
        toy_data.run_train("joint-concat", train=SHORT)
    assert not layout.state("train").exists()
