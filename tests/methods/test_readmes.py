"""A method's README: options with their origin, equations that lead to code, what is not known."""

import ast
import re
from pathlib import Path

import pytest

import equipoise
from equipoise import registry

SOURCE = Path(equipoise.__file__).parent
METHODS = registry.methods()


def readme(name):
    return (SOURCE / "methods" / name / "README.md").read_text(encoding="utf-8")


def table(text, first):
    """Return the rows, as lists of cells, of the table whose header begins with ``first``."""
    lines = text.partition(f"\n| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]


def defined(path):
    """Return the names of functions and classes, and of methods as ``Class.method``."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{f.name}" for f in node.body if isinstance(f, ast.FunctionDef)}
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
    return names


@pytest.mark.parametrize("name", METHODS)
def test_every_option_has_its_origin(name):
    rows = {row[0].strip("`"): row[-1] for row in table(readme(name), "option")}
    assert rows.keys() == METHODS[name].options.model_fields.keys()
    for option, origin in rows.items():
        assert re.search(r"\b(paper|code|ours)\b", origin), f"{option}: {origin}"


@pytest.mark.parametrize("name", METHODS)
def test_every_equation_leads_to_a_function_that_exists(name):
    rows = table(readme(name), "equation")
    assert rows
    everywhere = set().union(*(defined(path) for path in SOURCE.rglob("*.py")))
    for row in rows:
        where = row[-1]
        names = re.findall(r"`([\w.]+)`", where)
        assert names, row
        assert everywhere.issuperset(names), f"{name}: {where}"
        files = re.findall(r"([\w/]+\.py)", where)
        near = [
            SOURCE / f.removeprefix("equipoise/") if "/" in f else SOURCE / "methods" / name / f
            for f in files
        ]
        if near:
            assert set().union(*(defined(path) for path in near)) & set(names), where


@pytest.mark.parametrize("name", [n for n, i in METHODS.items() if "baseline" not in i.paper])
def test_what_is_not_established_is_said(name):
    assert re.search(r"\bNot established(?: by the paper)?: \w", readme(name)), name
