"""The kind that CONTRIBUTING.md shows: its files, as printed, pass the tests of every kind."""

import inspect
import re
import sys
from pathlib import Path

import modality_settings
import numpy as np
import pytest
import test_every_kind as table
import torch

from equipoise import modalities, registry
from equipoise.media.errors import MediaError
from equipoise.modalities.base import reader
from equipoise.modalities.feed import feed

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPE = PAGE.partition("## Add a kind of modality")[2].partition("\n## ")[0]
BLOCK = re.compile(r"^```\w+\n(?:# |<!-- )(\S+)(?: -->)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(BLOCK.findall(RECIPE))
FOLDER, TABLE = "src/equipoise/modalities/clock/", "tests/modalities/modality_settings.py"
ROW = eval(FILES[TABLE].strip().rstrip(","), vars(modality_settings))
TESTS = [
    test
    for name, test in vars(table).items()
    if name.startswith("test_") and "row" in inspect.signature(test).parameters
]
readings = table.readings


@pytest.fixture(autouse=True)
def added(tmp_path, monkeypatch):
    """Put the folder where the registry looks, beside the kinds that are there."""
    package = tmp_path / "modalities"
    for name, text in FILES.items():
        if name.startswith(FOLDER):
            path = package / "clock" / name.removeprefix(FOLDER)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(modalities, "__path__", [*modalities.__path__, str(package)])
    registry.kinds.cache_clear()
    yield
    registry.kinds.cache_clear()
    for name in [n for n in sys.modules if n.startswith("equipoise.modalities.clock")]:
        del sys.modules[name]
    vars(modalities).pop("clock", None)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.__name__.removeprefix("test_"))
def test_it_passes_the_tests_of_the_table(test, readings, tmp_path):
    given = {"row": ROW, "readings": readings, "device": "cpu", "tmp_path": tmp_path}
    test(**{name: given[name] for name in inspect.signature(test).parameters})


def test_it_is_one_folder_and_one_row_and_the_row_is_asked_for(monkeypatch):
    assert {name for name in FILES if not name.startswith(FOLDER)} == {TABLE}
    assert len(FILES[TABLE].strip().splitlines()) == 1
    with pytest.raises(AssertionError):
        table.test_the_table_has_every_kind()
    monkeypatch.setattr(table, "ROWS", [*table.ROWS, ROW])
    table.test_the_table_has_every_kind()


def test_it_does_what_it_says():
    clock = reader("t", "clock", {})
    stored = np.stack([clock.read(cell).array for cell in ("0:00", "6:00", "18:00")])
    np.testing.assert_allclose(stored, [[0, 1], [1, 0], [-1, 0]], atol=1e-6)
    assert clock.show(stored[1]).text == "6.0 h"
    later = {"angle": torch.full((3,), torch.pi / 2)}
    turned = feed(clock, "clock", {"shift": 6.0}).prepare(torch.from_numpy(stored), later)
    np.testing.assert_allclose(turned, [[1, 0], [0, -1], [0, 1]], atol=1e-6)
    with pytest.raises(MediaError, match="'noon' is no time of day"):
        clock.read("noon")
