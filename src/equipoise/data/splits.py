"""Which sample is for training, validation and test; and the proof that nothing leaks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from equipoise.data.manifest import REQUIRED, SUBSETS, Manifest
from equipoise.data.table import Table
from equipoise.errors import UserError
from equipoise.params import Split

S = TypeVar("S", bound=Split)

#: Starts of the greedy assignment of groups; the best of them is taken.
_TRIES = 16


@dataclass(frozen=True)
class Samples:
    """What a split is made from, sample by sample."""

    sample_ids: Sequence[str]
    labels: Sequence[str]
    groups: Sequence[str]
    """Empty where a sample has none."""
    official: Sequence[str]
    """The manifest's split column."""


def resolve(samples: Samples, settings: S) -> S:
    """Return the settings with protocol ``auto`` replaced by what the manifest allows.

    Raises:
        UserError: A column is filled in part: leaving it out would test on what it protects.
    """
    if settings.protocol != "auto":
        return settings
    protocol = "random"
    if any(samples.official):
        _need(samples, samples.official, "split", "name another split.protocol")
        protocol = "official"
    elif any(samples.groups):
        _need(samples, samples.groups, "group", "name another split.protocol")
        protocol = "group_disjoint"
    return settings.model_copy(update={"protocol": protocol})


def assign(samples: Samples, settings: Split) -> tuple[list[str], str]:
    """Give every sample its subset; the same input gives the same answer.

    ``random`` takes the fractions of every class. ``group_disjoint`` keeps whole groups together
    and comes as close to these fractions as they allow. ``official`` takes the manifest's column;
    where it names no ``val``, that fraction is cut from its training part: by whole groups if every
    training sample has one (the validation then asks what a group-disjoint test asks), else by
    class.

    Args:
        samples: What to split.
        settings: With a protocol other than ``auto`` (see :func:`resolve`).

    Returns:
        ``train``, ``val`` or ``test`` for each sample, and where validation came from:
        ``manifest``, ``groups`` or ``classes``.

    Raises:
        UserError: Fractions that leave no training part, a sample without group or split, a subset
            without one of the classes.
    """
    fractions = np.array(
        [
            1 - settings.val_fraction - settings.test_fraction,
            settings.val_fraction,
            settings.test_fraction,
        ]
    )
    if fractions[0] <= 0 and settings.protocol != "official":
        raise UserError(
            f"split: val_fraction {settings.val_fraction:g} and test_fraction "
            f"{settings.test_fraction:g} leave nothing for training"
        )
    labels = _numbered(samples.labels)[1]
    if settings.protocol == "random":
        found, origin = _by_class(labels, fractions, settings.seed), "classes"
    elif settings.protocol == "group_disjoint":
        _need(samples, samples.groups, "group", "choose protocol random or official")
        found, origin = _by_group(labels, samples.groups, fractions, settings.seed), "groups"
    else:
        found, origin = _official(samples, labels, settings)
    subset = [SUBSETS[number] for number in found]
    _check_classes(samples, subset, settings)
    return subset, origin


def of_manifest(manifest: Manifest, settings: Split) -> list[str]:
    """Return the subset of each row of a manifest, as stage split will assign it if all are kept.

    Raises:
        UserError: The split cannot be made.
    """
    samples = samples_of(manifest)
    return assign(samples, resolve(samples, settings))[0]


def of_table(table: Table, settings: Split) -> list[str]:
    """Return what :func:`of_manifest` does, of a manifest by columns.

    Raises:
        UserError: The split cannot be made.
    """
    ids, labels, official, groups = (table.columns[name] for name in REQUIRED)
    samples = Samples(ids, labels, groups, official)
    return assign(samples, resolve(samples, settings))[0]


def samples_of(manifest: Manifest) -> Samples:
    """Return what a split looks at, of every row of a manifest."""
    return Samples(
        [row.sample_id for row in manifest.rows],
        [row.label for row in manifest.rows],
        [row.group for row in manifest.rows],
        [row.split for row in manifest.rows],
    )


def leaks(subset: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the names (of groups, or of samples) that stand in more than one subset, sorted.

    Args:
        subset: Subset of each sample.
        names: Group of each sample, or its identifier; empty ones belong to nobody.
    """
    where: dict[str, set[str]] = {}
    for side, name in zip(subset, names, strict=True):
        where.setdefault(name, set()).add(side)
    return sorted(name for name, sides in where.items() if name and len(sides) > 1)


def _need(samples: Samples, values: Sequence[str], what: str, advice: str) -> None:
    lacking = [name for name, value in zip(samples.sample_ids, values, strict=True) if not value]
    if lacking:
        raise UserError(
            f"split: {len(lacking)} samples have no {what} in the manifest, "
            f"first {lacking[0]!r}; fill the column or {advice}"
        )


def _official(
    samples: Samples, labels: NDArray[np.int64], settings: Split
) -> tuple[NDArray[np.int64], str]:
    _need(samples, samples.official, "split", "choose another protocol")
    found = np.array([SUBSETS.index(name) for name in samples.official], np.int64)
    if (found == SUBSETS.index("val")).any():
        return found, "manifest"
    training = np.flatnonzero(found == SUBSETS.index("train"))
    fractions = np.array([1 - settings.val_fraction, settings.val_fraction])
    groups = [samples.groups[row] for row in training.tolist()]
    if all(groups) and len(set(groups)) > 1:
        found[training] = _by_group(labels[training], groups, fractions, settings.seed)
        return found, "groups"
    found[training] = _by_class(labels[training], fractions, settings.seed)
    return found, "classes"


def _numbered(names: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Return every name once, sorted, and the place of each there: numpy sorts a million texts."""
    known = sorted(set(names))
    place = {name: at for at, name in enumerate(known)}
    return known, np.fromiter(map(place.__getitem__, names), np.int64, len(names))


def _by_class(
    labels: NDArray[np.int64], fractions: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """Shuffle each class and cut it; every part but the first has at least one of each class."""
    random = np.random.default_rng(seed)
    found = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        total = len(rows)
        for part in range(1, len(fractions)):
            count = max(1, round(total * float(fractions[part])))
            taken, rows = rows[:count], rows[count:]
            found[taken] = part
    return found


def _by_group(
    labels: NDArray[np.int64], groups: Sequence[str], fractions: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """Assign whole groups so that no part lacks a class and class counts come near the wanted ones.

    Ties between groups of one size are broken by the seed; of several starts the one that leaves no
    class out of a part and then the one with the smallest distance is taken (see :func:`_place`).
    """
    names, members = _numbered(groups)
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (members, labels), 1)
    counts = counts[:, counts.sum(axis=0) > 0]
    wanted = fractions[:, None] * counts.sum(axis=0)
    random = np.random.default_rng(seed)
    shuffled = [random.permutation(len(names)) for _ in range(_TRIES)]
    orders = [one[np.argsort(-counts[one].sum(axis=1), kind="stable")] for one in shuffled]
    best = min((_place(order, counts, wanted) for order in orders), key=lambda tried: tried[:2])
    if best[0]:
        careful = (_place(order, counts, wanted, careful=True) for order in orders)
        best = min(best, *careful, key=lambda tried: tried[:2])
    found: NDArray[np.int64] = best[2][members]
    return found


def _place(
    order: NDArray[np.int64],
    counts: NDArray[np.float64],
    wanted: NDArray[np.float64],
    careful: bool = False,
) -> tuple[int, float, NDArray[np.int64]]:
    """Put each group, in this order, where it brings the class counts nearest to the wanted ones.

    Distance is chi-square: squared difference to the wanted count of a class in a part, divided by
    that count.

    Args:
        order: Of the G groups.
        counts: ``(G, C)`` samples of each class.
        wanted: ``(3, C)`` of each class in each part.
        careful: When no more groups of a class are left than parts lack it, only those parts count.

    Returns:
        How many classes are left out of a part, the distance, and the part of each group.
    """
    placed, held = np.zeros(len(counts), np.int64), np.zeros_like(wanted)
    left = (counts > 0).sum(axis=0)
    for group in order:
        distance = (counts[group] * (2 * (held - wanted) + counts[group]) / wanted).sum(axis=1)
        if careful:
            lacking = held == 0
            urgent = (counts[group] > 0) & (left <= lacking.sum(axis=0))
            lacks = lacking[:, urgent].any(axis=1)
            distance[~lacks & lacks.any()] = np.inf
        placed[group] = int(np.argmin(distance))
        held[placed[group]] += counts[group]
        left -= counts[group] > 0
    return int((held == 0).sum()), float(((held - wanted) ** 2 / wanted).sum()), placed


def _check_classes(samples: Samples, subset: Sequence[str], settings: Split) -> None:
    have = Counter(zip(subset, samples.labels, strict=True))
    for side in SUBSETS:
        for label in sorted(set(samples.labels)):
            if not have[side, label]:
                raise UserError(
                    f"split: protocol {settings.protocol} leaves no sample of class {label!r} in "
                    f"{side} ({samples.labels.count(label)} in all); add clips or groups, change "
                    "the fractions or the protocol"
                )
