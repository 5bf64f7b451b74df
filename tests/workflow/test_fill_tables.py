"""``record`` writes out the tables that DVC wants and Snakemake does not."""

import importlib
import sys
from pathlib import Path

from equipoise import params

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = """\
# kept
datasets:
  mine:
    download: {folder: own}  # and this
    modalities: {audio: {kind: sound, rate: 8000, seconds: 0.5}}
methods: {from_scratch: {joint: {}}}
seeds: [0]
train: {learning_rate: 1e-3}
"""


def test_a_minimal_entry_is_filled_in_and_means_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [str(ROOT / "workflow/scripts"), *sys.path])
    fill_tables = importlib.import_module("record_sync").fill_tables
    path = tmp_path / "params.yaml"
    path.write_text(MINIMAL)
    monkeypatch.chdir(tmp_path)
    before = params.load(path)
    fill_tables(path)
    assert params.load(path) == before
    entry = params.read_yaml(path)["datasets"]["mine"]
    assert list(entry) == ["download", "modalities", *list(entry)[2:]]
    assert set(entry) == set(params.DatasetEntry.model_fields)
    text = path.read_text()
    assert "# kept" in text and "# and this" in text and "1e-3" in text
    assert "augment, extract, split, model, train" in capsys.readouterr().out
    fill_tables(path)
    assert path.read_text() == text and not capsys.readouterr().out
