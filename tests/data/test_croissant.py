"""The Croissant card: read by the library of others, and what that library does not notice."""

import csv
import json
import os
import shutil
from pathlib import Path

import h5py
import pytest
import small_run

from equipoise import cli, files, layout
from equipoise.data import croissant
from equipoise.errors import UserError

CARD = layout.card("mine")


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """A project whose data set has been extracted and split; one picture of it is damaged."""
    folder = tmp_path_factory.mktemp("card")
    small_run.make(folder)
    (folder / "own/5.png").write_bytes((folder / "own/5.png").read_bytes()[:60])
    before = Path.cwd()
    os.chdir(folder)
    try:
        for stage in ("download", "extract", "split"):
            assert cli.main([stage, *small_run.DATA]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def project(extracted, tmp_path, monkeypatch):
    shutil.copytree(extracted / "data", tmp_path / "data", symlinks=True)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["card", "mine"]) == 0
    return tmp_path


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def changed(change):
    card = json.loads(CARD.read_text())
    change(card)
    files.write_json(CARD, card)
    return list(croissant.problems(CARD))


def test_the_card_names_every_file_by_its_content(project):
    card = json.loads(CARD.read_text())
    found = {entry["@id"]: entry for entry in card["distribution"]}
    assert set(found) == {"manifest.csv", "split.csv", "rejects.csv", "features.h5"}
    for entry in found.values():
        path = CARD.parent / entry["contentUrl"]
        assert entry["sha256"] == files.sha256(path)
        assert entry["contentSize"] == f"{path.stat().st_size} B"
    assert list(croissant.problems(CARD)) == []
    (modality,) = [
        row
        for table in card["recordSet"]
        for row in table.get("data", [])
        if row.get("modalities/name") == "sound"
    ]
    with h5py.File(layout.features("mine")["features"]) as store:
        array = store[modality["modalities/array"]]
        assert " ".join(map(str, array.shape[1:])) == modality["modalities/shape"]
        assert str(array.dtype) == modality["modalities/type"]


def test_the_same_bytes_when_made_again(project):
    first = CARD.read_bytes()
    CARD.unlink()
    assert croissant.write("mine").read_bytes() == first


def test_every_record_set_is_read_by_mlcroissant(project):
    library = pytest.importorskip("mlcroissant", reason="pip install mlcroissant")
    dataset = library.Dataset(str(CARD))
    assert not dataset.metadata.ctx.issues.errors

    def read(name):
        found = [
            {key.partition("/")[2]: value for key, value in record.items()}
            for record in dataset.records(name)
        ]
        return [
            {k: v.decode() if isinstance(v, bytes) else v for k, v in row.items()} for row in found
        ]

    names = {table.uuid for table in dataset.metadata.record_sets}
    assert names == {"samples", "subsets", "rejects", "classes", "modalities"}
    manifest = rows(layout.raw("mine")["manifest"])
    assert [{k: v or "" for k, v in row.items()} for row in read("samples")] == manifest
    assert read("subsets") == rows(layout.split("mine")["split"])
    (reject,) = read("rejects")
    assert reject["sample_id"] == "s5" and "own" not in reject["reason"]
    assert read("classes") == [{"name": "c0", "samples": 12}, {"name": "c1", "samples": 11}]
    assert [row["name"] for row in read("modalities")] == ["picture", "sound"]


def test_what_the_library_passes_is_found_here(project):
    layout.split("mine")["split"].write_text("sample_id,side\ns0,train\n")
    layout.features("mine")["rejects"].unlink()
    found = list(croissant.problems(CARD))
    assert found[0] == (
        "data/features/mine/croissant.json: data/splits/mine/split.csv is not the file that the "
        "card names; write the card anew, or restore the file"
    )
    assert "data/features/mine/rejects.csv is missing" in found[1]
    assert any("split.csv has no column 'subset'" in line for line in found)
    assert any("rejects.csv has no column 'reason'" in line for line in found)


def test_wrong_names_and_checksums_in_the_card_are_found(project):
    def swap(card):
        one, two = card["distribution"][:2]
        one["sha256"], two["sha256"] = two["sha256"], one["sha256"]

    assert len(changed(swap)) == 2
    assert cli.main(["card", "mine"]) == 0

    def rename(card):
        card["recordSet"][0]["field"][1]["source"]["extract"]["column"] = "lable"
        card["recordSet"][0]["field"][2]["@id"] = "samples/label"
        card["recordSet"][-1]["data"][0]["modalities/nmae"] = "x"

    found = changed(rename)
    assert [line.partition(": ")[2] for line in found] == [
        "manifest.csv has no column 'lable'; write the card anew, or restore the file",
        "field 'samples/label' is twice there, or not of its record set",
        "a record of 'modalities' has 'modalities/nmae', which is no field",
    ]
    files.write_json(CARD, {"distribution": [{}]})
    with pytest.raises(UserError, match="has no 'contentUrl'; equipoise card"):
        list(croissant.problems(CARD))


def test_a_stage_that_has_not_run_is_named(project, capsys):
    layout.split("mine")["split"].unlink()
    assert cli.main(["card", "mine"]) == 2
    assert "split.csv: no such file; make it: snakemake" in capsys.readouterr().err
    assert cli.main(["card", "yours"]) == 2
    assert "data/features/yours/extract.json: no such file; run stage extract" in (
        capsys.readouterr().err
    )
