"""What stage extract says of its result: what the settings did to clips, and some to look at."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.modalities.base import Reader
from equipoise.store.features import FeatureStore
from equipoise.store.shards import Shard

#: Samples that the report shows, each of another class where there are enough.
SHOWN = 4


def facts(parts: Iterable[Shard | None]) -> dict[str, dict[str, float]]:
    """Summarise what the settings did to the kept clips.

    Returns:
        ``<modality>.<fact>`` to ``clips`` (how many it is above 0 of), ``mean`` and ``most``.
    """
    values: dict[str, list[Any]] = {}
    for shard in parts:
        for name, array in (shard.facts if shard else {}).items():
            values.setdefault(name, []).append(array)
    joined = {name: np.concatenate(arrays) for name, arrays in values.items()}
    return {
        name: {
            "clips": int((array > 0).sum()),
            "mean": float(f"{array.mean(dtype=np.float64):.6g}"),
            "most": float(f"{array.max():.6g}"),
        }
        for name, array in joined.items()
        if len(array)
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
