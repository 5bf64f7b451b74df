"""``equipoise verify``: find damage in the project folder, in DVC's cache and in a remote.

DVC compares times before it compares content, trusts the names of objects, and fetches what a
remote holds unseen: a byte that flipped on a disk passes all three. Here every byte is read.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from equipoise import params
from equipoise.data import origin
from equipoise.errors import UserError
from equipoise.layout import PARAMS
from equipoise.parallel import on_all_cores
from equipoise.verify import counts, mend
from equipoise.verify.records import Record, Records, collect
from equipoise.verify.stores import (
    MISSING,
    Store,
    digests,
    open_cache,
    open_project,
    open_remote,
    unreadable,
)


@dataclass(frozen=True)
class Outcome:
    """What was found."""

    problems: list[str]
    """One line for each file or object that is missing or damaged: which, where, what to do."""
    read: dict[str, int]
    """Place to how many files or objects were read there."""


def verify(paths: Sequence[Path] = (), remote: str | None = None) -> Outcome:
    """Compare the content of files and objects with what is recorded of them.

    Read are the files of dvc.lock (of the grid of params.yaml), weights against their
    ``model.json`` and clips against their ``media.sha256``; every object of the cache, or with
    ``paths`` those of the files there; and of a remote the objects of the same dvc.lock.

    Args:
        paths: Files or folders to confine it to; none: everything. The name of a data set of
            params.yaml stands for all of its folders, and has its counts compared too.
        remote: Name of a remote to read too, or empty for the default one; None: no remote.

    Raises:
        UserError: No record of a path, or a remote that cannot be read.
    """
    paths, added = _named(paths)
    repo = open_project()
    if repo is None and remote is not None:
        raise UserError("no DVC repository here, so no remote; dvc init makes one")
    cache = open_cache(repo) if repo else None
    other = open_remote(repo, remote) if repo and remote is not None else None
    stores = [store for store in (cache, other) if store]
    records = collect(repo, stores)
    if paths:
        records = records.below(paths)
    files = _workspace(records)
    objects = {}
    for store in stores:
        names = set(records.objects)
        if store is cache and not paths:
            names.update(store.names())
        objects[store.title] = _objects(store, sorted(names))
    lines = [*mend.lines(mend.Found(records, files, stores, objects)), *_origins(paths), *added]
    read = {"the workspace": len(files), **{title: len(found) for title, found in objects.items()}}
    return Outcome(lines, read)


def _named(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the paths with folders in place of data sets, and what is wrong with their counts."""
    datasets = params.load(PARAMS).datasets if paths and PARAMS.exists() else {}
    found: list[Path] = []
    problems: list[str] = []
    for path in paths:
        if str(path) not in datasets:  # a folder of that name is a user's, which no record has
            found.append(path)
            continue
        problems += counts.problems(str(path), datasets[str(path)].download)
        found += counts.places(str(path))
    return found, problems


def _origins(paths: Sequence[Path]) -> Iterator[str]:
    """Yield a line for each file that is no longer as in the user's folder it came from."""
    if not PARAMS.exists():
        return
    wanted = [Path(os.path.relpath(path)) for path in paths] or [Path()]
    for dataset, entry in params.load(PARAMS).datasets.items():
        try:
            changes = origin.changes(dataset, entry.download)
        except UserError as error:
            yield f"data set {dataset}: its folder cannot be used any more: {error}"
            continue
        for path, why in changes:
            if any(path.is_relative_to(one) for one in wanted):
                yield f"{path}: {why}; take it over: snakemake --cores all (or dvc repro)"


def _workspace(records: Records) -> dict[Path, str]:
    """Return path -> what is wrong with the file, or nothing."""
    found = on_all_cores(_state, records.files, "verify the workspace")
    states = {record.path: state for record, state in zip(records.files, found, strict=True)}
    for record in records.files:
        # Weights that are as DVC recorded them are not to blame for a card that is not.
        voucher = record.voucher
        if (
            record.md5
            and voucher
            and states.get(voucher)
            and states[record.path] == _differs(voucher)
        ):
            states[record.path] = ""
    return states | {path: states.get(path) or why for path, why in records.broken.items()}


def _state(record: Record) -> str:
    sums = {"md5": record.md5, "sha256": record.sha256}
    names = [name for name, value in sums.items() if value]
    try:
        with record.path.open("rb") as file:
            found = dict(zip(names, digests(file, *names), strict=True))
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return unreadable(error)
    if found.get("md5", "") != record.md5:
        return _differs(Path("dvc.lock"))
    if found.get("sha256", "") != record.sha256 and record.voucher:
        return _differs(record.voucher)
    return ""


def _differs(source: Path) -> str:
    return f"not as in {source}"


def _objects(store: Store, names: list[str]) -> dict[str, str]:
    """Return name -> what is wrong with the object, or nothing."""
    found = on_all_cores(store.state, names, f"verify {store.title}", store.workers)
    return dict(zip(names, found, strict=True))
