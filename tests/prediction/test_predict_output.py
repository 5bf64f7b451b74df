"""The command and what it writes."""

import csv
import json
import os

import pytest

from equipoise import cli
from equipoise.errors import UserError
from equipoise.prediction import output


def predict(model, *arguments):
    return cli.main(["predict", "--model", str(model), "--device", "cpu", *map(str, arguments)])


def test_csv_on_standard_output(model, clips, capsys):
    paths = [clips / "plain.mp4", clips / "tone.wav"]
    assert predict(model, *paths) == 0
    streams = capsys.readouterr()
    both, sound = csv.DictReader(streams.out.splitlines())
    assert list(both) == [
        *("sample_id", "path", "modalities", "error"),
        *("predicted", "predicted_audio", "predicted_video"),
        *("probability_fused_a", "probability_fused_b"),
        *("probability_audio_a", "probability_audio_b"),
        *("probability_video_a", "probability_video_b"),
    ]
    assert both["path"] == str(paths[0]) and both["modalities"] == "audio;video"
    for row, names in [(both, ("fused", "audio", "video")), (sound, ("fused", "audio"))]:
        for name in names:
            values = {label: float(row[f"probability_{name}_{label}"]) for label in "ab"}
            assert sum(values.values()) == pytest.approx(1, abs=1e-5)
            column = "predicted" if name == "fused" else f"predicted_{name}"
            assert row[column] == max(values, key=values.get)
    assert sound["modalities"] == "audio"
    assert sound["predicted_video"] == sound["probability_video_a"] == ""
    assert "reads audio, video" in streams.err


def test_json_says_the_same_as_csv(model, clips, tmp_path, capsys):
    paths = [clips / "plain.mp4", clips / "tone.wav", clips / "still.png"]
    assert predict(model, *paths, "--output", tmp_path / "new/p.JSON") == 1
    assert predict(model, *paths, "--output", tmp_path / "p.csv") == 1
    streams = capsys.readouterr()
    assert streams.out == "" and "1 of 3 clips not predicted" in streams.err
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    objects = json.loads((tmp_path / "new/p.JSON").read_text())
    for row, value in zip(rows, objects, strict=True):
        assert value["sample_id"] == row["sample_id"]
        assert ";".join(value["modalities"]) == row["modalities"]
        assert (value["error"] or "") == row["error"]
        assert value["predicted"].get("fused", "") == row["predicted"]
        assert value["predicted"].get("video", "") == row["predicted_video"]
        for name, by_class in value["probabilities"].items():
            assert set(by_class) == {"a", "b"}
            for label, p in by_class.items():
                assert p == float(row[f"probability_{name}_{label}"])
    assert objects[1]["files"] == {"audio": str(paths[1])}
    assert objects[2]["error"] and objects[2]["predicted"] == objects[2]["probabilities"] == {}


def test_file_names_that_are_no_text(model, clips, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9, \xf0\x9f\x8e\xb5.wav")
    path.write_bytes((clips / "tone.wav").read_bytes())
    for style in ("csv", "json"):
        assert predict(model, path, "--output", tmp_path / "p", "--format", style) == 1
        text = (tmp_path / "p").read_text(encoding="utf-8")
        assert "caf\\udce9, \N{MUSICAL NOTE}.wav" in text and "not UTF-8; rename it" in text
    assert json.loads(text)[0]["sample_id"] == str(path)


@pytest.mark.parametrize(
    ("name", "given", "style"),
    [(None, None, "csv"), (None, "json", "json"), ("a.json", None, "json"), ("a", "csv", "csv")],
)
def test_format(name, given, style, tmp_path):
    assert output.format_of(tmp_path / name if name else None, given) == style


def test_output_that_cannot_be(model, clips, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "d.csv").mkdir()
    for target, message in [
        (tmp_path / "p.txt", "neither .csv nor .json"),
        (tmp_path / "d.csv", "is a folder"),
        (tmp_path / "file/p.csv", "cannot be written"),
    ]:
        assert predict(model, clips / "plain.mp4", "--output", target) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
    assert predict(model) == 2
    assert "nothing to predict" in capsys.readouterr().err


def test_a_failure_half_way_leaves_no_file(model, clips, tmp_path, monkeypatch):
    def fail(*arguments):
        raise UserError("enough")

    monkeypatch.setattr(output, "_predicted", fail)
    assert predict(model, clips / "plain.mp4", "--output", tmp_path / "out/p.csv") == 2
    assert list((tmp_path / "out").iterdir()) == []
