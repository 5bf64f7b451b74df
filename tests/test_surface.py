"""What others build on: verbs, options, parameters, hooks, file names. It changes on purpose.

``tests/surface.txt`` lists it. A change shows here with the places that it belongs into; when they
are done, ``python tests/test_surface.py`` writes the list anew.
"""

import argparse
import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from equipoise import cli, layout, params, registry
from equipoise.methods.base import Method
from equipoise.modalities.base import Reader
from equipoise.modalities.feed import Feed

LIST = Path(__file__).with_name("surface.txt")
#: Where a new one belongs, by the first word of its line.
BELONGS = {
    "verb": "src/equipoise/cli.py, src/equipoise/verbs/ if it has arguments of its own, the table "
    "in README.md, tests/test_full_disk.py (both lists), CHANGELOG.md",
    "option": "where its verb is, with a help text; the page in docs/ of its verb; CHANGELOG.md",
    "parameter": "src/equipoise/params/ with a docstring, params.yaml with its default, "
    "workflow/schemas/params.schema.json (equipoise params schema), dvc.yaml, CHANGELOG.md; "
    "parameters of one kind or method belong into its own folder, not here",
    "hook": "the base class with a docstring, its README or CONTRIBUTING.md; every plug-in must "
    "still work without it",
    "says": "src/equipoise/registry.py with a docstring and a default, CONTRIBUTING.md",
    "file": "src/equipoise/layout.py, the rule in workflow/rules/, the cell in dvc.yaml, "
    "tests/workflow/stand_in/stage.py; a record that vouches for it (src/equipoise/vouch.py)",
    "variable": "the page in docs/ that it belongs to; CHANGELOG.md",
}


def surface() -> list[str]:
    """Every line of the list, sorted."""
    parser = cli._parser()
    found = {*_verbs(parser, ""), *_parameters(params.Params, ""), *_hooks(), *_files()}
    return sorted(found | set(_variables()))


def _verbs(parser: argparse.ArgumentParser, before: str) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield f"verb {before}{name}"
                yield from _verbs(inner, f"{before}{name} ")
        elif not isinstance(action, argparse._HelpAction):
            for name in action.option_strings or [action.dest.upper()]:
                yield f"option {before}{name}"


def _parameters(model: type[BaseModel], before: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"parameter {before}{name}"
        waiting = [field.annotation]
        while waiting:
            kind = waiting.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                inner = "NAME." if "dict" in str(field.annotation) else ""
                yield from _parameters(kind, f"{before}{name}.{inner}")
            else:
                waiting += getattr(kind, "__args__", ())


def _hooks() -> Iterator[str]:
    for base in (Method, Reader, Feed):
        for name, member in vars(base).items():
            if callable(member) and not name.startswith("_"):
                yield f"hook {base.__name__}.{name}{_names(member)}"
    for info in (registry.KindInfo, registry.EncoderInfo, registry.MethodInfo):
        for field in dataclasses.fields(info):
            yield f"says {info.__name__}.{field.name}"


def _names(function: object) -> str:
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    return f"({', '.join(names)})"


def _files() -> Iterator[str]:
    for stage, cell in layout.CELL.items():
        for path in layout.outputs(stage, *(f"<{name}>" for name in cell)).values():
            yield f"file {path}"


def _variables() -> Iterator[str]:
    """Yield the environment variables of our own that the program or the workflow names."""
    root = LIST.parents[1]
    for path in [root / "Snakefile", *(root / "src").rglob("*"), *(root / "workflow").rglob("*")]:
        if path.is_file() and path.suffix != ".pyc":
            text = path.read_text(encoding="utf-8", errors="replace")
            yield from (f"variable {name}" for name in re.findall(r"\bEQUIPOISE_[A-Z_]+\b", text))


def test_the_surface_is_as_listed() -> None:
    listed = set(LIST.read_text(encoding="utf-8").splitlines())
    found = set(surface())
    told = [f"+ {line}\n    belongs into: {BELONGS[line.split()[0]]}" for line in found - listed]
    told += [f"- {line}\n    others may use it: say so in CHANGELOG.md" for line in listed - found]
    note = "then: python tests/test_surface.py"
    assert not told, "\n".join(["the surface has changed:", *sorted(told), note])


def test_every_kind_of_line_says_where_it_belongs() -> None:
    assert {line.split()[0] for line in surface()} == BELONGS.keys()


if __name__ == "__main__":
    LIST.write_text("\n".join(surface()) + "\n", encoding="utf-8")
