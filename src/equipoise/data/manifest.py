"""The manifest: which samples a data set has, and where their media are."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from equipoise.errors import UserError, nearest

REQUIRED = ("sample_id", "label", "split", "group")
SUBSETS = ("train", "val", "test")


@dataclass(frozen=True)
class Problem:
    """Something wrong with a manifest or with what it names."""

    row: int | None
    """Line of the manifest (the header is 1); None if it is about the whole."""
    message: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.message}" if self.row else self.message


@dataclass(frozen=True)
class Column:
    """Where a modality finds its samples."""

    name: str
    inline: bool = False
    """Whether the cell is the sample itself (a text), not a path relative to the manifest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sample."""

    number: int
    """Line of the manifest (the header is 1)."""
    sample_id: str
    label: str
    split: str
    """train, val, test, or empty."""
    group: str
    """Speaker, subject, source recording, or empty."""
    cells: dict[str, str]
    """Column to what stands there, of all other columns; empty where they were not kept."""


@dataclass(frozen=True)
class Manifest:
    """All samples of a data set, in the order of the file."""

    folder: Path
    columns: tuple[str, ...]
    """All columns, in the order of the file."""
    modalities: dict[str, Column]
    """Modality to its column, of those whose column the manifest has."""
    rows: list[Row] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Every label once, sorted."""
        return sorted({row.label for row in self.rows})

    def sources(self, row: Row) -> dict[str, Path | str]:
        """Return modality to the file of a sample, or to the sample itself; no empty cells."""
        return {
            modality: cell if column.inline else self.folder / cell
            for modality, column in self.modalities.items()
            if (cell := row.cells[column.name])
        }

    def paths(self, row: Row) -> list[str]:
        """Return the paths of a sample's files as the manifest names them, each once."""
        columns = [column.name for column in self.modalities.values() if not column.inline]
        return list(dict.fromkeys(filter(None, (row.cells[name] for name in columns))))

    def file_columns(self) -> list[str]:
        """Return the columns that name files which are there, whatever the modalities are."""
        others = [name for name in self.columns if name not in REQUIRED]
        return [
            name for name in others if any(_is_file(self.folder, row, name) for row in self.rows)
        ]


def _is_file(folder: Path, row: Row, column: str) -> bool:
    cell = row.cells[column]
    try:
        return bool(cell) and (folder / cell).is_file()
    except (OSError, ValueError):  # a text that is too long for a name, or holds a zero
        return False


def count(path: Path) -> int:
    """Return the number of rows, checked by nobody; 0 where it cannot be read as a table."""
    try:
        return max(0, sum(1 for _ in _lines(path)) - 1)
    except (OSError, UnicodeDecodeError, csv.Error):
        return 0


def names_samples(path: Path, columns: Iterable[Column]) -> bool:
    """Whether a table is a manifest of such columns, by its first row; no table is none."""
    try:
        first = next(_lines(path), None)
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    header = {name.strip() for name in first[1]} if first else set()
    return REQUIRED[0] in header and any(column.name in header for column in columns)


def read(
    path: Path,
    modalities: Mapping[str, Column] | None = None,
    labelled: bool = True,
    keep: Callable[[int], bool] | None = None,
) -> Manifest:
    """Read a manifest.

    Args:
        path: The file.
        modalities: Modality to its column; None: any columns will do.
        labelled: False for samples to predict: only ``sample_id`` and the column of one modality
            are required, cells may be empty, and a path may lead anywhere.
        keep: Whether the cells of the row at a position (from 0) are kept; None: all are. A
            million rows without them take a fifth of the memory.

    Raises:
        UserError: The first thing wrong with it, with its row, and how many more there are.
    """
    manifest, problems = scan(path, modalities, labelled, keep)
    if manifest is None or problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{path}: {problems[0]}{more}")
    return manifest


def scan(
    path: Path,
    modalities: Mapping[str, Column] | None = None,
    labelled: bool = True,
    keep: Callable[[int], bool] | None = None,
) -> tuple[Manifest | None, list[Problem]]:
    """Read a manifest as :func:`read` and list everything wrong, without looking at the media.

    Returns:
        The manifest with those rows that can be read (None if it cannot be read as a table),
        and the problems in the order of the file.
    """
    lines = _lines(Path(path))
    try:
        if (first := next(lines, None)) is None:
            return None, [Problem(None, "the manifest is empty; it needs a header and rows")]
        header = [name.strip() for name in first[1]]
        wanted = dict(modalities or {})
        if problems := list(_header(header, wanted, labelled)):
            list(lines)  # not a table at all is said first
            return None, problems
        there = {name: column for name, column in wanted.items() if column.name in header}
        manifest = Manifest(Path(path).parent, tuple(header), there)
        count, problems = _read_rows(lines, manifest, labelled, keep or (lambda _: True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return None, [Problem(None, _unreadable(error))]
    return manifest, problems + list(_whole(manifest, count, labelled))


def _read_rows(
    lines: Iterator[tuple[int, list[str]]],
    manifest: Manifest,
    labelled: bool,
    keep: Callable[[int], bool],
) -> tuple[int, list[Problem]]:
    """Add the rows that can be read to ``manifest``; return how many there are, and problems."""
    header, check = manifest.columns, _check(manifest, labelled)
    others = [(name, at) for at, name in enumerate(header) if name not in REQUIRED]
    # Behind the last cell stands an empty one, for the columns that need not be there.
    places = [header.index(name) if name in header else len(header) for name in REQUIRED]
    problems: list[Problem] = []
    first: dict[str, int] = {}
    count = 0
    for position, (number, cells) in enumerate(lines):
        count += 1
        if len(cells) != len(header):
            message = f"{len(cells)} cells where the header has {len(header)}"
            problems.append(Problem(number, message))
            continue
        cells.append("")
        wrong = check(cells)
        sample_id, label, split, group = (cells[at] for at in places)
        if (known := first.setdefault(sample_id, number)) != number:
            wrong.append(f"sample_id {sample_id!r} is already used in row {known}")
        if wrong:
            problems += [Problem(number, message) for message in wrong]
            continue
        kept = {name: cells[at] for name, at in others} if keep(position) else {}
        # Labels and groups repeat: each text once in memory.
        told = sys.intern(label), sys.intern(split), sys.intern(group)
        manifest.rows.append(Row(number, sample_id, *told, kept))
    return count, problems


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    if path.exists() and not path.is_file():  # a named pipe would be waited for
        raise csv.Error("no regular file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except UnicodeDecodeError:
            path.read_bytes().decode("utf-8-sig")  # the same error, which knows its row
            raise


def _unreadable(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; a data folder has a manifest.csv"
    if isinstance(error, NotADirectoryError):
        return "what stands before it is a file; name the folder that holds manifest.csv"
    if isinstance(error, UnicodeDecodeError):
        row = bytes(error.object[: error.start]).count(b"\n") + 1
        return f"row {row}: not UTF-8 text; save the table as CSV UTF-8"
    return f"not a CSV table: {error}"


def _header(
    header: list[str], modalities: Mapping[str, Column], labelled: bool
) -> Iterator[Problem]:
    for mark, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:  # as spreadsheets of many languages save it
            yield Problem(1, f"{word} between the cells; save the table with commas between them")
            return
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield Problem(1, f"column {name!r} stands there twice")
    others = [other for other in header if other not in REQUIRED]
    for name in REQUIRED if labelled else REQUIRED[:1]:
        if name not in header:
            yield Problem(1, f"column {name!r} is missing{nearest(name, others)}")
    missing = {m: c.name for m, c in modalities.items() if c.name not in header}
    if not labelled:
        if missing and len(missing) == len(modalities):
            names = ", ".join(dict.fromkeys(missing.values()))
            yield Problem(
                1, f"no column of a modality; add one of {names} (other columns: {others})"
            )
        return
    for modality, name in missing.items():
        hint = nearest(name, others)
        yield Problem(
            1, f"column {name!r} of modality {modality!r} is missing{hint}; name it with column:"
        )


def _check(manifest: Manifest, labelled: bool) -> Callable[[list[str]], list[str]]:
    """Return what says what is wrong with the cells of a row (and an empty one behind them).

    It is called a million times: places of columns are looked up here, once.
    """
    place = {name: at for at, name in enumerate(manifest.columns)}
    files = dict.fromkeys(c.name for c in manifest.modalities.values() if not c.inline)
    columns = dict.fromkeys(c.name for c in manifest.modalities.values())
    filled = [(n, place[n]) for n in ("sample_id", *(("label", *columns) if labelled else ()))]
    plain = [(name, place[name]) for name in (*REQUIRED, *files) if name in place]
    paths = [(name, place[name]) for name in files] if labelled else []
    split = place.get("split", -1)

    def check(cells: list[str]) -> list[str]:
        wrong = [f"{name} is empty" for name, at in filled if not cells[at].strip()]
        for name, at in plain:
            cell = cells[at]
            if not cell.isprintable():
                wrong.append(f"{name} {cell!r} has a control character or a line break")
            elif cell != cell.strip():
                wrong.append(f"{name} {cell!r} has spaces around it")
        if labelled and (cell := cells[split]) and cell not in SUBSETS:
            wrong.append(f"unknown split {cell!r}{nearest(cell, SUBSETS)}")
        wrong += [
            f"{name} {cells[at]!r} leads out of the folder; "
            "paths are relative to the manifest, with / and without .."
            for name, at in paths
            if _leads_out(cells[at])
        ]
        return wrong

    return check


def _leads_out(cell: str) -> bool:
    return (
        cell.startswith("/") or "\\" in cell or (".." in cell and ".." in PurePosixPath(cell).parts)
    )


def _whole(manifest: Manifest, count: int, labelled: bool) -> Iterator[Problem]:
    if count == 0:
        yield Problem(None, "the manifest has no rows")
    elif labelled and len(manifest.classes) == 1:
        yield Problem(None, f"one class only ({manifest.classes[0]!r}); at least two are needed")
