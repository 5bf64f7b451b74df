"""kinetics_sounds: the real lists by their counts, a miniature through the stages."""

import json
from collections import Counter

import miniature
import pytest

from equipoise.data.datasets import kinetics_sounds
from equipoise.errors import UserError

ENTRY = {
    "modalities": {
        "video": {"kind": "frames", "pick": {"even": 1}, "size": 8},
        "audio": {"kind": "sound", "rate": 8000, "seconds": 0.3, "n_fft": 64, "hop": 64},
    },
    "encoders": {"video": "conv_frames", "audio": "conv_spectrogram"},
}


def real(name, side="train"):
    lines = miniature.real(f"kinetics-sounds-{name}")
    return (
        kinetics_sounds.parse_json(lines)
        if name == "bml"
        else kinetics_sounds.parse(lines, side, name)
    )


def test_counts_of_the_real_lists():
    bml = real("bml")
    assert Counter(item.split for item in bml) == {"train": 14799, "val": 1320, "test": 2597}
    label = {item.sample_id: (item.label, item.split) for item in bml}
    assert len(label) == len(bml) and {name for name, _ in label.values()} == set(
        kinetics_sounds.CLASSES
    )
    for side, rows in (("train", 14799), ("test", 2597)):
        ogm = real(f"ogm-ge-{side}", side)
        assert len(ogm) == rows
        assert all(label[item.sample_id] == (item.label, side) for item in ogm)
    for side, rows in (("train", 14675), ("test", 2594)):
        tcmax = real(f"tcmax-{side}", side)  # that of train begins with a byte order mark
        assert len(tcmax) == rows
        assert all(label[item.sample_id] == (item.label, side) for item in tcmax)


def test_ids_of_the_real_lists():
    train = real("ogm-ge-train")
    assert sum("_" in item.group for item in train) == 2241
    assert sum(item.group.startswith("-") for item in train) == 290
    per_class = Counter(item.label for item in train)
    assert min(per_class.items(), key=lambda pair: pair[1]) == ("stomping_grapes", 197)
    assert max(per_class.values()) == 690


def test_classes_are_in_the_order_of_the_alphabet():
    assert list(kinetics_sounds.CLASSES) == sorted(kinetics_sounds.CLASSES)
    assert {n: len(set(c)) for n, c in kinetics_sounds.VARIANTS.items()} == {
        "31": 31,
        "32": 32,
        "33": 33,
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_b-c_d_e_f_000058_000068", "a_b-c_d_e_f_000058_000068"),
        ("-3Mwkq-7TV4_2", "-3Mwkq-7TV4_000002_000012"),
        ("-74csnCOiUs_0", "-74csnCOiUs_000000_000010"),
        ("-74csnCOiUs_000000_000010", "-74csnCOiUs_000000_000010"),
        ("___________12_1", None),
        ("abc_1", None),
    ],
)
def test_spellings_of_a_clip(name, expected):
    if expected is None:
        with pytest.raises(ValueError):
            kinetics_sounds.item(name, "bowling", "train")
    else:
        found = kinetics_sounds.item(name, "bowling", "train")
        assert (found.sample_id, found.group) == (expected, expected[:11])
        assert found.media["video"] == f"{expected}.mp4"


@pytest.mark.parametrize("line", ["abcdefghijk_1,10,31", "abcdefghijk_1", "abcdefghijk_1,juggling"])
def test_a_bad_line_is_named(line):
    with pytest.raises(UserError, match="mine: line 2: "):
        kinetics_sounds.parse(["abcdefghijk_1,10,0", line], "train", "mine")


def clips(side):
    """Names with and without zeros, as in the lists, to class and file."""
    count = {"train": 8, "val": 4, "test": 4}[side]
    start = {"train": 1, "val": 20, "test": 30}[side]
    found = {}
    for number in range(start, start + count):
        video = f"-_{number:02d}_{side:_>6}"
        short = f"{video}_{number}"
        long = f"{video}_{number:06d}_{number + 10:06d}"
        found[long if side == "train" else short] = (("bowling", "singing")[number % 2], long)
    return found


@pytest.mark.parametrize("name", ["bml", "ogm_ge"])
def test_a_miniature_through_the_stages(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    database, number = {}, 0
    for side, subset in (("train", "training"), ("val", "validation"), ("test", "testing")):
        text = ""
        for clip, (label, file) in clips(side).items():
            number += 1
            miniature.clip(tmp_path / f"k400/{side}/{label}/{file}.mp4", number)
            text += f"{clip},10,{kinetics_sounds.CLASSES.index(label)}\r\n"
            database[clip] = {"subset": subset, "label": label}
        if side != "val":
            lists.put(f"kinetics-sounds-ogm-ge-{side}", text)
    lists.put("kinetics-sounds-bml", json.dumps({"labels": [], "database": database}))
    entry = ENTRY | {"download": {"media": "k400", "list": name}, "split": {"val_fraction": 0.5}}
    sides = miniature.one_epoch("kinetics_sounds", entry)
    expected = {"train": 8, "val": 4, "test": 4} if name == "bml" else None
    assert Counter(sides.values()) == (expected or {"train": 4, "val": 4, "test": 4})
    row = miniature.table("kinetics_sounds")[-1]
    assert row["video"] == f"media/test/{row['label']}/{row['sample_id']}.mp4"
