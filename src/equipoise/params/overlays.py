"""What an overlay makes of the parameters before it (docs/decisions/0003)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.errors import UserError, nearest
from equipoise.section import overlay

#: Tables of a data set with an entry for each modality.
_EACH = ("modalities", "encoders", "augment")


def laid_over(base: Mapping[str, Any], change: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return ``base`` with an overlay, the file ``where``, laid over it.

    Tables are merged key by key. The tables of methods are taken whole, and so is the choice of
    data sets; but an entry that does not say what a data set is, changes the one before it.

    Raises:
        UserError: It is not clear whether an entry is a data set or changes one, or which.
    """
    result = overlay(base, change)
    before, sets = base.get("datasets"), change.get("datasets")
    if isinstance(before, Mapping) and isinstance(sets, Mapping):
        for name, entry in sets.items():
            here = f"{where}: datasets.{name}"
            if name not in before and isinstance(entry, Mapping) and "modalities" not in entry:
                _expect_no_typo(name, before, here)
            result["datasets"][name] = _dataset(before.get(name), entry, here)
    return result


def _expect_no_typo(name: str, before: Mapping[str, Any], where: str) -> None:
    if (hint := nearest(name, before)).startswith("; did"):
        raise UserError(f"{where}: no modalities, and no data set before it has this name{hint}")


def _dataset(before: Any, entry: Any, where: str) -> Any:
    """Return a data set as an overlay leaves it; a setting is always taken whole."""
    if not (isinstance(before, Mapping) and isinstance(entry, Mapping)):
        return entry
    if "modalities" in entry and _stands_alone(entry["modalities"], where):
        return entry
    merged = {**before, **entry}
    for key in before.keys() & entry.keys():
        old, new = before[key], entry[key]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            merged[key] = {**old, **new}
            if key in _EACH:
                merged[key] |= {name: _changed(old.get(name), new[name], key) for name in new}
    return merged


def _stands_alone(modalities: Any, where: str) -> bool:
    """Return whether these are the modalities of a data set, not changes of some.

    Raises:
        UserError: Some are, and some are not.
    """
    if not isinstance(modalities, Mapping) or not modalities:
        return True
    said = {
        name: not isinstance(table, Mapping) or bool({"kind", "like"} & table.keys())
        for name, table in modalities.items()
    }
    if len(set(said.values())) == 2:
        one, other = (next(name for name in said if said[name] is is_) for is_ in (True, False))
        raise UserError(
            f"{where}.modalities: {one!r} says its kind and {other!r} does not; say all of them "
            "(the data set is then as it stands here), or none (what stands here is changed)"
        )
    return all(said.values())


def _changed(old: Any, new: Any, table: str) -> Any:
    """Return what a table says of a modality; an encoder with a name is taken whole."""
    if table == "encoders":
        if not isinstance(new, Mapping) or "name" in new:
            return new
        old = {"name": old} if isinstance(old, str) else old
    return {**old, **new} if isinstance(old, Mapping) and isinstance(new, Mapping) else new
