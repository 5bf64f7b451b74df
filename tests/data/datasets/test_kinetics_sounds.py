"""kinetics_sounds: the real lists by their counts, a miniature through the stages."""

import gzip
import io
import json
import tarfile
from collections import Counter
from types import SimpleNamespace

import miniature
import pytest
from misbehaving_server import Server, content, in_turn, ranged

from equipoise.data import body, kinetics, room, sources
from equipoise.data.datasets import kinetics_sounds
from equipoise.data.sources import StreamSource
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


def packed(*paths, prefix="./"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for path in paths:
            tar.add(path, prefix + path.name)
    return file.getvalue()


@pytest.fixture(scope="module")
def made_clips(tmp_path_factory):
    """Side to 8, 4 and 4 clips."""
    folder, made = tmp_path_factory.mktemp("made"), {}
    for side in ("train", "val", "test"):
        made[side] = [folder / f"{file}.mp4" for _, file in clips(side).values()]
        for number, path in enumerate(made[side], 10 * len(made)):
            miniature.clip(path, number)
    return made


@pytest.fixture
def cvdf(tmp_path, monkeypatch, made_clips):
    """The owner's server: texts with addresses, two archives of train, one of val and of test."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    database, made = {}, made_clips
    for side, subset in (("train", "training"), ("val", "validation"), ("test", "testing")):
        for clip, (label, _) in clips(side).items():
            database[clip] = {"subset": subset, "label": label}
    lists.put("kinetics-sounds-bml", json.dumps({"labels": [], "database": database}))
    other = tmp_path / "zzzzzzzzzzz_000001_000011.mp4"
    other.write_bytes(b"a clip of another class")
    broken = tmp_path / "broken" / made["train"][0].name
    broken.parent.mkdir()
    broken.write_bytes(b"no moov atom")
    with Server().running() as server:
        at = f"{server.root}/kinetics/400"
        parts = {"train": [packed(broken, other, *made["train"][1:5]), packed(*made["train"][5:])]}
        parts["train"][1] = gzip.decompress(parts["train"][1])  # as part_120 was: a plain tar
        parts |= {side: [packed(other, *made[side])] for side in ("val", "test")}
        for side, bodies in parts.items():
            names = [f"/kinetics/400/{side}/part_{n}.tar.gz" for n in range(len(bodies))]
            for name, whole in zip(names, bodies, strict=True):
                server.on(name, ranged(whole))
            text = "".join(f"{server.root}{name}\n" for name in names).encode()
            server.on(f"/kinetics/400/{side}/k400_{side}_path.txt", content(text))
        inside = "replacement_for_corrupted_k400/"
        server.on("/kinetics/400/r.tgz", ranged(packed(made["train"][0], other, prefix=inside)))
        holds = {f"kinetics-400-{s}": f"{s}/k400_{s}_path.txt" for s in parts}
        holds["kinetics-400-replacement"] = "r.tgz"

        def stream(name):
            what = "archive" if holds[name].endswith("tgz") else "addresses"
            return StreamSource(urls=[f"{at}/{holds[name]}"], holds=what, licence="none")

        monkeypatch.setattr(sources, "stream", stream)
        monkeypatch.setattr(body, "PAUSE", 0.0)
        yield server


STREAMED = ENTRY | {
    "download": {"media": "k400", "stream": True},
    "split": {"val_fraction": 0.5},
}


def test_clips_are_streamed_out_of_the_archives(cvdf, tmp_path, made_clips):
    first, second = (f"/kinetics/400/train/part_{n}.tar.gz" for n in range(2))
    whole = cvdf.answers[first]
    cvdf.answers[first] = in_turn(lambda handler: handler.close_connection, whole)
    sides = miniature.one_epoch("kinetics_sounds", STREAMED)
    assert Counter(sides.values()) == {"train": 8, "val": 4, "test": 4}
    there = sorted((tmp_path / "k400").rglob("*.mp4"))
    assert {path.name: path.read_bytes() for path in there} == {
        path.name: path.read_bytes() for paths in made_clips.values() for path in paths
    }
    assert [path.parent.name for path in there].count("replacement") == 1  # not the broken one
    (tmp_path / "k400/train" / sorted(clips("train"))[7]).with_suffix(".mp4").unlink()
    cvdf.asked.clear()
    settings = kinetics_sounds.Settings(**STREAMED["download"])
    kinetics_sounds.download(tmp_path / "again", settings)
    assert [path for path, _ in cvdf.asked] == [
        first.replace("part_0.tar.gz", "k400_train_path.txt"),
        second,
    ]
    cvdf.asked.clear()
    kinetics_sounds.download(tmp_path / "again", settings)
    assert cvdf.asked == []


def test_an_archive_that_is_lost_leaves_its_clips_absent(cvdf, tmp_path):
    cvdf.on("/kinetics/400/val/part_0.tar.gz", content(b"<html>quota</html>"))
    settings = kinetics_sounds.Settings(**STREAMED["download"])
    with pytest.raises(
        UserError, match=r"4 of 16 listed .*/val/part_0\.tar\.gz: a web page"
    ) as caught:
        kinetics_sounds.download(tmp_path / "raw", settings)
    assert "\n" not in str(caught.value)
    assert len(list((tmp_path / "k400").rglob("*.mp4"))) == 12


def test_a_server_out_of_reach_ends_it(cvdf, tmp_path):
    text = "".join(f"{cvdf.root}/lost_{n}.tar.gz\n" for n in range(9)).encode()
    cvdf.on("/kinetics/400/train/k400_train_path.txt", content(text))
    with pytest.raises(UserError, match=r"3 archives in a row cannot be read, last .*lost_2"):
        kinetics_sounds.download(tmp_path, kinetics_sounds.Settings(**STREAMED["download"]))


def test_room_is_looked_at_before(cvdf, tmp_path, monkeypatch):
    free = SimpleNamespace(free=16 * kinetics.MEAN_BYTES - 1)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: free)
    with pytest.raises(UserError, match="about 24000000 bytes are still to come, 23999999"):
        kinetics_sounds.download(tmp_path, kinetics_sounds.Settings(**STREAMED["download"]))
    assert cvdf.asked == []
    with pytest.raises(UserError, match=r"name with download\.media the folder"):
        kinetics_sounds.download(tmp_path, kinetics_sounds.Settings(stream=True))


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
