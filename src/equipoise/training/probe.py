"""A linear model on what an encoder would be given: does a modality tell the classes at all?

Nothing deep is trained: this answers in seconds, before a study. It cannot see what only a trained
encoder sees, so that "at chance" here is a reason to look, and no proof.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise import layout
from equipoise.evaluation.alone import Alone
from equipoise.store.inputs import open_inputs
from equipoise.training.data import Data, read_split

#: Samples of each side that are looked at, evenly spread.
ROWS = 2000
#: Numbers of a sample, at most: longer axes are halved by means of neighbours until it fits.
NUMBERS = 2048
BATCH = 64
#: Larger features are read row by row.
RESIDENT_GIB = 1.0
#: Strengths of the ridge penalty; the training rows choose, leaving one out each.
ALPHAS = tuple(10.0**power for power in range(-1, 6))


def probe(dataset: str) -> dict[str, Alone]:
    """Fit a ridge classifier for each modality on training rows, and score validation rows.

    Raises:
        UserError: Stages extract, split and embed have not run.
    """
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with open_inputs(dataset) as store:
        split = read_split(layout.split(dataset)["split"], store.sample_ids)
        data = Data(store, split, torch.device("cpu"), RESIDENT_GIB)
        train, val = (_spread(split[side]) for side in ("train", "val"))
        seen, asked = (dict(_pooled(data, rows)) for rows in (train, val))
        labels = {side: data.labels[rows] for side, rows in (("train", train), ("val", val))}
    found = {}
    for name in sorted(seen):
        model = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=ALPHAS))
        right = model.fit(seen[name], labels["train"]).predict(asked[name]) == labels["val"]
        chance = float(np.bincount(labels["val"]).max()) / len(val)
        how = f"a linear model of {len(train)} training samples has"
        found[name] = Alone(float(right.mean()), len(val), chance, how)
    return found


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most :data:`ROWS` of them, evenly spread."""
    if len(rows) <= ROWS:
        return rows
    chosen: NDArray[np.int64] = rows[np.linspace(0, len(rows) - 1, ROWS).round().astype(np.int64)]
    return chosen


def _pooled(data: Data, rows: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield modality and (N, numbers) of these rows."""
    parts: dict[str, list[Tensor]] = {name: [] for name in data.modalities}
    for batch in data.ordered(rows, BATCH):
        for name, inputs in batch.inputs.items():
            parts[name].append(pooled(inputs))
    for name, found in parts.items():
        yield name, torch.cat(found).numpy()


def pooled(inputs: Tensor) -> Tensor:
    """Return (B, at most NUMBERS) of prepared inputs (B, ...), float32.

    Numbers are averaged over neighbours, the longest axis first. Whole numbers are tokens (B, 2,
    length), ids and where there is one: of them, how often each stands there, by remainder.
    """
    if not inputs.is_floating_point():
        ids, there = inputs.unbind(1)
        counts = torch.zeros(len(ids), NUMBERS)
        return counts.scatter_add_(1, ids % NUMBERS, there.float())
    found = inputs.float()
    while found[0].numel() > NUMBERS:
        axis = 1 + int(np.argmax(found.shape[1:]))
        found = _halved(found, axis)
    return found.flatten(1)


def _halved(values: Tensor, axis: int) -> Tensor:
    """Average pairs of neighbours along an axis; an odd last one stays as it is."""
    turned = values.transpose(1, axis)
    batch, length, *rest = turned.shape
    even = turned[:, : length - length % 2].reshape(batch, length // 2, 2, *rest).mean(2)
    return torch.cat([even, turned[:, length - length % 2 :]], 1).transpose(1, axis)
