"""The recipes of the published data sets: ``recipes.toml``, and docs/datasets.md made of it."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from equipoise.data.sources import FileSource, sources
from equipoise.section import Section

HEAD = """# Published data sets

Made by `equipoise datasets --markdown > docs/datasets.md` from `src/equipoise/data/recipes.toml`
and `src/equipoise/data/sources.toml`. Settings, each with its origin: `configs/<name>.yaml`.

Lists are fetched and checked (size, sha256; the commit stands in the address). Counts are train /
validation / test; `-`: the list has no validation, stage split cuts it from training, by whole
groups. What a program cannot fetch you put into a folder, `datasets.<name>.download.media`, laid
out as published. A listed sample without its file ends the stage, unless `allow_missing` says how
many may be absent; then `data/raw/<name>/coverage.json` says which. Pointers of Git LFS, web pages
(a quota, a login) and empty files under the name of a medium are refused.
"""


class Recipe(Section):
    """One data set; the fields are explained in recipes.toml."""

    summary: str
    access: str
    licence: str
    lists: dict[str, str]
    sources: list[str]
    media: str
    known: str
    ran: str
    not_ran: str


@cache
def recipes() -> dict[str, Recipe]:
    """Read the table.

    Raises:
        pydantic.ValidationError: A row is not complete.
    """
    text = Path(__file__).with_name("recipes.toml").read_text(encoding="utf-8")
    return {name: Recipe.model_validate(row) for name, row in tomllib.loads(text).items()}


def describe() -> dict[str, dict[str, Any]]:
    """Return every published data set with its recipe and the files of its lists, for programs."""
    found = {}
    for name, recipe in recipes().items():
        files = {
            key: entry.model_dump()
            for key, entry in sources().items()
            if any(key == start or key.startswith(f"{start}-") for start in recipe.sources)
        }
        found[name] = recipe.model_dump() | {"sources": files}
    return found


def markdown() -> str:
    """Return docs/datasets.md."""
    parts = [HEAD]
    for name, recipe in recipes().items():
        lists = "".join(f"| `{key}` | {what} |\n" for key, what in recipe.lists.items())
        parts.append(
            f"## {name}\n\n{recipe.summary[0].upper()}{recipe.summary[1:]}. "
            f"Access: {recipe.access}. Licence: {recipe.licence}.\n\n"
            f"| list | train / val / test |\n|---|---|\n{lists}\n"
            f"- Media: {recipe.media}.\n- To know: {recipe.known}.\n"
            f"- Run here: {recipe.ran}.\n- Not run here: {recipe.not_ran}.\n"
        )
    rows = [
        f"| {key} | {entry.urls[0]} | {entry.size:,} | `{entry.sha256[:16]}` | {entry.licence} "
        f"| {entry.checked} |\n"
        for key, entry in sources().items()
        if isinstance(entry, FileSource) and entry.checked
    ]
    head = f"| list | address | bytes | sha256 begins | licence | checked |\n{'|---' * 6}|\n"
    parts.append("## Lists\n\n" + head + "".join(rows))
    return "\n".join(parts)


def shown(as_json: bool, as_markdown: bool) -> str:
    """Return what the verb ``datasets`` prints."""
    if as_markdown:
        return markdown()
    if as_json:
        return json.dumps(describe(), indent=2, ensure_ascii=False) + "\n"
    return "".join(
        f"{name}: {recipe.summary}\n    access: {recipe.access}; licence: {recipe.licence}\n"
        + "".join(f"    {key}: {what}\n" for key, what in recipe.lists.items())
        for name, recipe in recipes().items()
    )
