"""The bytes of every output of a small run are those of ``tests/snapshot.json``.

A change of a result is then seen in the commit that makes it. Two kinds of files:

- what no floating-point arithmetic goes into is the same on every machine;
- the rest is the same on one kind of CPU only (vector instructions, PyTorch's version, and those of
  the packages that envs/constraints.txt pins): the list
  has one column for each kind it was written on, and on another kind nothing is compared.

:data:`MAY_DIFFER` names what differs from run to run. ``python tests/test_snapshot.py`` writes the
column of this machine anew; say in the commit why it changed.
"""

import fnmatch
import json
import os
import platform
import tempfile
from pathlib import Path

import pytest
import small_run
import torch

from equipoise import cli, files

LIST = Path(__file__).with_name("snapshot.json")
#: Files that hold measured seconds (docs/decisions/0008-timing-in-metrics.md), what tells of
#: them and of the commit, and pictures.
MAY_DIFFER = (
    *("results/evaluate/*/metrics.json", "results/report.html", "results/ro-crate-metadata.json"),
    "results/gap/*.png",
)
#: The same on every machine.
EXACT = ("data/raw/*/manifest.csv", "data/splits/*", "data/features/*/rejects.csv")


def kind() -> str:
    """What decides the last digits of floating-point numbers."""
    parts = (torch.backends.cpu.get_cpu_capability(), f"torch {torch.__version__.split('+')[0]}")
    return ", ".join([platform.machine(), *parts])


def run(folder: Path) -> dict[str, str]:
    """Run the graph in a folder; returns path to sha256 of every output that is to be compared."""
    small_run.make(folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for command in small_run.WRITING:
            if command[0] not in ("card", "predict", "params"):
                assert cli.main(command) == 0, command
        tops = (Path("data"), Path("models"), Path("results"))
        paths = sorted(p for top in tops for p in top.rglob("*") if p.is_file())
        return {str(path): files.sha256(path) for path in paths if not named(path, MAY_DIFFER)}
    finally:
        os.chdir(before)


def named(path: Path | str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(str(path), pattern) for pattern in patterns)


def test_every_output_has_the_bytes_of_the_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    found, listed = run(tmp_path), json.loads(LIST.read_text(encoding="utf-8"))
    exact = {path: value for path, value in found.items() if named(path, EXACT)}
    assert exact == listed["every machine"]
    assert sorted(found) == listed["outputs"], "other outputs than before"
    if kind() not in listed:
        pytest.skip(f"no column for {kind()}: its exact files were compared, no others")
    assert {path: value for path, value in found.items() if path not in exact} == listed[kind()]


if __name__ == "__main__":
    os.environ["MLFLOW_TRACKING_URI"] = ""
    with tempfile.TemporaryDirectory() as made:
        new = run(Path(made))
    table = json.loads(LIST.read_text(encoding="utf-8")) if LIST.exists() else {}
    table["outputs"] = sorted(new)
    table["every machine"] = {path: value for path, value in new.items() if named(path, EXACT)}
    table[kind()] = {p: value for p, value in new.items() if p not in table["every machine"]}
    files.write_json(LIST, table)
