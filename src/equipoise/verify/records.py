"""What is recorded of each file in the project folder: by DVC, by model cards, by media lists."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise import files, layout, vouch
from equipoise.data.published import COVERAGE
from equipoise.errors import UserError
from equipoise.verify.stores import Store

if TYPE_CHECKING:
    from dvc.repo import Repo


#: What is wrong with the card of a model whose teacher is no longer the one that taught it.
TAUGHT = "taught by other weights than those of"


#: The records that vouch for themselves and the files beside them, in any data set, method, seed.
_RECORDS = (
    layout.raw("*")["manifest"].with_name(COVERAGE),
    layout.features("*")["record"],
    layout.split("*")["record"],
    layout.embed("*")["record"],
    layout.gap("*", "*")["fit"],
    layout.search("*", "*")["chosen"],
    layout.evaluate("*", "*", "*")["metrics"],
    layout.audit("*")["audit"],
)


@dataclass(frozen=True)
class Record:
    """What the bytes of one file in the project folder must be."""

    path: Path
    md5: str = ""
    """By DVC, or empty: DVC does not record this file."""
    stored: bool = False
    """DVC keeps the content as an object named by ``md5``; otherwise git has the file."""
    listing: str = ""
    """Name of the object that lists the folder which the file is part of, or empty."""
    sha256: str = ""
    """By :attr:`voucher`, or empty."""
    voucher: Path | None = None
    """The ``model.json`` or ``media.sha256`` that gives the sha256."""


@dataclass(frozen=True)
class Records:
    """All records, and the objects that DVC has (or should have) of them."""

    files: list[Record]
    objects: dict[str, list[Path]]
    """Name of an object, ``<md5>`` or ``<md5>.dir``, to the files or the folder it belongs to."""
    broken: dict[Path, str]
    """A ``model.json`` or ``media.sha256`` that cannot be read, and why; or a ``model.json`` that
    names other weights of its teacher (:data:`TAUGHT`)."""

    def below(self, paths: Iterable[Path]) -> "Records":
        """Return the records of files at or below ``paths``.

        Raises:
            UserError: One of ``paths`` has no record.
        """
        wanted = [Path(os.path.relpath(path)) for path in paths]
        for path in wanted:
            if not any(record.path.is_relative_to(path) for record in self.files):
                raise UserError(
                    f"{path}: no file there is recorded in dvc.lock, a model.json or a "
                    "media.sha256; workflow/scripts/record records results"
                )

        def meant(path: Path) -> bool:
            return any(path.is_relative_to(one) for one in wanted)

        kept = [record for record in self.files if meant(record.path)]
        names = {name for record in kept for name in (record.md5, record.listing)}
        objects = {name: owners for name, owners in self.objects.items() if name in names}
        return Records(kept, objects, {k: v for k, v in self.broken.items() if meant(k)})


def collect(repo: "Repo | None", stores: Iterable[Store]) -> Records:
    """Return what is recorded; the files within a folder of DVC's are read off its listing.

    A folder whose listing is whole in none of ``stores`` has no md5 for its files.
    """
    found: dict[Path, Record] = {}
    objects: dict[str, list[Path]] = {}
    for record in _of_dvc(repo, list(stores), objects) if repo else ():
        found[record.path] = record
        if record.stored:
            objects.setdefault(record.md5, []).append(record.path)
    broken: dict[Path, str] = {}
    for record in _of_vouchers(broken):
        known = found.get(record.path, record)
        found[record.path] = replace(known, sha256=record.sha256, voucher=record.voucher)
    broken |= _of_teachers(broken)
    return Records([found[path] for path in sorted(found)], objects, broken)


def _of_dvc(repo: "Repo", stores: list[Store], objects: dict[str, list[Path]]) -> Iterator[Record]:
    """Yield what dvc.lock says of the grid of params.yaml; add listings to ``objects``."""
    for out in repo.index.outs:
        if not out.hash_info:
            continue  # never recorded
        path, name = Path(os.path.relpath(out.fs_path)), str(out.hash_info.value)
        if not out.hash_info.isdir:
            yield Record(path, name, out.use_cache)
            continue
        objects.setdefault(name, []).append(path)
        listings = (store.listing(name) for store in stores)
        for part, md5 in next(filter(None, listings), {}).items():
            yield Record(path / part, md5, True, name)


def _of_vouchers(broken: dict[Path, str]) -> Iterator[Record]:
    """Yield what model cards say of weights, and lists of media of clips."""
    for place, read in (
        (layout.warmup("*", "*")["model"], _weights),
        (layout.train("*", "*", "*")["model"], _weights),
        (layout.raw("*")["checksums"], files.read_sha256),
        *((place, _named) for place in _RECORDS),
        (layout.compare()["metrics"], _compared),
        (layout.compare()["crate"], _crate),
    ):
        for voucher in sorted(Path().glob(str(place))):
            try:
                sums = read(voucher)
            except (OSError, UserError, ValueError, TypeError, AttributeError) as error:
                reason, _, _ = str(error).removeprefix(f"{voucher}: ").partition("; ")
                broken[voucher] = f"cannot be read ({reason})"
                continue
            yield Record(voucher)
            for name, sha256 in sums.items():
                yield Record(voucher.parent / name, sha256=sha256, voucher=voucher)


def _of_teachers(broken: Mapping[Path, str]) -> dict[Path, str]:
    """Return the cards of trained models that name other weights of their teacher, and why."""
    paths = sorted(Path().glob(str(layout.train("*", "*", "*")["model"])))
    cards = {path: _card(path) for path in paths if path not in broken}
    found = {}
    for path, card in cards.items():
        settings = card.get("settings")
        name = settings.get("teacher") if isinstance(settings, Mapping) else None
        taught = card.get("teacher_sha256")
        teacher = path.parents[2] / str(name) / path.parent.name / path.name
        if taught and teacher in cards and taught != cards[teacher]["weights_sha256"]:
            found[path] = f"{TAUGHT} {teacher.parent}"
    return found


def _card(path: Path) -> dict[str, Any]:
    card: dict[str, Any] = files.read_json(path, "restore it")
    return card


def _weights(card: Path) -> dict[str, str]:
    weights = layout.train("", "", "")["weights"].name
    told = _card(card)
    vouch.expect_card(card, told)
    return {weights: str(told["weights_sha256"]), **_sums(told)}


def _named(record: Path) -> dict[str, str]:
    """Return the checksums of the files that a record vouches for."""
    return _sums(vouch.read(record, "run its stage again"))


def _compared(numbers: Path) -> dict[str, str]:
    from equipoise.evaluation.comparison import read_numbers

    return _sums(read_numbers(numbers))


def _crate(path: Path) -> dict[str, str]:
    from equipoise.evaluation.crate import expect_itself

    expect_itself(path)
    return {}  # of its files, the records themselves tell


def _sums(record: Mapping[str, Any]) -> dict[str, str]:
    entries = record.get(vouch.KEY, {})
    if not isinstance(entries, Mapping):
        raise TypeError(f"{vouch.KEY!r} is no table")
    return {name: str(entry["sha256"]) for name, entry in entries.items()}
