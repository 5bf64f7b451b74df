"""Stage extract in parts: the same bytes, and a killed part costs one shard."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_extract_split import (
    TABLES,
    damage,
    kill_after_a_shard,
    make,
    rejects,
    results,
    settings,
)

from equipoise import cli, layout, vouch
from equipoise.errors import UserError
from equipoise.extraction import source
from equipoise.modalities.base import readers
from equipoise.modalities.sample import read_sample
from equipoise.params import ExtractJob
from equipoise.stages import extract
from equipoise.stages.job import Job
from equipoise.store import shards
from equipoise.store.features import FeatureStore

SETTINGS = settings(shard_rows=2)  # twelve clips: six shards
WHOLE = Job("extract", "toy", threads=1)


def parted(parts):
    return settings(shard_rows=2, parts=parts)


def part(number):
    return Job("extract", "toy", threads=1, part=number)


@pytest.fixture
def raw(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make(tmp_path, clips)


@pytest.fixture
def made(monkeypatch):
    """Names of the shards that are made, in order."""
    names, write = [], shards.write

    def note(path, shard):
        names.append(path.name)
        write(path, shard)

    monkeypatch.setattr(shards, "write", note)
    return names


def test_every_shard_belongs_to_one_part(raw):
    for parts in (1, 2, 4, 6, 9):
        opened = source.open_source("toy", parted(parts))
        numbers = [list(opened.numbers(part)) for part in range(parts)]
        assert sorted(number for some in numbers for number in some) == list(range(6))
        assert max(map(len, numbers)) - min(map(len, numbers)) <= 1
        assert sum(opened.shard(number)[1] for some in numbers for number in some) == 12


def test_same_bytes_whatever_the_parts(raw, made):
    damage(raw, 3)
    extract.run(WHOLE, SETTINGS)
    whole, made[:] = results(), []
    for parts in (4, 8):  # of eight parts two are empty
        for path in layout.features("toy").values():
            path.unlink()
        for number in reversed(range(parts)):
            extract.run(part(number), parted(parts))
        assert not layout.features("toy")["features"].exists()
        assert sorted(made) == [f"{number:06d}.npz" for number in range(6)]
        made.clear()
        extract.run(WHOLE, parted(parts))
        assert made == [], "the job that joins decodes nothing again"
        assert results() == whole
        assert [row["sample_id"] for row in rejects()] == ["s3"]
    record = vouch.read(layout.part("toy", "1"), "")
    numbers = {"part": 1, "parts": 8, "shards": 1, "rows": 2, "rejects": 1}
    assert record == {"dataset": "toy", **numbers, vouch.OWN: record[vouch.OWN]}


def test_parts_of_jpeg_give_the_same_bytes_and_less(raw):
    """One clip is refused; what is stored is what a clip alone gives."""
    damage(raw, 3)
    extract.run(WHOLE, SETTINGS)
    plain = layout.features("toy")["features"].stat().st_size
    tables = TABLES | {"video": TABLES["video"] | {"size": 96, "store": "jpeg", "quality": 85}}
    extract.run(WHOLE, settings(tables, shard_rows=2))
    whole = results()
    record = json.loads(layout.features("toy")["record"].read_text())
    assert record["types"] == {"video": "jpeg", "audio": "float16"}
    assert record["shapes"]["video"] == [3, 96, 96, 3]
    assert layout.features("toy")["features"].stat().st_size < plain + 11 * 3 * 96 * 96 * 3 / 4
    for path in layout.features("toy").values():
        path.unlink()
    for number in (2, 0, 1):
        extract.run(part(number), settings(tables, shard_rows=2, parts=3))
    extract.run(WHOLE, settings(tables, shard_rows=2, parts=3))
    assert results() == whole
    (clip,) = (raw / "media").glob("05.*")
    alone = read_sample(readers({"video": tables["video"]}), {"video": clip})["video"].array
    with FeatureStore(layout.features("toy")["features"]) as store:
        assert np.array_equal(store.row("video", 4), alone)


def test_shards_that_no_part_made_are_made_by_the_join(raw, made, caplog):
    extract.run(WHOLE, SETTINGS)
    whole, made[:] = results(), []
    extract.run(part(1), parted(3))
    (damaged, _) = sorted(Path("state/extract/toy").glob("*/*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    made.clear()
    extract.run(WHOLE, parted(3))
    assert made == [f"{number:06d}.npz" for number in (0, 1, 2, 3, 5)]
    assert "5 of 6 shards were made by no part" in caplog.text
    assert results() == whole


def test_a_part_looks_at_its_own_media_only(raw):
    (raw / "media/02.flv").unlink()  # of shard 1
    extract.run(part(0), parted(3))
    with pytest.raises(UserError, match=r"1 media file\(s\) are missing, first row 4: 'media/02"):
        extract.run(part(1), parted(3))


def test_a_part_that_is_not_there_is_refused(raw, capsys):
    with pytest.raises(UserError, match=r"toy: no part 3: extract.parts is 3, the last one 2"):
        extract.run(part(3), parted(3))
    told = ExtractJob.model_dump_json(parted(3))
    command = ["extract", "--dataset", "toy", "--settings", told, "--threads", "1"]
    assert cli.main([*command, "--part", "3"]) == 2
    assert "no part 3" in capsys.readouterr().err
    assert cli.main([*command, "--part", "2"]) == 0
    assert layout.part("toy", "2").exists()


def test_too_many_rejects_in_one_part(raw):
    damage(raw, 0, 1, 6)  # shards 0 and 3: the first of three parts
    with pytest.raises(UserError, match=r"3 of 12 clips .*rejects0\.csv"):
        extract.run(part(0), parted(3))
    extract.run(part(1), parted(3))
    with pytest.raises(UserError, match="3 of 12 clips"):
        extract.run(WHOLE, parted(3))


def test_a_killed_part_costs_one_shard(raw, made):
    extract.run(WHOLE, SETTINGS)
    whole, made[:] = results(), []
    kill_after_a_shard("test_extract_parts", "part(0), parted(2)")
    before = {path.name for path in Path("state").glob("extract/toy/*/0*.npz")}
    assert "000000.npz" in before
    extract.run(part(0), parted(2))
    assert {*made, *before} == {"000000.npz", "000002.npz", "000004.npz"}
    assert not before & set(made)
    extract.run(part(1), parted(2))
    extract.run(WHOLE, parted(2))
    assert results() == whole
