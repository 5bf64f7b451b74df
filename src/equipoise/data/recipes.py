"""The recipes of the published data sets: ``recipes.toml``, and docs/datasets.md made of it."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

from equipoise.data.on_disk import audited, on_disk
from equipoise.data.sources import FileSource, sources
from equipoise.params import presets
from equipoise.section import Section

HEAD = """# Published data sets

Made by `equipoise datasets --markdown > docs/datasets.md` from `src/equipoise/data/recipes.toml`,
`src/equipoise/data/sources.toml` and `src/equipoise/params/presets.toml`. How each is trained:
`configs/<name>.yaml`. What a network is given: one of the presets, named after whose input it is;
`datasets.<name>.modalities: {audio: {like: ogm_ge}}` takes its settings, and settings beside `like`
win. For other data name it in full, `like: crema_d/ogm_ge/audio`.

Lists are fetched and checked (size, sha256; the commit stands in the address). Counts are train /
validation / test; `-`: the list has no validation, stage split cuts it from training, by whole
groups. What a program cannot fetch you put into a folder, `datasets.<name>.download.media`, laid
out as published. A listed sample without its file ends the stage, unless `allow_missing` says how
many may be absent; then `data/raw/<name>/coverage.json` says which. Pointers of Git LFS, web pages
(a quota, a login) and empty files under the name of a medium are refused.

With `download.unpack`, listed files are taken out of the owners' archives in that folder: zip; rar
and 7z with `pip install 'equipoise[archives]'` and the system's libarchive (Debian: libarchive13).
Rar files of version 2.9 to 5 are read, compressed or not; solid ones before version 5, older ones,
volumes and passwords are refused in one line, and unrar by hand is the way. What an archive holds
is noted in `archives/` there: it is read, or fetched, again only for a file that it has.
An archive on Google Drive is fetched first: the page that wants a confirmation for a large file is
answered, a cut connection goes on where it broke, and pages that stand for a used-up quota, a
private or a missing file are refused in one line. All this is written to what users of curl and
gdown report, and was tested against a local server that behaves so: Drive itself was never asked.

What stage extract costs, by the preset `vggsound/ours` (three frames of 224 x 224, a spectrogram of
257 x 625; 772,834 bytes a clip), for clips of ten seconds:

| picture | CPU seconds a clip | VGGSound (199,176) | AudioSet (2 million) |
|---|---|---|---|
| 340 x 256 | 0.21 | 11 core-hours | 114 core-hours |
| 480 x 360 | 0.31 | 17 core-hours | 173 core-hours |
| 1280 x 720 | 1.04 | 57 core-hours | 577 core-hours |
| stored | | 0.15 TB | 1.5 TB |

Measured by `python benchmarks/corpus.py` on a core of an AMD EPYC, on made-up clips (H.264, AAC;
real ones were not at hand); the media themselves need room beside it, and AudioSet
has no module here.
[benchmarks/results/2-cores-corpus.txt](../benchmarks/results/2-cores-corpus.txt)
"""


class Recipe(Section):
    """One data set; the fields are explained in recipes.toml."""

    summary: str
    access: Literal["open", "form", "manual"]
    getting: str
    size: str
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
        found[name] = {
            **recipe.model_dump(),
            "sources": files,
            "presets": presets.describe(name),
            "on_disk": on_disk(name),
            "audit": audited(name),
        }
    return found


def markdown() -> str:
    """Return docs/datasets.md."""
    parts = [HEAD]
    for name, recipe in recipes().items():
        lists = "".join(f"| `{key}` | {what} |\n" for key, what in recipe.lists.items())
        parts.append(
            f"## {name}\n\n{recipe.summary[0].upper()}{recipe.summary[1:]}. "
            f"Access: {recipe.access} ({recipe.getting}). Size: {recipe.size}. "
            f"Licence: {recipe.licence}.\n\n"
            f"| list | train / val / test |\n|---|---|\n{lists}\n"
            f"- Media: {recipe.media}.\n- To know: {recipe.known}.\n"
            f"- Run here: {recipe.ran}.\n- Not run here: {recipe.not_ran}.\n\n{_presets(name)}"
        )
    rows = [
        f"| {key} | {entry.urls[0]} | {_known(entry)} | {entry.licence} | {entry.checked} |\n"
        for key, entry in sources().items()
        if isinstance(entry, FileSource) and entry.checked
    ]
    head = f"| file | address | bytes | sha256 begins | licence | checked |\n{'|---' * 6}|\n"
    parts.append("## Lists and archives\n\n" + head + "".join(rows))
    return "\n".join(parts)


def _known(entry: FileSource) -> str:
    """Return size and checksum as two cells; what is not published is a dash."""
    sha256 = f"`{entry.sha256[:16]}`" if entry.sha256 else "-"
    return f"{f'{entry.size:,}' if entry.size else '-'} | {sha256}"


def _presets(dataset: str) -> str:
    """Return the presets of one data set as a table and a list."""
    table = f"| preset | modality (kind) | stored | settings, with origins |\n{'|---' * 4}|\n"
    notes = ""
    for name, preset in presets.presets()[dataset].items():
        notes += f"- `{name}`: {preset.whose}. Differs: {preset.differs}.\n"
        for modality, values in preset.modalities.items():
            shape = " x ".join(map(str, preset.gives[modality]))
            said = "; ".join(
                f"`{key}` {_said(value)} ({origin})"
                for key, (value, origin) in values.items()
                if key != "kind"
            )
            kind = values["kind"][0]
            table += f"| `{name}` | {modality} ({kind}) | {shape} | {said} |\n"
    return f"{table}\n{notes}"


def _said(value: object) -> str:
    """Return a setting as it stands in YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {one}" for key, one in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _here(name: str) -> str:
    """Say in words what is in the project folder."""
    if (found := on_disk(name)) is None:
        return "nothing"
    said = [f"{found['media_files']} files", f"{found['media_bytes']} bytes"]
    said += [f"{found['absent']} listed samples absent"] if found["absent"] else []
    if found["extracted"] is not None:
        said.append(f"{found['extracted']['samples']} extracted")
    return ", ".join(said)


def _audited(name: str) -> str:
    """Say how many findings of each kind stage audit has; empty where it has not run."""
    found = audited(name)
    if found is None:
        return ""
    kinds = ("leaks", "contradictions", "cut", "constant", "label_words")
    counts = [f"{kind.replace('_', ' ')} {found[kind]}" for kind in kinds if found.get(kind)]
    return f"    audit: {', '.join(counts) or 'nothing found'} (equipoise audit {name})\n"


def shown(as_json: bool, as_markdown: bool) -> str:
    """Return what the verb ``datasets`` prints."""
    if as_markdown:
        return markdown()
    if as_json:
        return json.dumps(describe(), indent=2, ensure_ascii=False) + "\n"
    return "".join(
        f"{name}: {recipe.summary}\n    access: {recipe.access} ({recipe.getting}); "
        f"size: {recipe.size}; licence: {recipe.licence}\n"
        f"    on disk: {_here(name)}\n{_audited(name)}"
        f"    presets: {', '.join(presets.presets()[name])}\n"
        + "".join(f"    {key}: {what}\n" for key, what in recipe.lists.items())
        for name, recipe in recipes().items()
    )
