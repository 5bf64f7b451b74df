"""Samples that are the same: under two labels, on two sides of a split, or twice on one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from equipoise import files
from equipoise.data.manifest import Manifest, Problem, Row
from equipoise.errors import UserError
from equipoise.parallel import on_all_cores

_MEND = "keep one, give both the same group, or say split.allow_leaks: true"


def refuse_shared(
    rows: Sequence[Row], sides: Sequence[str], checksums: Mapping[str, str], columns: Iterable[str]
) -> None:
    """Refuse files that are the same on two sides of a split.

    Args:
        rows: The samples.
        sides: Subset of each.
        checksums: Path in the manifest to sha256.
        columns: Those that name files of modalities.

    Raises:
        UserError: How many, and the first.
    """
    shared = []
    for column in sorted(columns):
        first: dict[str, tuple[Row, str]] = {}
        for row, side in zip(rows, sides, strict=True):
            if not (checksum := checksums.get(row.cells[column], "")):
                continue
            other, there = first.setdefault(checksum, (row, side))
            if there != side:
                shared.append(
                    f"{row.cells[column]!r} of {row.sample_id!r} ({side}) is the same file as "
                    f"{other.cells[column]!r} of {other.sample_id!r} ({there})"
                )
    if shared:
        more = f", and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise UserError(f"split: {shared[0]}{more}; {_MEND} (equipoise audit lists all)")


class Twins:
    """Finds samples of the same content: of files, the bytes; of texts, the text.

    Args:
        manifest: The rows.
        sides: Subset of each row; None where it is not known.
        allow: The same may stand on two sides (``split.allow_leaks``).
    """

    def __init__(
        self, manifest: Manifest, sides: Sequence[str] | None, allow: bool = False
    ) -> None:
        self._allow = allow
        content = contents(manifest)
        self._rows = [
            _Row(
                row,
                {name: content.get(where, where) for name, where in manifest.sources(row).items()},
                sides[number] if sides else "",
            )
            for number, row in enumerate(manifest.rows)
        ]
        self._modalities = list(manifest.modalities)
        self._inline = {name: column.inline for name, column in manifest.modalities.items()}

    def problems(self) -> Iterator[Problem]:
        """Yield samples that are another one again, under another label or on another side."""
        for first, twin in self._pairs():
            if first.row.label != twin.row.label:
                yield Problem(
                    twin.row.number,
                    f"{twin.row.sample_id!r} is the same as row {first.row.number}, under another "
                    f"label ({first.row.label!r} there, {twin.row.label!r} here); keep one",
                )
            elif first.side != twin.side and not self._allow:
                yield Problem(
                    twin.row.number,
                    f"{twin.row.sample_id!r} is the same as row {first.row.number}: one is for "
                    f"{first.side}, one for {twin.side}; keep one, or give both the same group",
                )
        if not self._allow:
            files_only = [name for name in self._modalities if not self._inline[name]]
            yield from (Problem(None, f"{text}; {_MEND}") for text in self._shared(files_only))

    def notes(self) -> Iterator[str]:
        """Yield what is twice on one side, and what several samples share on two sides."""
        pairs = [(a, b) for a, b in self._pairs() if a.row.label == b.row.label]
        harmless = [(a, b) for a, b in pairs if a.side == b.side]
        if harmless:
            first, twin = harmless[0]
            yield (
                f"{len(harmless)} sample(s) stand there twice under one label, first row "
                f"{twin.row.number} as row {first.row.number}"
            )
        yield from self._two_labels()
        names = [name for name in self._modalities if self._allow or self._inline[name]]
        yield from (f"{text}; give those samples one group" for text in self._shared(names))

    def _shared(self, names: Sequence[str]) -> Iterator[str]:
        """Yield what several samples share that are not the same as a whole."""
        if len(self._modalities) < 2:
            return
        for name in names:
            sides: dict[object, set[str]] = defaultdict(set)
            whole: dict[object, set[object]] = defaultdict(set)
            for one in self._rows:
                if name in one.content:
                    sides[one.content[name]].add(one.side)
                    whole[one.content[name]].add(one.key)
            # On two sides, and not only as a sample that is the same as a whole: said by row.
            shared = sum(len(sides[what]) > 1 and len(whole[what]) > 1 for what in sides)
            if shared:
                yield (
                    f"modality {name!r}: {shared} file(s) or text(s) belong to samples on two "
                    "sides of the split"
                )

    def _two_labels(self) -> Iterator[str]:
        """Yield files of samples of several classes that are not the same as a whole."""
        for name in self._modalities if len(self._modalities) > 1 else ():
            if self._inline[name]:
                continue
            first: dict[object, _Row] = {}
            twins = [
                (known, one)
                for one in self._rows
                if name in one.content
                and (known := first.setdefault(one.content[name], one)).row.label != one.row.label
                and known.key != one.key
            ]
            if twins:
                known, one = twins[0]
                yield (
                    f"modality {name!r}: {len(twins)} sample(s) have the file of another, under "
                    f"another label, first row {one.row.number} as row {known.row.number}"
                )

    def _pairs(self) -> Iterator[tuple[_Row, _Row]]:
        """Yield each sample that was there before, behind the first one of its content."""
        first: dict[object, _Row] = {}
        for one in self._rows:
            known = first.setdefault(one.key, one) if one.content else one
            if known is not one:
                yield known, one


@dataclass(frozen=True)
class _Row:
    row: Row
    content: Mapping[str, object]
    side: str

    @property
    def key(self) -> object:
        return tuple(sorted((name, str(content)) for name, content in self.content.items()))


def contents(manifest: Manifest) -> dict[Path | str, str]:
    """Return the sha256 of every file that another one is as large as."""
    sizes: dict[int, list[Path]] = defaultdict(list)
    every = {p for row in manifest.rows for p in manifest.sources(row).values()}
    for path in sorted(path for path in every if isinstance(path, Path)):
        try:
            sizes[path.stat().st_size].append(path)
        except (OSError, ValueError):
            continue  # missing: said elsewhere
    alike = [path for paths in sizes.values() if len(paths) > 1 for path in paths]
    sums = on_all_cores(_sha256, alike, "check: sha256")
    return dict(zip(alike, sums, strict=True))


def _sha256(path: Path) -> str:
    try:
        return files.sha256(path) if path.is_file() else str(path)
    except OSError:
        return str(path)
