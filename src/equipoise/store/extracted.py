"""What stage extract says of its result: what the settings did to clips, and some to look at."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.modalities.base import Reader
from equipoise.store.features import FeatureStore
from equipoise.store.shards import Shard

#: Samples that the report shows, each of another class where there are enough.
SHOWN = 4
#: Clips that a summary names: those that it is most of.
NAMED = 20


def facts(parts: Iterable[Shard | None]) -> dict[str, dict[str, Any]]:
    """Summarise what the settings did to the kept clips.

    Returns:
        ``<modality>.<fact>`` to what :func:`summary` says.
    """
    values: dict[str, list[Any]] = {}
    for shard in parts:
        for name, array in (shard.facts if shard else {}).items():
            values.setdefault(name, []).append(array)
    joined = {name: np.concatenate(arrays) for name, arrays in values.items()}
    return {name: summary(array) for name, array in joined.items() if len(array)}


def summary(values: NDArray[Any]) -> dict[str, Any]:
    """Return ``clips`` (how many values are above 0), ``mean``, ``most``, and ``rows`` of the most.

    Args:
        values: (N,), one for each kept clip; rows count these.
    """
    most = np.argsort(-values, kind="stable")[:NAMED]
    return {
        "clips": int((values > 0).sum()),
        "mean": float(f"{values.mean(dtype=np.float64):.6g}") if len(values) else 0.0,
        "most": float(f"{values.max():.6g}") if len(values) else 0.0,
        "rows": [row for row in most.tolist() if values[row] > 0],
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
