"""Findings as lines: which file, where, what is wrong, and how to mend it.

The ways to mend remove a bad copy before DVC brings a good one: DVC leaves alone what is there and
has the right name, size and time.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from equipoise import layout
from equipoise.data.published import COVERAGE
from equipoise.verify.records import TAUGHT, Record, Records
from equipoise.verify.stores import MISSING, Store

#: What differs from dvc.lock need not be damaged.
NEWER = " (unless a newer run made it: workflow/scripts/record)"


#: Folders of more than one job, which are not removed for the sake of one file.
_SHARED = (layout.compare()["metrics"].parent, layout.audit("")["audit"].parent)


@dataclass(frozen=True)
class Found:
    """All that was found, for advice that takes one place into account for another."""

    records: Records
    files: Mapping[Path, str]
    """Path to what is wrong, or nothing."""
    stores: Sequence[Store]
    """The cache, then a remote; none without DVC."""
    objects: Mapping[str, Mapping[str, str]]
    """Title of a store to name of an object to what is wrong, or nothing."""

    def whole_file(self, name: str) -> Path | None:
        """Return a file of the workspace with the content of that object."""
        owners = self.records.objects.get(name, ())
        return next((path for path in owners if self.files.get(path) == ""), None)

    def cached(self, name: str) -> bool:
        """Whether the cache has that object whole."""
        return bool(self.stores) and self.objects[self.stores[0].title].get(name) == ""


def lines(found: Found) -> list[str]:
    """Return one line for each file or object that is missing or not whole."""
    return [*_files(found), *(line for store in found.stores for line in _objects(found, store))]


def _files(found: Found) -> Iterator[str]:
    by_path = {record.path: record for record in found.records.files}
    for path, state in sorted(found.files.items()):
        if state:
            record = by_path.get(path)
            newer = NEWER if record and record.md5 else ""
            if state == MISSING or state.startswith(TAUGHT):
                newer = ""
            yield f"{path}: {state}{newer}; mend: {_mend_file(found, record, path, state)}"


def _mend_file(found: Found, record: Record | None, path: Path, state: str) -> str:
    name = shlex.quote(str(path))
    if record is None or not record.md5 or state.startswith(TAUGHT):
        made = (record and record.voucher) or path
        if made.parent in _SHARED:
            return f"rm -f {name} && {_make(path)}"
        return f"rm -r {shlex.quote(str(made.parent))} && {_make(made)}"
    if not record.stored:
        # Git need not have it: `dvc repro` alone commits nothing.
        return f"git checkout -- {name} || (rm -f {name} && {_make(path)})"
    way = f"dvc {'checkout' if found.cached(record.md5) else 'pull'} {name}"
    return way if state == MISSING else f"rm -f {name} && {way}"


def _make(path: Path) -> str:
    """Return the command for that file and what depends on it.

    It is named: plain ``snakemake`` misses no file of a job whose later results are there.
    """
    if path.name == COVERAGE:  # no output of the rule: stage download writes it where it must
        path = path.with_name(layout.raw("")["checksums"].name)
    return f"snakemake --cores all {shlex.quote(str(path))} all"


def _objects(found: Found, store: Store) -> Iterator[str]:
    is_cache = store is found.stores[0]
    for name, state in found.objects[store.title].items():
        owners = found.records.objects.get(name, [])
        if not state or (is_cache and state == MISSING and _said(found, owners)):
            continue
        mend = _mend_cache if is_cache else _mend_remote
        yield (
            f"{_owners(owners, name)}: {state} in {store.title} ({store.location(name)}); "
            f"mend: {mend(found, store, name, owners, state)}"
        )


def _said(found: Found, owners: Sequence[Path]) -> bool:
    """Whether lines of the workspace already tell that a file has to be fetched."""
    return bool(owners) and all(found.files.get(path) == MISSING for path in owners)


def _owners(owners: Sequence[Path], name: str) -> str:
    if not owners:
        return "no file of this commit"
    more = f" and {len(owners) - 3} more" if len(owners) > 3 else ""
    what = "list of files of " if name.endswith(".dir") else ""
    return what + ", ".join(map(str, owners[:3])) + more


def _mend_cache(found: Found, store: Store, name: str, owners: Sequence[Path], state: str) -> str:
    place = shlex.quote(store.location(name))
    if good := found.whole_file(name):
        return f"install -D -m 444 {shlex.quote(str(good))} {place}"
    remove = "" if state == MISSING else f"rm -f {place}"
    fetch = f"dvc fetch {shlex.quote(str(owners[0]))}" if owners else ""
    return " && ".join(filter(None, (remove, fetch)))


def _mend_remote(found: Found, store: Store, name: str, owners: Sequence[Path], state: str) -> str:
    listings = {r.listing for r in found.records.files if r.md5 == name and r.listing}
    # DVC takes it that a remote with the list of a folder has all files of the folder.
    stale = sorted({*listings, *([] if state == MISSING else [name])})
    push = f"dvc push --remote {shlex.quote(store.name)} {shlex.quote(str(owners[0]))}"
    first = "" if found.cached(name) else "mend the cache first; "
    if not stale:
        return first + push
    places = [shlex.quote(store.location(one)) for one in stale]
    if store.local:
        return f"{first}rm -f {' '.join(places)} && {push}"
    return f"{first}delete {' and '.join(places)}, then {push}"
