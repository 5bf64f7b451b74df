"""A model.json that a stranger wrote: one line, and nothing is allocated by what it says."""

import json
import os
import shutil

import pytest
import torch

from equipoise import cli, vouch
from equipoise.errors import UserError
from equipoise.training import inference
from equipoise.training.inference import load_model


@pytest.fixture
def model(trained, tmp_path):
    return shutil.copytree(trained.model, tmp_path / "model")


def write(model, *path, value):
    card = json.loads((model / "model.json").read_text())
    at = card
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    vouch.write(model / "model.json", card)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("features",), 10**12, "features is 1000000000000, too large for any model"),
        (("features",), 10**6, "does not fit model.json"),
        (("features",), -3, "model.json"),
        (("classes",), [str(n) for n in range(10**5)], "does not fit model.json"),
        (("modalities", "video", "shape"), [10**6, 10**6, 10**6, 3], "a sample of 'video' has"),
        (("modalities", "audio", "table", "n_fft"), 10**9, "too large for any model"),
        (("fusion",), "sum", "does not fit model.json"),
        (("fusion",), "nonsense", "nonsense"),
        (("modalities", "audio", "encoder", "name"), "mlp", "mlp"),
    ],
)
def test_a_card_that_is_not_of_these_weights(model, path, value, said, monkeypatch):
    write(model, *path, value=value)
    real = []
    built = inference._built

    def counting(*arguments):
        real.append(not torch.empty(1).is_meta)
        return built(*arguments)

    monkeypatch.setattr(inference, "_built", counting)
    with pytest.raises(UserError, match=said) as caught:
        load_model(model)
    assert "\n" not in str(caught.value)
    if "large" in said or "fit" in said or "sample" in said:
        assert not any(real), "a network was built with memory"


def test_a_named_pipe_is_refused_and_not_waited_for(trained, tmp_path, capsys):
    os.mkfifo(tmp_path / "clip.mp4")
    assert cli.main(["predict", "--model", str(trained.model), str(tmp_path / "clip.mp4")]) == 1
    assert "a named pipe, not a file" in capsys.readouterr().out
    model = shutil.copytree(trained.model, tmp_path / "model")
    (model / "model.json").unlink()
    os.mkfifo(model / "model.json")
    assert cli.main(["predict", "--model", str(model), str(trained.model)]) == 2
    assert "model.json: a folder, named pipe or device, not a file" in capsys.readouterr().err
    os.mkfifo(tmp_path / "manifest.csv")
    command = ["predict", "--model", str(trained.model), str(tmp_path / "manifest.csv")]
    assert cli.main(command) == 2
    assert "no regular file" in capsys.readouterr().err
    assert cli.main(["check", str(tmp_path)]) == 2
    assert "no regular file" in capsys.readouterr().err
