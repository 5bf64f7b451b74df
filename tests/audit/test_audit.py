"""The audit of made data, in which every finding was put on purpose and is counted by hand."""

import json
import shutil
import struct
import subprocess

import numpy as np
import pytest
from PIL import Image

from equipoise import cli
from equipoise.audit import near, show
from equipoise.audit.result import audit
from equipoise.audit.samples import Samples
from equipoise.data.manifest import Column, Manifest, Row
from equipoise.media.ffmpeg import binary
from equipoise.modalities.base import Trace, reader
from equipoise.modalities.looks import trace

RATE = 8000


def row(number, label, side, group="", **cells):
    return Row(number + 2, f"s{number}", label, side, group, cells)


def samples(rows, texts=None, checksums=None, **more):
    """Samples with a text in a column, and a file in another one."""
    columns = {"text": Column("text", True), "image": Column("image")}
    manifest = Manifest(None, ("text", "image"), columns, rows)
    said = texts or [f"no{number}" for number in range(len(rows))]
    traces = {"text": [Trace(text, words=tuple(text.split())) for text in said]}
    sides, sums = [one.split for one in rows], checksums or {}
    things = {"text": "texts", "image": "pictures"}
    return Samples("made", manifest, rows, sides, sums, traces, things, **more)


def test_texts_on_two_sides_and_under_two_labels():
    sides = ["train", "train", "val", "test", "test", "test"]
    texts = ["a b", "c", "a b", "a b", "c", "e"]
    labels = ["x", "y", "x", "y", "y", "x"]
    cells = [{"text": "", "image": f"{n}.png"} for n in range(6)]
    rows = [row(n, labels[n], sides[n], **cells[n]) for n in range(6)]
    found = audit(samples(rows, texts))
    told = [(one["other"], one["side"], one["samples"], one["of"]) for one in found["leaks"]]
    assert told == [("train", "val", 1, 1), ("train", "test", 2, 3), ("val", "test", 1, 3)]
    assert found["leaks"][1]["ids"] == [["s3", "s0"], ["s4", "s1"]]
    assert show.in_test(found) == ["2 of 3 test texts stand in train"]
    (two,) = found["contradictions"]
    assert (two["contents"], two["samples"], two["of"]) == (1, 3, 6)
    # "a b" is x, x and y: one of six is wrong whatever is said; within test each stands alone.
    assert two["best_accuracy"] == {"train": 1.0, "val": 1.0, "test": 1.0, "all": 0.833333}
    assert two["ids"] == [[["s0", "x"], ["s2", "x"], ["s3", "y"]]]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("So  HAPPY\tday ", "so happy day", True),
        ("caf\u00e9", "cafe\u0301", True),  # an accent of its own
        ("a\u00a0b", "a b", True),
        ("so happy day", "so happy, day", False),
    ],
)
def test_texts_are_the_same_however_they_are_written(one, other, same):
    own = reader("text", "text", {"tokenizer": "bytes", "length": 8, "inline": True})
    first, second = (own.trace(None, text) for text in (one, other))
    assert (first.same == second.same) == same


def test_the_name_of_a_class_is_known_however_it_is_written():
    own = reader("text", "text", {"tokenizer": "bytes", "length": 8, "inline": True})
    texts = [own.trace(None, text).words for text in ("At the CAFE\u0301!", "at home")]
    rows = [row(n, "Cafe\u0301", "train", text="", image=f"{n}.png") for n in range(2)]
    (found,) = audit(samples(rows, [" ".join(words) for words in texts]))["label_words"]
    assert found["class_words"]["samples"] == 1


def test_files_groups_and_source_videos():
    names = ["abcdefghij0_000010_000020", "abcdefghij0_30", "-bcdefghij0_1", "b", "c"]
    sides = ["train", "test", "test", "train", "test"]
    rows = [
        row(n, "xyxyx"[n], sides[n], ["g", "g", "h", "i", "i"][n], text="", image=f"{name}.png")
        for n, name in enumerate(names)
    ]
    sums = {"b.png": "1", "c.png": "1", f"{names[0]}.png": "2"}
    found = audit(samples(rows, checksums=sums, official=True))
    by = {one["by"]: (one["samples"], one["of"]) for one in found["leaks"]}
    assert by == {"bytes": (1, 3), "source": (1, 3), "group": (2, 3)}
    assert show.in_test(found) == [
        "1 of 3 test image files stand byte for byte in train",
        "1 of 3 test samples are of a source video that stands in train",
        "2 of 3 test samples are of a group that stands in train, as the official list has it",
    ]
    assert [one["by"] for one in found["contradictions"]] == ["bytes", "source"]


def test_words_of_one_class_must_be_more_than_chance_makes():
    rows, texts = [], []
    for number in range(400):
        side, label = ["train", "test"][number >= 300], ["calm", "angry"][number % 2]
        rows.append(row(number, label, side, text="", image=f"{number}.png"))
        words = ["so", "#never" if number % 20 == 1 else "", "angry" if number % 4 < 2 else ""]
        texts.append(" ".join([*words, f"only{number}"]))
    (found,) = audit(samples(rows, texts))["label_words"]
    assert found["class_words"]["samples"] == 100  # every second angry one
    assert found["class_words"]["classes"] == {"angry": {"own": 0.5, "others": 0.5}}
    (word,) = found["pure_words"]
    assert word == {"word": "#never", "class": "angry", "samples": 15, "of": 15}
    assert found["words"] == 3
    assert found["test"] == {"samples": 5, "of": 100, "share": 0.05, "right": 5}
    # One class has 99 % of all samples: a word of it alone says nothing.
    most = [row(n, "xy"[n % 100 == 0], "train", text="", image=str(n)) for n in range(400)]
    (found,) = audit(samples(most, ["of it"] * 400))["label_words"]
    assert found["pure"] == 0


def test_rejects_thin_a_class_and_lose_another():
    every = [row(n, "abbbbbbbbbbcc"[n], "train", text="", image=str(n)) for n in range(13)]
    kept = samples(every[2:11])
    gone = {one.sample_id: "moov atom not found" for one in (*every[:2], *every[11:])}
    manifest = Manifest(None, (), kept.manifest.modalities, every)
    told = Samples(
        "made", manifest, kept.rows, kept.sides, {}, kept.traces, kept.things, rejects=gone
    )
    found = audit(told)["rejects"]
    assert (found["samples"], found["of"], found["lost"]) == (4, 13, ["a", "c"])
    assert found["thinned"] == {"b": {"samples": 1, "of": 10}}


def test_raters_by_label_or_its_first_letter():
    votes = ["A", "Calm:A", "C", ""]
    rows = [
        row(n, "Angry" if n % 2 else "Calm", "test", text="", image=str(n), FaceVote=votes[n])
        for n in range(4)
    ]
    told = samples(rows)
    told.manifest.__dict__["columns"] = ("text", "image", "FaceVote")
    (found,) = audit(told)["raters"]
    assert found["sides"]["test"] == {"samples": 3, "agree": 1, "share": 0.333333} | {
        "ties": 1,
        "among": 2,
    }
    assert found["ids"] == ["s0"]


def test_pictures_that_look_the_same_by_another_way_of_counting():
    random = np.random.default_rng(0)
    made = [random.random(600) < 0.4 for _ in range(1200)]
    made[700] = made[3].copy()
    flips = random.permutation(600)[:6]
    made[700][flips] ^= True
    keys = near.keys([Trace(str(n), np.packbits(bits)) for n, bits in enumerate(made)])
    assert keys[700] == keys[3]
    assert len(set(keys)) == 1199

    def distance(a, b):
        return (made[a] ^ made[b]).sum() / (made[a].sum() + made[b].sum())

    pairs = {(a, b) for a in range(690, 710) for b in range(a) if distance(a, b) <= near.TOLERANCE}
    assert pairs == {(700, 3)}


def test_a_picture_encoded_again_is_known_and_another_is_not(tmp_path):
    def pictures(source, *how):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.mkv"
        subprocess.run(
            [binary(), "-v", "error", "-f", "lavfi", "-i", source, *how, str(path)], check=True
        )
        command = [binary(), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24"]
        raw = subprocess.run([*command, "-"], check=True, capture_output=True).stdout
        return np.frombuffer(raw, np.uint8).reshape(-1, 96, 128, 3)

    film = "testsrc2=s=128x96:r=5:d=0.6"
    plain = trace(pictures(film, "-c:v", "ffv1"), 255)
    again = trace(pictures(film, "-c:v", "libx264", "-crf", "22"), 255)
    other = trace(pictures("mandelbrot=s=128x96:r=5", "-frames:v", "3", "-c:v", "ffv1"), 255)
    assert plain.same != again.same
    assert len(set(near.keys([plain, again, other]))) == 2


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.full((3, 8, 8, 3), 16), "black"),
        (np.full((3, 8, 8, 3), (200, 10, 10)), "constant"),
        (np.stack([np.arange(192).reshape(8, 8, 3)] * 3), "still"),
        (np.arange(576).reshape(3, 8, 8, 3) % 251, ""),
    ],
)
def test_pictures_with_nothing_in_them(values, word):
    found = trace(values.astype(np.uint8), 255)
    assert found.empty == word
    assert bool(found.same) == (word in ("", "still"))


def wav(path, sound):
    data = (32767 * sound).astype("<i2").tobytes()
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


PARAMS = """
datasets:
  mine:
    download: {folder: own}
    modalities:
      image: {kind: image, size: 16}
      sound: {kind: sound, rate: 8000, seconds: 0.1, n_fft: 128, hop: 64}
    split: {SPLIT}
methods: {from_scratch: {joint: {}}}
seeds: [0]
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with a sound that is the same on two sides, a silent one and a long one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    (tmp_path / "own").mkdir()
    random = np.random.default_rng(0)
    lines = ["sample_id,label,split,group,image,sound"]
    for number in range(16):
        pixels = random.integers(0, 255, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(f"own/{number}.png")
        length = 3200 if number == 3 else 800
        sound = random.uniform(-0.5, 0.5, length) * (number != 5)
        wav(tmp_path / f"own/{number}.wav", sound)
        side = ["train", "train", "val", "test"][number // 2 % 4]
        lines.append(f"s{number},c{number % 2},{side},,{number}.png,{number}.wav")
    shutil.copy("own/0.wav", "own/7.wav")
    (tmp_path / "own/manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def params(own, split):
    (own / "params.yaml").write_text(PARAMS.replace("{SPLIT}", split))


def stages(*names):
    return [cli.main([name, "--dataset", "mine"]) for name in names]


def test_a_file_on_two_sides_of_ones_own_data_ends_stage_split(own, capsys):
    params(own, "{}")
    assert stages("download", "extract", "split") == [0, 0, 2]
    told = capsys.readouterr().err.splitlines()[-1]
    assert "'media/7.wav' of 's7' (test) is the same file as 'media/0.wav' of 's0' (train)" in told
    assert "split.allow_leaks: true" in told
    assert cli.main(["audit", "own"]) == 2
    assert "'7.wav' of 's7'" in capsys.readouterr().err.splitlines()[-1]
    assert cli.main(["check", "own"]) == 2
    assert "'sound': 1 file(s) or text(s) belong to samples on two" in capsys.readouterr().out


def test_the_stage_and_the_verb_find_the_same_in_project_and_folder(own, capsys):
    params(own, "{allow_leaks: true}")
    assert stages("download", "extract", "split", "audit") == [0, 0, 0, 0]
    found = json.loads((own / "results/audit/mine.json").read_text())
    assert found.pop("record_digest")
    assert [one["by"] for one in found["leaks"]] == ["bytes", "content"]
    assert found["leaks"][0]["ids"] == [["s7", "s0"]]
    assert (found["leaks"][0]["samples"], found["leaks"][0]["of"]) == (1, 4)
    assert [(one["by"], one["contents"]) for one in found["contradictions"]] == [
        ("bytes", 1),
        ("content", 1),
    ]
    (silent,) = found["constant"]
    assert (silent["how"], silent["modality"], silent["ids"]) == ("silent", "sound", ["s5"])
    (cut,) = found["cut"]
    assert (cut["ids"], cut["samples"], cut["most"]) == (["s3"], 1, 0.75)  # 0.1 of 0.4 s
    capsys.readouterr()
    told = []
    for target in ("mine", "own"):
        assert cli.main(["audit", target, "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == found
    assert told[1] | {"dataset": "mine"} == found
    assert cli.main(["audit", "mine"]) == 0
    out = capsys.readouterr().out
    assert "leak: 1 of 4 test sound files stand byte for byte in train\n" in out
    assert cli.main(["check", "own"]) in (0, 2)
    assert "note: modality 'sound': 1 file(s) or text(s) belong" in capsys.readouterr().out


def test_what_is_neither_a_data_set_nor_a_folder(own, capsys):
    params(own, "{}")
    assert cli.main(["audit", "mime"]) == 2
    assert "'mime' is no folder and no data set of params.yaml (mine)" in capsys.readouterr().err


def test_what_the_augmentation_leaves_out_is_said_by_stage_and_verb(own, capsys):
    params(own, "{allow_leaks: true}\n    augment: {image: {crop: {size: 12, scale: null}}}")
    assert stages("download", "extract", "split", "audit") == [0, 0, 0, 0]
    found = json.loads((own / "results/audit/mine.json").read_text())
    pictures = [one for one in found["cut"] if one["modality"] == "image"]
    assert [(one["how"], one["by"]) for one in pictures] == [
        ("area", "training"),
        ("area", "evaluation"),
    ]
    assert pictures[0]["samples"] == pictures[0]["of"] == 16
    assert pictures[0]["mean"] == pictures[0]["most"] == 0.4375  # 1 - (12 / 16)^2
    capsys.readouterr()
    assert cli.main(["audit", "mine"]) == 0
    said = (
        "image: augment leaves out 43.8 % of the area of every sample in evaluation, 43.8 % at most"
    )
    assert said in capsys.readouterr().out
