"""What stage extract says of its result: what the settings did to clips, and some to look at."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.modalities.base import Reader
from equipoise.store.features import FeatureStore
from equipoise.store.shards import Shard

#: Samples that the report shows, each of another class where there are enough.
SHOWN = 4


@dataclass(frozen=True)
class Facts:
    """What the settings did to some clips: ``<modality>.<fact>`` to its sums, no row by itself."""

    clips: int
    above: dict[str, int]
    """How many clips it is above 0 of."""
    sums: dict[str, float]
    most: dict[str, float]

    @classmethod
    def of(cls, shard: Shard) -> Facts:
        """Sum up a shard."""
        kept = {name: array for name, array in shard.facts.items() if len(array)}
        return cls(
            len(shard.kept),
            {name: int((array > 0).sum()) for name, array in kept.items()},
            {name: float(array.sum(dtype=np.float64)) for name, array in kept.items()},
            {name: float(array.max()) for name, array in kept.items()},
        )


def summary(parts: Iterable[Facts]) -> dict[str, dict[str, float]]:
    """Summarise what the settings did to the kept clips.

    Args:
        parts: Of all shards, in order: the last digits of a sum depend on it.

    Returns:
        ``<modality>.<fact>`` to ``clips`` (how many it is above 0 of), ``mean`` and ``most``.
    """
    some = [part for part in parts if part.clips]
    total = sum(part.clips for part in some)
    return {
        name: {
            "clips": sum(part.above[name] for part in some),
            "mean": float(f"{sum(part.sums[name] for part in some) / total:.6g}"),
            "most": float(f"{max(part.most[name] for part in some):.6g}"),
        }
        for name in (some[0].sums if some else ())
    }


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
