"""The method that CONTRIBUTING.md shows: its files, as printed, pass the tests of every method."""

import inspect
import re
import sys
from pathlib import Path

import pytest
import settings
import test_every_method as table
import torch
from small import batch, model

from equipoise import methods, registry
from equipoise.methods.base import create, head_loss

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPE = PAGE.partition("## Add a method")[2].partition("\n## ")[0]
BLOCK = re.compile(r"^```\w+\n(?:# |<!-- )(\S+)(?: -->)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(BLOCK.findall(RECIPE))
FOLDER, TABLE = "src/equipoise/methods/clip/", "tests/methods/settings.py"
ROW = eval(FILES[TABLE].strip().rstrip(","), vars(settings))


@pytest.fixture(autouse=True)
def added(tmp_path, monkeypatch):
    """Put the folder where the registry looks, beside the methods that are there."""
    package = tmp_path / "methods"
    for name, text in FILES.items():
        if name.startswith(FOLDER):
            path = package / "clip" / name.removeprefix(FOLDER)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(package)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    registry.methods.cache_clear()
    yield
    registry.methods.cache_clear()
    for name in [n for n in sys.modules if n.startswith("equipoise.methods.clip")]:
        del sys.modules[name]
    vars(methods).pop("clip", None)


def each_test():
    for name, test in vars(table).items():
        if name.startswith("test_") and "row" in (names := inspect.signature(test).parameters):
            for modalities in table.MODALITIES if "modalities" in names else [None]:
                ending = f" {len(modalities)}" if modalities else ""
                yield pytest.param(test, modalities, id=name.removeprefix("test_") + ending)


@pytest.mark.parametrize(("test", "modalities"), list(each_test()))
def test_it_passes_the_tests_of_the_table(test, modalities, monkeypatch):
    given = {"row": ROW, "modalities": modalities, "monkeypatch": monkeypatch}
    test(**{name: given[name] for name in inspect.signature(test).parameters})


def test_it_is_one_folder_and_one_row_and_the_row_is_asked_for(monkeypatch):
    assert {name for name in FILES if not name.startswith(FOLDER)} == {TABLE}
    assert len(FILES[TABLE].strip().splitlines()) == 1
    with pytest.raises(AssertionError):
        table.test_the_table_has_every_method_and_variant()
    monkeypatch.setattr(table, "ROWS", [*table.ROWS, ROW])
    table.test_the_table_has_every_method_and_variant()


def test_it_does_what_it_says():
    net, data, lengths = model(), batch(), []
    for limit in (1e9, 0.01):
        method = create("clip", {"length": limit})
        method.attach(net, {})
        net.zero_grad()
        output = net(data.inputs, detach_heads=True)
        (method.loss(output, data) + head_loss(output, data.labels)).backward()
        method.after_backward(output, data)
        gradients = {n: p.grad.clone() for n, p in net.named_parameters()}
        lengths.append(
            {
                m: float(torch.cat([g.flatten() for n, g in gradients.items() if m in n]).norm())
                for m in ("encoders.audio", "encoders.video", "fusion", "heads")
            }
        )
    free, limited = lengths
    assert limited == pytest.approx(
        free | {"encoders.audio": 0.01, "encoders.video": 0.01}, rel=1e-4
    )
    assert min(free.values()) > 0.02
