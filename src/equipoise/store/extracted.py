"""What stage extract says of its result: what the settings did to clips, and some to look at."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.modalities.base import Reader
from equipoise.store.features import FeatureStore

#: Samples that the report shows, each of another class where there are enough.
SHOWN = 4
#: Clips that a summary names: those that it is most of.
NAMED = 20


@dataclass(frozen=True)
class Facts:
    """What the settings did to some clips: ``<modality>.<fact>`` to its sums, few rows by name."""

    clips: int
    above: dict[str, int]
    """How many clips it is above 0 of."""
    sums: dict[str, float]
    most: dict[str, list[tuple[float, int]]]
    """The greatest values above 0, NAMED of them at most, each with the row of its clip."""

    @classmethod
    def of(cls, clips: int, facts: Mapping[str, NDArray[Any]]) -> Facts:
        """Sum up the facts of so many clips: each (clips,)."""
        kept = {name: array for name, array in facts.items() if len(array)}
        return cls(
            clips,
            {name: int((array > 0).sum()) for name, array in kept.items()},
            {name: float(array.sum(dtype=np.float64)) for name, array in kept.items()},
            {name: _most(array) for name, array in kept.items()},
        )


def _most(values: NDArray[Any]) -> list[tuple[float, int]]:
    rows = np.argsort(-values, kind="stable")[:NAMED].tolist()
    return [(float(values[row]), row) for row in rows if values[row] > 0]


def summary(parts: Iterable[Facts]) -> dict[str, dict[str, Any]]:
    """Summarise what the settings did to the kept clips.

    Args:
        parts: Of all shards, in order: the last digits of a sum depend on it.

    Returns:
        ``<modality>.<fact>`` to ``clips`` (how many it is above 0 of), ``mean``, ``most``, and
        ``rows`` of the most, counting these clips.
    """
    some = [part for part in parts if part.clips]
    starts = np.cumsum([0, *(part.clips for part in some)]).tolist()
    total, found = starts[-1], {}
    for name in some[0].sums if some else ():
        pairs = [
            (value, start + row)
            for start, part in zip(starts, some, strict=False)
            for value, row in part.most[name]
        ]
        pairs.sort(key=lambda pair: (-pair[0], pair[1]))
        found[name] = {
            "clips": sum(part.above[name] for part in some),
            "mean": float(f"{sum(part.sums[name] for part in some) / total:.6g}"),
            "most": float(f"{pairs[0][0]:.6g}") if pairs else 0.0,
            "rows": [row for _, row in pairs[:NAMED]],
        }
    return found


def samples(features: Path, readers: Mapping[str, Reader[Any]]) -> list[dict[str, Any]]:
    """Draw a few samples: the first of as many classes as are shown.

    Returns:
        For each ``sample_id``, ``label`` and ``modalities``: name to ``png`` (base64) and ``text``.
    """
    drawn = []
    with FeatureStore(features) as store:
        first = np.unique(store.labels, return_index=True)[1].tolist()
        for row in sorted(first)[:SHOWN]:
            modalities = {}
            for name, reader in readers.items():
                shown = reader.show(store.row(name, row))
                picture = base64.b64encode(shown.png).decode("ascii")
                modalities[name] = {"png": picture, "text": shown.text}
            label = store.classes[store.labels[row]]
            ids = store.sample_ids[row]
            drawn.append({"sample_id": ids, "label": label, "modalities": modalities})
    return drawn
