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


#: Methods of docs/study.md.
STUDIED = (
    "agm",
    "aug",
    "gblending",
    "gmm",
    "joint",
    "lfm",
    "mla",
    "mmcosine",
    "mmpareto",
    "ogm",
    "pmr",
    "reconboost",
    "relearn",
    "unimodal",
)
#: A method may come without a card, but those of the study.
CARDED = [name for name, info in METHODS.items() if info.grade or name in STUDIED]


@pytest.mark.parametrize("name", CARDED)
def test_what_it_does_with_three_modalities_and_one_is_said(name):
    said = readme(name).partition("\n## Three modalities, and one\n")[2].partition("\n## ")[0]
    said = " ".join(said.split())
    assert re.search(r"\b(Three or more|Any number)\b", said), name
    refused = METHODS[name].modalities[0] > 1
    assert ("One: refused" in said) == refused
    assert re.search(r"\bone included\b|\bOne: \w", said)


@pytest.mark.parametrize("name", CARDED)
def test_the_card_is_complete(name):
    info = METHODS[name]
    assert info.grade in registry.GRADES
    baseline = info.grade == "baseline"
    assert baseline == info.paper.startswith("baseline")
    assert baseline or info.assumes
    # Where the optimiser was read is said; where it was not, nothing is.
    read = r"\((code|paper|port|configuration)\b|^not established"
    assert baseline or not info.optimizer or re.search(read, info.optimizer)


def test_costs_are_those_that_were_measured():
    """The column of docs/study.md and the lines of ``method_cost.py``, copied to costs.toml."""
    root, found = SOURCE.parents[1], {}
    page = (root / "docs/study.md").read_text(encoding="utf-8")
    lines = (root / "benchmarks/results/2-cores-cost.txt").read_text(encoding="utf-8")
    measured = [("keypad", *line) for line in re.findall(r"^([\w-]+) = ([\d.]+)$", lines, re.M)]
    for dataset in ("avdigits", "keypad"):
        for row in table(page.partition(f"\n## {dataset}\n")[2], "method              "):
            measured.append((dataset, row[0], row[-1]))  # last: where both are, it is the study's
    for dataset, key, multiple in measured:
        name, variant, label = registry.method_of(key)
        if not label:
            found.setdefault(name, {}).setdefault(variant, {})[dataset] = float(multiple)
    assert found == registry.costs()
    assert found.keys() == METHODS.keys(), "a method without a cost: benchmarks/method_cost.py"
