"""Stages extract and split, from media files to features.h5 and split.csv."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from equipoise import files, layout
from equipoise.data.check import check
from equipoise.errors import UserError
from equipoise.extraction import source
from equipoise.media.damage import Tolerance
from equipoise.modalities.base import readers
from equipoise.modalities.sample import read_sample
from equipoise.params import Extract, ExtractJob, SplitJob
from equipoise.stages import extract, split
from equipoise.stages.job import Job
from equipoise.store import shards
from equipoise.store.features import FeatureStore

JOB = Job("extract", "toy", threads=2)
TABLES = {
    "video": {"kind": "frames", "column": "video", "pick": {"even": 3}, "size": 16},
    "audio": {"kind": "sound", "column": "audio", "rate": 8000, "seconds": 0.2, "hop": 128},
}


def settings(tables=TABLES, **extract):
    values = {"shard_rows": 5, "max_reject_fraction": 0.2, **extract}
    return ExtractJob(extract=Extract(**values), modalities=tables)


SETTINGS = settings()


def decode(sources):
    """Arrays of some modalities of one sample."""
    how = readers({name: TABLES[name] for name in sources})
    return {name: reading.array for name, reading in read_sample(how, sources).items()}


SOURCES = ["plain.mp4", "plain.mkv", "plain.flv", "numbered.mkv"]


def make(folder, clips, count=12, columns=("video", "audio")):
    """A data set ``toy`` as stage download leaves it: classes a and b, groups of two."""
    raw = folder / "data/raw/toy"
    (raw / "media").mkdir(parents=True)
    rows = []
    for number in range(count):
        source = clips / SOURCES[number % len(SOURCES)]
        name = f"media/{number:02d}{source.suffix}"
        (raw / name).write_bytes(source.read_bytes())
        row = {
            "sample_id": f"s{number}",
            "label": "ab"[number % 2],
            "split": ["train", "val", "test"][number // 2 % 3],
            "group": f"g{number // 2}",
        }
        rows.append(row | dict.fromkeys(columns, name))
    files.write_csv(raw / "manifest.csv", list(rows[0]), rows)
    sums(raw)
    return raw


def sums(raw):
    names = sorted(path.relative_to(raw).as_posix() for path in (raw / "media").iterdir())
    files.write_text(
        raw / "media.sha256", "".join(f"{files.sha256(raw / name)}  {name}\n" for name in names)
    )


@pytest.fixture
def raw(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make(tmp_path, clips)


def results():
    return {name: files.sha256(path) for name, path in layout.features("toy").items()}


def rejects():
    with layout.features("toy")["rejects"].open(newline="") as file:
        return list(csv.DictReader(file))


def damage(raw, *numbers):
    for number in numbers:
        (path,) = (raw / "media").glob(f"{number:02d}.*")
        path.write_bytes(path.read_bytes()[:3000])
    sums(raw)


def test_rows_are_those_of_the_manifest_in_order(raw):
    extract.run(JOB, SETTINGS)
    with FeatureStore(layout.features("toy")["features"]) as store:
        assert store.sample_ids == [f"s{n}" for n in range(12)]
        assert store.labels.tolist() == [0, 1] * 6 and store.classes == ["a", "b"]
        assert store.groups[:4] == ["g0", "g0", "g1", "g1"]
        assert store.modalities == ["audio", "video"]
        for number in (0, 5, 11):
            (path,) = (raw / "media").glob(f"{number:02d}.*")
            alone = decode({"video": path, "audio": path})
            for name, array in alone.items():
                assert np.array_equal(store.row(name, number), array)
        assert store.attributes["manifest_sha256"] == files.sha256(raw / "manifest.csv")
        assert store.attributes["media_sha256"] == files.sha256(raw / "media.sha256")
        assert store.tables == TABLES
    record = json.loads(layout.features("toy")["record"].read_text())
    assert (record["manifest_rows"], record["samples"], record["rejects"]) == (12, 12, 0)
    assert record["shapes"] == {"video": [3, 16, 16, 3], "audio": [257, 13]}
    assert rejects() == []
    assert not Path("state/extract/toy").exists()


def test_same_bytes_twice_whatever_the_threads_and_shards(raw):
    extract.run(JOB, SETTINGS)
    first = results()
    extract.run(Job("extract", "toy", threads=1), SETTINGS)
    assert results() == first
    extract.run(JOB, settings(shard_rows=100))
    with h5py.File(layout.features("toy")["features"]) as file:
        video = file["video"][:]
    extract.run(JOB, SETTINGS)
    assert results() == first
    with h5py.File(layout.features("toy")["features"]) as file:
        assert np.array_equal(file["video"][:], video)


def test_rejects_are_listed_and_the_rest_goes_on(raw):
    damage(raw, 3, 6)
    extract.run(JOB, SETTINGS)
    found = rejects()
    assert [row["sample_id"] for row in found] == ["s3", "s6"]
    assert all(row["reason"] for row in found) and found[0]["path"] == "media/03.mkv"
    with FeatureStore(layout.features("toy")["features"]) as store:
        assert store.sample_ids == [f"s{n}" for n in range(12) if n not in (3, 6)]
        alone = decode({"video": raw / "media/07.mkv"})
        assert np.array_equal(store.row("video", 5), alone["video"])  # s7, after two gaps
    record = json.loads(layout.features("toy")["record"].read_text())
    assert record["manifest_rows"] == record["samples"] + record["rejects"] == 12


def test_how_much_may_be_missing_is_a_parameter(raw):
    path = raw / "media/01.mkv"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    sums(raw)
    extract.run(JOB, SETTINGS)
    (found,) = rejects()
    assert found["sample_id"] == "s1" and "truncated" in found["reason"]
    usual = json.loads(layout.features("toy")["record"].read_text())["settings"]["extract"]
    assert "tolerance" not in usual  # it came after many features
    extract.run(JOB, settings(tolerance={"seconds": 0.6, "broken": 0.6}))
    assert rejects() == []
    told = json.loads(layout.features("toy")["record"].read_text())["settings"]["extract"]
    assert told["tolerance"] == {"seconds": 0.6, "share": 0.02, "broken": 0.6}
    tables = {name: dict(table) for name, table in TABLES.items()}
    problems = [str(one) for one in check(raw, tables, 2).problems]
    assert any("01.mkv" in one and "truncated" in one for one in problems)
    allowed = Tolerance(seconds=0.6, broken=0.6)
    assert not any("01.mkv" in str(p) for p in check(raw, tables, 2, tolerance=allowed).problems)


def test_too_many_rejects(raw):
    damage(raw, 0, 1, 2)
    with pytest.raises(UserError, match=r"3 of 12 clips .*max_reject_fraction 0.2 .*rejects.csv"):
        extract.run(JOB, SETTINGS)
    assert not layout.features("toy")["features"].exists()
    (listing,) = Path("state/extract/toy").glob("*/rejects.csv")
    assert listing.read_text().count("\n") == 4


def test_class_without_any_sample(raw):
    damage(raw, 1, 3, 5, 7, 9, 11)
    with pytest.raises(UserError, match="class 'b': none of its clips"):
        extract.run(JOB, settings(max_reject_fraction=1.0))
    assert not layout.features("toy")["features"].exists()


def test_missing_and_changed_media(raw):
    (raw / "media/05.mkv").unlink()
    (raw / "media/07.mkv").unlink()
    with pytest.raises(UserError, match=r"2 media file\(s\) are missing, first row 7: 'media/05"):
        extract.run(JOB, SETTINGS)
    (raw / "media/05.mkv").write_bytes((raw / "media/01.mkv").read_bytes())
    (raw / "media/07.mkv").write_bytes((raw / "media/01.mkv").read_bytes())
    with pytest.raises(UserError, match=r"media/07\.mkv: changed since stage download"):
        extract.run(JOB, SETTINGS)
    (raw / "media.sha256").unlink()
    with pytest.raises(UserError, match="run stage download first"):
        extract.run(JOB, SETTINGS)


@pytest.mark.parametrize("columns", [("video",), ("audio",)])
def test_one_modality_is_enough(clips, tmp_path, monkeypatch, columns):
    monkeypatch.chdir(tmp_path)
    make(tmp_path, clips, 4, columns)
    extract.run(JOB, settings({name: TABLES[name] for name in columns}))
    with FeatureStore(layout.features("toy")["features"]) as store:
        assert store.modalities == list(columns)


def test_only_missing_or_damaged_shards_are_made_again(raw, monkeypatch):
    extract.run(JOB, SETTINGS)
    clean = results()
    kept = Path("kept")
    with monkeypatch.context() as patch:
        patch.setattr(extract.shutil, "rmtree", lambda path: path.rename(kept))
        extract.run(JOB, SETTINGS)
    kept.rename("state/extract/toy")
    first, second, _ = sorted(Path("state/extract/toy").glob("*/*.npz"))
    first.write_bytes(first.read_bytes()[:-100])
    second.unlink()
    made, write = [], shards.write

    def note(path, shard):
        made.append(path)
        write(path, shard)

    monkeypatch.setattr(shards, "write", note)
    extract.run(JOB, SETTINGS)
    assert made == [first, second]
    assert results() == clean


def test_other_libraries_do_not_continue_what_some_began(raw, monkeypatch):
    damage(raw, 0, 1, 2)
    with pytest.raises(UserError, match="cannot be decoded so far"):
        extract.run(JOB, SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(source, "decoder", lambda: "PyAV other")
        with pytest.raises(UserError, match=r"000000\.npz: decoded by PyAV .*, but"):
            extract.run(JOB, SETTINGS)
    monkeypatch.setattr(source, "decoder", lambda: "PyAV other")
    shutil.rmtree("state/extract/toy")
    extract.run(JOB, settings(max_reject_fraction=0.5))
    record = json.loads(layout.features("toy")["record"].read_text())
    with FeatureStore(layout.features("toy")["features"]) as store:
        assert record["decoder"] == store.attributes["decoder"] == "PyAV other"


def test_state_of_other_settings_or_media_is_not_used(raw):
    damage(raw, 0, 1, 2)
    with pytest.raises(UserError):
        extract.run(JOB, SETTINGS)
    assert list(Path("state/extract/toy").glob("*/*.npz"))
    for number in (0, 1, 2):
        (path,) = (raw / "media").glob(f"{number:02d}.*")
        path.write_bytes((raw / "media/03.mkv").read_bytes())
    sums(raw)
    extract.run(JOB, SETTINGS)  # with the shards of the damaged media it would fail again
    assert rejects() == []


def kill_after_a_shard(module, arguments):
    """Run stage extract in a process of its own; end it and its children after the first shard.

    Args:
        module: A test module of this folder, which knows the names in ``arguments``.
        arguments: Of ``extract.run``, as Python.
    """
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"from {module} import *\n"
        f"extract.run({arguments})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(Path("state").glob("extract/toy/*/000000.npz")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_and_resumed_equals_a_clean_run(raw):
    extract.run(JOB, SETTINGS)
    clean = results()
    for path in layout.features("toy").values():
        path.unlink()
    kill_after_a_shard("test_extract_split", "JOB, SETTINGS")
    assert not layout.features("toy")["features"].exists()
    before = list(Path("state").glob("extract/toy/*/*.npz"))
    assert before
    extract.run(JOB, SETTINGS)
    assert results() == clean
    assert sorted(path.name for path in Path("data/features/toy").iterdir()) == [
        "extract.json",
        "features.h5",
        "rejects.csv",
        "samples.json",
    ]


def subsets():
    with layout.split("toy")["split"].open(newline="") as file:
        return {row["sample_id"]: row["subset"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("protocol", ["official", "group_disjoint", "random"])
def test_split_of_what_extract_kept(raw, protocol):
    damage(raw, 3)
    extract.run(JOB, SETTINGS)
    settings = SplitJob(protocol=protocol, val_fraction=0.3, test_fraction=0.3)
    split.run(Job("split", "toy"), settings)
    found = subsets()
    assert list(found) == [f"s{n}" for n in range(12) if n != 3]
    record = json.loads(layout.split("toy")["record"].read_text())
    assert record["protocol"] == protocol
    for side, entry in record["subsets"].items():
        here = [name for name, other in found.items() if other == side]
        assert entry["samples"] == len(here) == sum(entry["classes"].values())
    if protocol == "official":
        assert found["s0"] == "train" and found["s2"] == "val" and found["s4"] == "test"
    if protocol != "random":
        assert record["shared_groups"] == []
        groups = [set(entry["groups"]) for entry in record["subsets"].values()]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 6
    first = {name: files.sha256(path) for name, path in layout.split("toy").items()}
    split.run(Job("split", "toy"), settings)
    assert first == {name: files.sha256(path) for name, path in layout.split("toy").items()}


def test_a_speaker_on_two_sides_stops_the_stage(raw, monkeypatch):
    extract.run(JOB, SETTINGS)
    column = ["train", "val", "test"] * 4
    monkeypatch.setattr(split, "assign", lambda samples, settings: (column, "groups"))
    with pytest.raises(UserError, match="group 'g0' would stand on two sides"):
        split.run(Job("split", "toy"), SplitJob(protocol="group_disjoint"))
    assert not layout.split("toy")["split"].exists()
    split.run(Job("split", "toy"), SplitJob(protocol="official"))  # may share, but says so
    assert json.loads(layout.split("toy")["record"].read_text())["shared_groups"]


def test_split_needs_the_features_of_this_manifest(raw):
    extract.run(JOB, SETTINGS)
    text = (raw / "manifest.csv").read_text()
    (raw / "manifest.csv").write_text(text.replace("g5", "g0"))
    with pytest.raises(UserError, match="run stage extract again"):
        split.run(Job("split", "toy"), SplitJob())


def test_a_modality_that_is_the_same_in_all_training_samples_is_refused(raw, caplog):
    """The sound kept is the silence before what differs: nothing after the split could learn."""
    for path in (raw / "media").iterdir():
        path.write_bytes((raw / "media/00.mp4").read_bytes())
    sums(raw)
    tables = {"audio": TABLES["audio"]}
    with caplog.at_level("WARNING", "equipoise"):
        extract.run(JOB, settings(tables))
    assert "audio: 12 of 12 clips are longer than what is stored" in caplog.text
    with pytest.raises(UserError, match="'audio' is the same in all 4 samples for training"):
        split.run(Job("split", "toy"), SplitJob(protocol="official"))
    assert not layout.split("toy")["split"].exists()
