import datetime
import hashlib
import json
import os
from pathlib import Path

import made_up_results as made_up
import pytest
from made_up_results import Grid

from equipoise import __version__, layout, provenance
from equipoise.stages import compare
from equipoise.stages.job import Job

GRID = Grid(methods=("joint", "gmm"), seeds=(0, 1))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    made_up.write(GRID)


def made() -> dict[str, dict]:
    """Run stage compare; return @id to entity."""
    compare.run(Job("compare"), GRID.settings())
    document = json.loads(layout.compare()["crate"].read_text(encoding="utf-8"))
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    graph = document["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    assert len(entities) == len(graph), "an @id stands there twice"
    return entities


def references(value) -> list[str]:
    if isinstance(value, list):
        return [name for inner in value for name in references(inner)]
    return [value["@id"]] if isinstance(value, dict) else []


def test_descriptor_and_root_are_those_of_ro_crate_1_1():
    entities = made()
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset"
    assert root["name"] and root["description"]
    assert datetime.date.fromisoformat(root["datePublished"])


def test_whatever_is_referred_to_is_described():
    entities = made()
    outside = {"https://w3id.org/ro/crate/1.1", "https://spdx.org/licenses/Apache-2.0"}
    for entity in entities.values():
        assert entity["@type"]
        named = {
            name for key, value in entity.items() if key != "@id" for name in references(value)
        }
        assert named <= set(entities) | outside


def test_every_file_of_the_grid_with_size_and_checksum():
    entities = made()
    parts = references(entities["./"]["hasPart"])
    results = Path("results")
    there = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}
    assert set(parts) == there - {"ro-crate-metadata.json"}
    assert "evaluate/keypad/gmm/seed1/predictions.csv" in parts
    for name in parts:
        content = (results / name).read_bytes()
        assert entities[name]["@type"] == "File"
        assert entities[name]["contentSize"] == str(len(content))
        assert entities[name]["sha256"] == hashlib.sha256(content).hexdigest()


def test_what_made_them_from_which_data_with_which_parameters():
    entities = made()
    action = entities["#run"]
    assert action["@type"] == "CreateAction"
    assert "report.html" in references(action["result"])
    workflow = entities["#workflow"]
    assert workflow["@id"] in references(action["instrument"])
    assert workflow["version"] == (provenance.code().commit or "unknown")
    assert entities["#software-equipoise"]["softwareVersion"] == __version__
    assert entities["#software-torch"]["softwareVersion"] == provenance.versions()["torch"]
    assert "#data-keypad" in references(action["object"])
    identifier = entities["#data-keypad"]["identifier"]
    assert identifier == f"sha256:{provenance.data_hash('keypad') or 'unknown'}"
    values = {e["name"]: e["value"] for e in entities.values() if e["@type"] == "PropertyValue"}
    assert values["compare.baseline"] == "joint"
    assert values["seeds"] == "[0, 1]"
    model = json.loads(layout.train("keypad", "joint", "0")["model"].read_text())
    assert values["keypad.all methods.train.epochs"] == model["settings"]["train"]["epochs"]


def test_the_day_is_that_of_the_commit_or_of_the_newest_input(monkeypatch):
    monkeypatch.setattr(provenance, "day", lambda: "2024-02-29")
    assert made()["./"]["datePublished"] == "2024-02-29"
    monkeypatch.setattr(provenance, "day", lambda: "")
    for path in Path("results").rglob("*"):
        os.utime(path, (0, 0))
    os.utime(layout.evaluate("keypad", "joint", "1")["metrics"], (86400 * 366, 86400 * 366))
    assert made()["./"]["datePublished"] == "1971-01-02"
