"""Input and output never meet: what the pipeline reads must not be what it writes and deletes.

Snakemake and DVC delete the outputs of a job before it starts, and a stage replaces whole folders.
A user's file that lies there is gone before any stage could look. So every path that a user can
name is compared with every place the project writes to when the parameters are checked: the same
place, one within the other, or either of it through links, is refused.
"""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise import layout
from equipoise.errors import UserError

if TYPE_CHECKING:
    from equipoise.params import Params

#: Environment variable: a folder of downloads for machines without internet.
MIRROR = "EQUIPOISE_MIRROR"
Key = tuple[int, int] | str


def check(params: Params, sources: Iterable[Path] = ()) -> None:
    """Refuse parameters by which input and output, or two outputs, would meet.

    Args:
        params: All parameters.
        sources: The files that they were read from.

    Raises:
        UserError: Which key or variable names what, and where it meets an output.
    """
    datasets = list(params.datasets)
    for name, entry in params.datasets.items():
        check_download(name, entry.download, datasets)
    for path in sources:
        expect_apart(path, "parameters", [*_cells(()), *_linked()])
    _outputs_apart(datasets)


def check_download(dataset: str, download: Mapping[str, Any], datasets: Iterable[str] = ()) -> None:
    """Refuse sources of a data set that lie where outputs do: its folder, its files, the mirror.

    Args:
        dataset: Its name.
        download: Its options.
        datasets: All data sets of the project; those that have outputs already are known anyway.

    Raises:
        UserError: Which key or variable names what, and which output that is.
    """
    places = _written({dataset, *datasets})
    if mirror := os.environ.get(MIRROR):
        expect_apart(Path(mirror).expanduser(), MIRROR, places)
    for option in ("folder", "media"):
        if download.get(option):
            _check_folder(dataset, option, download[option], places)


def _check_folder(dataset: str, option: str, named: str, places: Iterable[Path]) -> None:
    key, folder = f"datasets.{dataset}.download.{option}", Path(named).expanduser()
    expect_apart(folder, key, places)
    # The cache of DVC may hold what the files are links to.
    owners = {_own(place): place for place in places if place not in layout.TOOLS}
    for path in _leading_elsewhere(folder):
        if place := next((owners[k] for k in _chain(path) if k in owners), None):
            raise UserError(_refusal(key, path, "lies in", place))


def expect_apart(path: Path, what: str, places: Iterable[Path] | None = None) -> None:
    """Refuse a path that is, lies in or contains a place that the pipeline writes.

    Args:
        path: A file or folder, there or not.
        what: The parameter, variable or option that names it.
        places: What is written; None: everything below the current folder.

    Raises:
        UserError: They meet.
    """
    mine = _chain(path)
    for place in _written(()) if places is None else places:
        theirs = _chain(place)
        if mine[0] == theirs[0]:
            raise UserError(_refusal(what, path, "is", place))
        if theirs[0] in mine:
            raise UserError(_refusal(what, path, "lies in", place))
        if mine[0] in theirs:
            raise UserError(_refusal(what, path, "contains", place))


def expect_output(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output file that is one of the inputs or lies in one of them.

    Raises:
        UserError: It does, or it lies where only the pipeline writes.
    """
    mine = _chain(output)
    for path in inputs:
        if (theirs := _own(path)) in mine:
            how = "is" if theirs == mine[0] else "lies in"
            raise UserError(f"{output}: {how} {path}, which is read; name a file elsewhere")
    expect_apart(output, "--output", [*_cells(()), *_linked(), *layout.compare().values()])


def _refusal(what: str, path: Path, how: str, place: Path) -> str:
    real = os.path.realpath(path)
    links = "" if real == str(Path.cwd() / path) else f" (in fact {real})"
    return (
        f"{what}: {path}{links} {how} {place}, which the pipeline writes and deletes; "
        "keep what is yours elsewhere"
    )


def _cells(datasets: Iterable[str]) -> Iterator[Path]:
    """Yield the folders that belong to one data set, of each stage, then those of the stages."""
    for folder in layout.FOLDERS:
        yield from (folder / name for name in datasets)
    yield from layout.FOLDERS


def _written(datasets: Iterable[str]) -> list[Path]:
    """Return every place that is written below the current folder, the narrow ones first."""
    return [*_cells(sorted(datasets)), *_linked(), *layout.WRITTEN, *layout.TOOLS]


def _linked() -> Iterator[Path]:
    """Yield the links among the outputs: what they lead to is written, too."""
    for root in layout.FOLDERS:
        for folder in (root, *_folders(root)):
            yield from (path for path in _entries(folder) if path.is_symlink())


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries]
    except OSError:
        return []


def _outputs_apart(datasets: list[str]) -> None:
    """Refuse links by which two outputs are the same place, or lie in each other.

    Of links only those to folders count: DVC may link files to its cache.
    """
    links = [path for path in _linked() if path.is_dir()]
    places = list(dict.fromkeys([*_cells(datasets), *links, *layout.WRITTEN]))
    chains = {place: _chain(place) for place in places}
    owners: dict[Key, list[Path]] = {}
    for place, chain in chains.items():
        owners.setdefault(chain[0], []).append(place)
    for place, chain in chains.items():
        for other in itertools.chain.from_iterable(owners.get(key, []) for key in chain):
            if other != place and other not in place.parents and place not in other.parents:
                how = "is" if chain[0] == chains[other][0] else "lies in"
                raise UserError(
                    f"{place}: by links, this output {how} {other}, another output; "
                    "give each a folder of its own"
                )


def _leading_elsewhere(folder: Path) -> Iterator[Path]:
    """Yield what a manifest names and what may not lie where its path says: below ``folder``."""
    names: dict[str, set[str]] = {"": {"manifest.csv"}}
    for name in _named(folder):
        parent, _, file = name.rpartition("/")
        names.setdefault(parent, set()).add(file)
    seen = {folder}
    for parent, files in names.items():
        inner = folder / parent
        if (links := _links_among(inner, files)) is None:
            continue
        if not inner.is_relative_to(folder):
            yield inner
        for above in (inner, *inner.parents):
            if above in seen:
                break
            seen.add(above)
            if above.is_symlink() or above.name == "..":
                yield inner
        yield from links


def _links_among(folder: Path, files: set[str]) -> list[Path] | None:
    """Return which of some names in a folder are links; None where none of them is there."""
    try:
        with os.scandir(folder) as entries:  # says without another look what is a link
            found = [(entry.path, entry.is_symlink()) for entry in entries if entry.name in files]
    except PermissionError:  # it may not be listed; what lies there may be read all the same
        return [] if any(os.path.lexists(folder / name) for name in files) else None
    except (OSError, ValueError):  # a text that is too long for a name, or holds a zero
        return None
    if found or files & {"", ".", ".."}:  # what a path to a folder ends with
        return [Path(path) for path, is_link in found if is_link]
    return None


def _named(folder: Path) -> set[str]:
    """Return the cells that may be paths; what is wrong with a manifest, stage download says."""
    from equipoise.data import table as tables

    path, names = folder / "manifest.csv", set[str]()
    try:
        for cells in tables.parse(path).others().values():
            names.update(cells)
    except (OSError, ValueError, csv.Error):
        names.update(_readable(path))
    return names - {""}


def _readable(path: Path) -> Iterator[str]:
    """Yield the cells of a manifest that is damaged, up to where it cannot be read any more."""
    from equipoise.data.manifest import REQUIRED

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            columns = [n for n, name in enumerate(header) if name not in REQUIRED]
            for row in rows:
                yield from (row[n] for n in columns if n < len(row))
    except (OSError, ValueError, csv.Error):
        pass


def _chain(path: Path) -> list[Key]:
    """Return what the place is, and what it lies in, up to the root: links followed."""
    real = Path(os.path.realpath(path))
    return [_key(place) for place in (real, *real.parents)]


def _own(path: Path) -> Key:
    return _key(Path(os.path.realpath(path)))


def _key(place: Path) -> Key:
    """Return the same for the same place, also where a disk is mounted twice."""
    try:
        status = os.stat(place)  # noqa: PTH116
    except OSError:
        return str(place)
    return status.st_dev, status.st_ino
