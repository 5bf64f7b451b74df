"""The manifest: which samples a data set has, and where their media are."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from equipoise.errors import UserError, nearest

#: Columns that name a file, in the order in which modalities are stored.
SOURCES = ("video", "audio", "image")
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
    sources: dict[str, str]
    """Modality to path, relative to the manifest; every modality, unless read unlabelled."""


@dataclass(frozen=True)
class Manifest:
    """All samples of a data set, in the order of the file."""

    folder: Path
    sources: tuple[str, ...]
    """Modalities whose column the manifest has."""
    rows: list[Row] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Every label once, sorted."""
        return sorted({row.label for row in self.rows})

    def file(self, row: Row, modality: str) -> Path:
        """Return where a sample's file is."""
        return self.folder / row.sources[modality]


def read(path: Path, labelled: bool = True) -> Manifest:
    """Read a manifest.

    Args:
        path: The file.
        labelled: False for samples to predict: only ``sample_id`` is required, a modality may be
            missing (its cell empty), and a path may lead anywhere.

    Raises:
        UserError: The first thing wrong with it, with its row, and how many more there are.
    """
    manifest, problems = scan(path, labelled)
    if manifest is None or problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{path}: {problems[0]}{more}")
    return manifest


def scan(path: Path, labelled: bool = True) -> tuple[Manifest | None, list[Problem]]:
    """Read a manifest as :func:`read` and list everything wrong, without looking at the media.

    Returns:
        The manifest with those rows that can be read (None if it cannot be read as a table),
        and the problems in the order of the file.
    """
    path = Path(path)
    try:
        lines = list(_lines(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return None, [Problem(None, _unreadable(error))]
    if not lines:
        return None, [Problem(None, "the manifest is empty; it needs a header and rows")]
    header = [name.strip() for name in lines[0][1]]
    if problems := list(_header(header, REQUIRED if labelled else REQUIRED[:1])):
        return None, problems
    manifest = Manifest(path.parent, tuple(name for name in SOURCES if name in header))
    first: dict[str, int] = {}
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            message = f"{len(cells)} cells where the header has {len(header)}"
            problems.append(Problem(number, message))
            continue
        values = dict.fromkeys(REQUIRED, "") | dict(zip(header, cells, strict=True))
        wrong = list(_cells(values, manifest.sources, labelled))
        if (known := first.setdefault(values["sample_id"], number)) != number:
            wrong.append(f"sample_id {values['sample_id']!r} is already used in row {known}")
        problems += [Problem(number, message) for message in wrong]
        if not wrong:
            paths = {name: values[name] for name in manifest.sources if values[name]}
            sample_id, label, split, group = (values[name] for name in REQUIRED)
            manifest.rows.append(Row(number, sample_id, label, split, group, paths))
    return manifest, problems + list(_whole(manifest, len(lines) - 1, labelled))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    text = path.read_bytes().decode("utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    for cells in reader:
        if cells:
            yield reader.line_num, cells


def _unreadable(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; a data folder has a manifest.csv"
    if isinstance(error, UnicodeDecodeError):
        row = bytes(error.object[: error.start]).count(b"\n") + 1
        return f"row {row}: not UTF-8 text; save the table as CSV UTF-8"
    return f"not a CSV table: {error}"


def _header(header: list[str], required: tuple[str, ...]) -> Iterator[Problem]:
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield Problem(1, f"column {name!r} stands there twice")
    for name in required:
        if name not in header:
            others = [other for other in header if other not in (*REQUIRED, *SOURCES)]
            yield Problem(1, f"column {name!r} is missing{nearest(name, others)}")
    if not set(SOURCES) & set(header):
        others = [name for name in header if name not in REQUIRED]
        yield Problem(
            1, f"no column names media; add one of {', '.join(SOURCES)} (other columns: {others})"
        )


def _cells(values: dict[str, str], sources: tuple[str, ...], labelled: bool) -> Iterator[str]:
    for name in ("sample_id", *(("label", *sources) if labelled else ())):
        if not values[name]:
            yield f"{name} is empty"
    for name in (*REQUIRED, *sources):
        if any(not letter.isprintable() for letter in values[name]):
            yield f"{name} {values[name]!r} has a control character or a line break"
        elif values[name] != values[name].strip():
            yield f"{name} {values[name]!r} has spaces around it"
    if not labelled:
        return
    if values["split"] not in ("", *SUBSETS):
        yield f"unknown split {values['split']!r}{nearest(values['split'], SUBSETS)}"
    for name in sources:
        path = PurePosixPath(values[name])
        if path.is_absolute() or ".." in path.parts or "\\" in values[name]:
            yield (
                f"{name} {values[name]!r} leads out of the folder; "
                "paths are relative to the manifest, with / and without .."
            )


def _whole(manifest: Manifest, count: int, labelled: bool) -> Iterator[Problem]:
    if count == 0:
        yield Problem(None, "the manifest has no rows")
    elif labelled and len(manifest.classes) == 1:
        yield Problem(None, f"one class only ({manifest.classes[0]!r}); at least two are needed")
