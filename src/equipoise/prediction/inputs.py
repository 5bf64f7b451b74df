"""What is to be predicted: files, folders of them, texts and manifests become a list of clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise import registry
from equipoise.console import log
from equipoise.data import manifest as manifests
from equipoise.data.manifest import Column
from equipoise.errors import UserError, nearest


@dataclass(frozen=True)
class Clip:
    """One sample to predict."""

    sample_id: str
    """Of the manifest; of a file without manifest its path as given."""
    sources: dict[str, Path | str]
    """Modality to the file that may hold it, or to the sample itself."""


@dataclass(frozen=True)
class Wanted:
    """Where a modality of the model finds its samples."""

    kind: str
    column: Column

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of its files; none where the manifest holds the sample itself."""
        return () if self.column.inline else registry.kinds()[self.kind].suffixes


def wanted(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Wanted]:
    """Return what each modality ``{kind, column, ...settings}`` of a model needs."""
    return {
        name: Wanted(table["kind"], Column(table["column"], registry.is_inline(table)))
        for name, table in tables.items()
    }


def find_clips(
    paths: Sequence[Path], modalities: Mapping[str, Wanted], given: Mapping[str, str] | None = None
) -> list[Clip]:
    """Return the clips behind ``paths``, in their order; one that is named twice comes once.

    Args:
        paths: Files; manifests (``.csv``); folders, which mean their ``manifest.csv`` or, if they
            have none, all files below them that a modality reads, in the order of their names.
        modalities: Those of the model: a manifest must have a column of one of them.
        given: Modality to a text or a file that goes with every path; without paths, the sample.

    Raises:
        UserError: No path, a path that is not there, a folder without media, a manifest that
            cannot be used, two samples with the same name, a file that could be of two modalities.
    """
    fixed = dict(_given(given or {}, modalities))
    found: dict[str, Clip] = {}
    clips = [clip for path in paths for clip in _below(path, modalities)]
    if fixed and not clips:
        clips = [Clip(";".join(str(value) for value in fixed.values()), {})]
    for bare in clips:
        clip = Clip(bare.sample_id, {**bare.sources, **fixed})
        if found.setdefault(clip.sample_id, clip) != clip:
            raise UserError(
                f"sample_id {clip.sample_id!r} names two samples, of different manifests; "
                "predict them one after the other"
            )
    if not found:
        raise UserError("nothing to predict; name files, folders of them or a manifest.csv")
    return list(found.values())


def _given(
    given: Mapping[str, str], modalities: Mapping[str, Wanted]
) -> Iterator[tuple[str, Path | str]]:
    for name, value in given.items():
        if name not in modalities:
            raise UserError(
                f"--set {name}: the model has no such modality{nearest(name, modalities)}"
            )
        yield name, value if modalities[name].column.inline else Path(value)


def _below(path: Path, modalities: Mapping[str, Wanted]) -> Iterator[Clip]:
    if path.is_dir():
        inside = path / "manifest.csv"
        return _manifest(inside, modalities) if inside.is_file() else _folder(path, modalities)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    columns = [one.column for one in modalities.values()]
    if path.suffix.lower() == ".csv" and (
        not _readers(path, modalities) or manifests.names_samples(path, columns)
    ):
        return _manifest(path, modalities)
    return iter([_file(path, modalities)])


def _readers(path: Path, modalities: Mapping[str, Wanted]) -> list[str]:
    suffix = path.suffix.lower()
    return [name for name, one in modalities.items() if suffix in one.suffixes]


def _file(path: Path, modalities: Mapping[str, Wanted]) -> Clip:
    """Offer a file to the modalities that read such files; an unknown suffix to all that may."""
    names = _readers(path, modalities)
    known = any(path.suffix.lower() in kind.suffixes for kind in registry.kinds().values())
    if not names and not known:
        names = [name for name, one in modalities.items() if one.suffixes]
    columns: dict[str, set[str]] = {}
    for name in names:
        columns.setdefault(modalities[name].kind, set()).add(modalities[name].column.name)
    for kind, several in columns.items():
        if len(several) > 1:
            raise UserError(
                f"{path}: the model reads several modalities of kind {kind} "
                f"({', '.join(sorted(several))}); name their files in a manifest.csv or with --set"
            )
    return Clip(str(path), dict.fromkeys(names, path))


def _folder(folder: Path, modalities: Mapping[str, Wanted]) -> Iterator[Clip]:
    visible = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    media = [path for path in visible if _readers(path, modalities)]
    if not media:
        raise UserError(
            f"{folder}: no file in it has a suffix that the model reads; name unusual files one by "
            "one"
        )
    if others := len(visible) - len(media):
        log.warning("%s: %d file(s) without such a suffix are left out", folder, others)
    return (_file(path, modalities) for path in media)


def _manifest(path: Path, modalities: Mapping[str, Wanted]) -> Iterator[Clip]:
    columns = {name: one.column for name, one in modalities.items()}
    manifest = manifests.read(path, columns, labelled=False)
    for row in manifest.rows:
        yield Clip(row.sample_id, manifest.sources(row))
