"""From media files to probabilities."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from equipoise import vouch
from equipoise.errors import UserError
from equipoise.modalities import sample
from equipoise.prediction import predict, run
from equipoise.store.features import FeatureStore
from equipoise.training import inference
from equipoise.training.streams import Streams


def test_a_test_clip_gets_what_stage_evaluate_said(model, trained):
    paths = [next((trained.raw / "media").glob(f"{n:02d}.*")) for n in (2, 5, 8, 11)]
    found = list(predict(model, paths, device="cpu", batch_size=3, threads=2))
    assert [clip.sample_id for clip in found] == [str(path) for path in paths]
    for clip, row in zip(found, trained.evaluated, strict=True):
        assert clip.modalities == ["audio", "video"]
        truth = clip.probabilities["fused"]["ab".index(row["label"])]
        assert truth == pytest.approx(float(row["probability"]), abs=1e-5)
        for name, values in clip.probabilities.items():
            column = "predicted" if name == "fused" else f"predicted_{name}"
            assert values.sum() == pytest.approx(1)
            assert "ab"[values.argmax()] == row[column]
    mp4, flv, numbered, mkv = (clip.probabilities for clip in found)
    assert len({f"{clip['fused'][0]:.4f}" for clip in (mp4, flv, numbered)}) == 3
    # The same picture. ffmpeg 5.1 puts it later in an .mkv, by what AAC adds in front.
    if "EQUIPOISE_FFMPEG" not in os.environ:
        np.testing.assert_allclose(mkv["video"], mp4["video"], atol=1e-5)
    assert list(Path.cwd().iterdir()) == []


def test_the_arrays_are_those_of_the_feature_store(model, trained, monkeypatch):
    stores = []
    real = inference.predict

    def spy(loaded, store, *arguments, **options):
        stores.append(store)
        return real(loaded, store, *arguments, **options)

    monkeypatch.setattr(inference, "predict", spy)
    list(predict(model, [trained.raw], device="cpu", threads=2))
    with FeatureStore(trained.features) as store:
        for modality in ("audio", "video"):
            extracted = store.rows(modality, 0, 12)
            given = stores[0].rows(modality, 0, 12)
            assert given.dtype == extracted.dtype and np.array_equal(given, extracted)


def test_a_missing_modality_is_left_out_and_the_order_kept(model, clips):
    has = {
        "plain.mp4": ["audio", "video"],
        "tone.wav": ["audio"],
        "short.mkv": ["video"],
        "tone.ogg": ["audio"],
        "plain.flv": ["audio", "video"],
    }
    paths = [clips / name for name in has]
    found = list(predict(model, paths, device="cpu", threads=2))
    assert [clip.modalities for clip in found] == list(has.values())
    for path, clip in zip(paths, found, strict=True):
        (alone,) = predict(model, [path], device="cpu", threads=1)
        assert clip.sample_id == alone.sample_id == str(path) and not clip.error
        for name, values in clip.probabilities.items():
            np.testing.assert_allclose(alone.probabilities[name], values, atol=1e-6)


def test_the_model_reads_only_what_is_there(model, clips):
    loaded = inference.load_model(model)
    (clip,) = run_ = predict(model, [clips / "tone.wav"], device="cpu")
    reading = sample.read_sample(run_.readers, {"audio": clips / "tone.wav"})["audio"]
    streams = Streams.of_card(loaded.card.modalities, torch.device("cpu"))
    inputs = streams.prepare({"audio": torch.from_numpy(reading.array)[None]})
    with torch.no_grad():
        heard = loaded.model.encoders["audio"](inputs["audio"])
        joined = torch.cat([heard, torch.zeros_like(heard)], dim=1)
        expected = loaded.model.fusion.classifier(joined).softmax(1)[0]
    np.testing.assert_allclose(clip.probabilities["fused"], expected.numpy(), atol=1e-6)


def test_a_clip_that_cannot_be_predicted_does_not_stop_the_others(model, clips, tmp_path):
    broken, text = tmp_path / "broken.mkv", tmp_path / "text.mp4"
    broken.write_bytes((clips / "plain.mkv").read_bytes()[:4000])
    text.write_text("hello\n" * 100)
    paths = [broken, clips / "still.png", text, clips / "plain.mp4"]
    errors = [clip.error for clip in predict(model, paths, device="cpu", batch_size=2)]
    assert [bool(error) for error in errors] == [True, True, True, False]
    assert errors[1] == "the model reads audio, video; the clip has nothing of it"
    assert not any("\n" in error for error in errors)


def test_cells_of_a_manifest_may_be_empty_and_files_be_missing(model, clips, tmp_path):
    for name in ("tone.wav", "short.mkv"):
        (tmp_path / name).write_bytes((clips / name).read_bytes())
    table = tmp_path / "new.csv"
    table.write_text(
        "sample_id,audio,video,note\n"
        "both,tone.wav,short.mkv,x\n"
        "sound,tone.wav,,\n"
        "none,,,\n"
        "gone,gone.wav,short.mkv,\n"
        f"far,{clips / 'plain.mp4'},,\n"
        "silent,short.mkv,short.mkv,\n"
    )
    found = {clip.sample_id: clip for clip in predict(model, [table], device="cpu")}
    assert {name: clip.modalities for name, clip in found.items()} == {
        "both": ["audio", "video"],
        "sound": ["audio"],
        "none": [],
        "gone": [],
        "far": ["audio"],
        "silent": ["video"],
    }
    assert found["none"].error == "the model reads audio, video; the clip has nothing of it"
    assert found["gone"].error == "audio: cannot be read: No such file or directory"
    assert sum(bool(clip.error) for clip in found.values()) == 2


def test_sound_that_is_no_number_spoils_its_own_clip_only(model, clips, monkeypatch):
    def spoiled(readers, sources):
        readings = sample.read_present(readers, sources)
        if sources["audio"].name == "plain.mkv":
            readings["audio"].array[:] = np.nan
        return readings

    monkeypatch.setattr(run, "read_present", spoiled)
    paths = [clips / "plain.mp4", clips / "plain.mkv", clips / "plain.flv"]
    found = list(predict(model, paths, device="cpu"))
    assert [bool(clip.error) for clip in found] == [False, True, False]
    assert "no finite numbers" in found[1].error and found[1].modalities == []


def test_one_batch_is_in_memory(model, clips, monkeypatch):
    begun = []

    def read(readers, sources):
        begun.append(sources)
        return sample.read_present(readers, sources)

    monkeypatch.setattr(run, "read_present", read)
    names = ["plain.mp4", "plain.mkv", "plain.flv", "numbered.mkv", "ntsc.mkv"]
    found = iter(predict(model, [clips / name for name in names], device="cpu", batch_size=2))
    next(found)
    assert len(begun) == 2
    found.close()
    assert len(begun) == 2


def card(model, **changes):
    path = model / "model.json"
    vouch.write(path, json.loads(path.read_text()) | changes)


def table(model, **changes):
    modalities = json.loads((model / "model.json").read_text())["modalities"]
    modalities["audio"]["table"] |= changes
    card(model, modalities=modalities)


FAULTS = {
    "no such folder; --model is": lambda m: m.rename(m.with_name("elsewhere")),
    "model.json: no such file": lambda m: (m / "model.json").unlink(),
    "model.json: Invalid JSON: ": lambda m: (m / "model.json").write_text("{"),
    "model.safetensors: no such file": lambda m: (m / "model.safetensors").unlink(),
    "model.safetensors: sha256 differs": lambda m: (m / "model.safetensors").write_bytes(b"0"),
    "unknown method 'joynt'; did you mean 'joint'": lambda m: card(m, method="joynt"),
    "rat: unknown key; did you mean 'rate'": lambda m: table(m, rat=8000),
    "unknown kind 'sond'; did you mean 'sound'": lambda m: table(m, kind="sond"),
    "the settings give audio the shape": lambda m: table(m, seconds=1.0),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_model_that_cannot_be_used_is_one_line(message, model, clips):
    FAULTS[message](model)
    with pytest.raises(UserError) as error:
        predict(model, [clips / "plain.mp4"])
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_one_line(device, model, clips):
    with pytest.raises(UserError, match=f"device '{device}' is"):
        predict(model, [clips / "plain.mp4"], device=device)
