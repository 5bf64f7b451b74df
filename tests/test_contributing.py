"""CONTRIBUTING's "where does X happen" table is true, and every stage has its five other names."""

import re
from pathlib import Path

import pytest

from equipoise import layout
from equipoise.params import JOBS, read_yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| (`.+`) \|$", TEXT, flags=re.MULTILINE)
RULES = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "workflow/rules").glob("*.smk"))


def test_the_table_is_found() -> None:
    table = TEXT.partition("| Question | Where |\n|---|---|\n")[2].partition("\n\n")[0]
    assert len(ROWS) == len(table.splitlines()) >= 20


@pytest.mark.parametrize(("question", "where"), ROWS)
def test_every_path_exists(question: str, where: str) -> None:
    for path in re.findall(r"`([^`]+)`", where):
        assert (ROOT / path).exists(), f"{question} {path} does not exist"
        assert path.endswith("/") == (ROOT / path).is_dir()


@pytest.mark.parametrize("stage", layout.STAGES)
def test_a_stage_has_one_name_everywhere(stage: str) -> None:
    module = ROOT / "src/equipoise/stages" / f"{stage}.py"
    assert re.search(r"^def run\(job: Job, settings: ", module.read_text("utf-8"), re.MULTILINE)
    assert any(f"`{stage}`" in question and module.name in where for question, where in ROWS)
    assert re.search(rf"^rule {stage}:$", RULES, re.MULTILINE)
    assert f'"logs/{stage}/' in RULES
    assert stage in read_yaml(ROOT / "dvc.yaml")["stages"]
    assert stage in JOBS


def test_no_other_stage_hides_somewhere() -> None:
    modules = {p.stem for p in (ROOT / "src/equipoise/stages").glob("*.py")} - {"__init__", "job"}
    assert modules == set(layout.STAGES)
    rules = re.findall(r"^rule (\w+):$", RULES, re.MULTILINE)
    assert {name.removesuffix("_part") for name in rules} == set(layout.STAGES)
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    cells = {re.sub("_(from_warmup|with_teacher)$", "", name) for name in stages}
    assert cells == {*layout.STAGES, "code", "origin"}


def test_links_and_recipes_point_at_something() -> None:
    for text, folder in [
        (TEXT, ROOT),
        ((ROOT / "README.md").read_text("utf-8"), ROOT),
        ((ROOT / "docs/decisions/README.md").read_text("utf-8"), ROOT / "docs/decisions"),
    ]:
        links = re.findall(r"(?<!!)\[[^]]*\]\((?!https?:)([^)#]+)", text)
        assert links
        assert [link for link in links if not (folder / link).exists()] == []
    recipes = TEXT.partition("## Add a method")[2]
    paths = [p for p in re.findall(r"`((?:src|tests)/[^`]+)`", recipes) if "<" not in p]
    assert len(paths) >= 3
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text("utf-8")
    pages = sorted(p.name for p in folder.glob("0*.md"))
    assert [name[:4] for name in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    for name in pages:
        page = (folder / name).read_text("utf-8")
        assert f"({name})" in index
        assert page.splitlines()[0].removeprefix(f"# {name[:4]} ") in index
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequence",
        ]


def test_version_and_licence_are_said_once() -> None:
    import tomllib

    from ruamel.yaml import YAML

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"] == "Apache-2.0"
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert "Version 2.0, January 2004" in licence
    assert licence.rstrip().endswith("limitations under the License.")
    assert re.search(r"^## (Unreleased|\[?\d)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
