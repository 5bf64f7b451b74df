"""What stands on two sides of the split, and what stands under two labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from equipoise.audit.samples import LISTED, Comparison, Samples
from equipoise.data.manifest import SUBSETS

Finding = dict[str, Any]


def leaks(samples: Samples, compared: Sequence[Comparison]) -> list[Finding]:
    """Return what is the same on two sides: for each pair of sides, how many of the later one.

    Returns:
        For each, ``samples`` of ``side`` (``of`` all of them) that are the same as one of
        ``other``; ``contents``: how many different ones; ``ids``: pairs of names.
    """
    found = []
    for one in compared:
        for other, side in combinations(SUBSETS, 2):
            first: dict[str, str] = {}
            for row, where, key in zip(samples.rows, samples.sides, one.keys, strict=True):
                if where == other and key:
                    first.setdefault(key, row.sample_id)
            here = [number for number, where in enumerate(samples.sides) if where == side]
            hits = [number for number in here if one.keys[number] in first]
            if hits:
                found.append(_leak(samples, one, (other, side), hits, len(here), first))
    return found


def _leak(
    samples: Samples,
    one: Comparison,
    sides: tuple[str, str],
    hits: Sequence[int],
    total: int,
    first: dict[str, str],
) -> Finding:
    other, side = sides
    return {
        **{"by": one.by, "modality": one.modality, "things": one.things},
        **{"side": side, "other": other, "official": samples.official},
        **{"samples": len(hits), "of": total, "share": share(len(hits), total)},
        "contents": len({one.keys[number] for number in hits}),
        "ids": [[samples.rows[n].sample_id, first[one.keys[n]]] for n in hits[:LISTED]],
    }


def contradictions(samples: Samples, compared: Sequence[Comparison]) -> list[Finding]:
    """Return what stands under several labels, and the best accuracy that is still possible.

    Who always answers with the most frequent label of what he sees is right in ``best_accuracy``
    of each side (``all``: of all): one minus what the labels of the same thing disagree in.
    """
    found = []
    for one in compared:
        labels: dict[str, set[str]] = defaultdict(set)
        for row, key in zip(samples.rows, one.keys, strict=True):
            labels[key].add(row.label)
        several = {key for key, names in labels.items() if key and len(names) > 1}
        if one.by == "group" or not several:
            continue
        hits = [number for number, key in enumerate(one.keys) if key in several]
        together: dict[str, list[list[str]]] = defaultdict(list)
        for number in hits:
            row = samples.rows[number]
            together[one.keys[number]].append([row.sample_id, row.label])
        found.append(
            {
                **{"by": one.by, "modality": one.modality, "things": one.things},
                **{"contents": len(several), "samples": len(hits), "of": len(samples.rows)},
                "share": share(len(hits), len(samples.rows)),
                "best_accuracy": _best(samples, one.keys),
                "ids": list(together.values())[:LISTED],
            }
        )
    return found


def _best(samples: Samples, keys: Sequence[str]) -> dict[str, float]:
    """Return the share of samples that have the most frequent label of their key, by side."""
    best = {}
    for side in (*SUBSETS, "all"):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        total = right = 0
        for row, where, key in zip(samples.rows, samples.sides, keys, strict=True):
            if side in (where, "all"):
                total += 1
                if key:
                    counts[key][row.label] += 1
                else:
                    right += 1
        right += sum(max(labels.values()) for labels in counts.values())
        if total:
            best[side] = share(right, total)
    return best


def share(count: int, total: int) -> float:
    """Return a share with six digits, so that files are the same on every machine."""
    return round(count / total, 6) if total else 0.0
