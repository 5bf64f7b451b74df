"""Stage embed: run the encoders that are frozen as a whole once, not in every step."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from equipoise import files, layout, vouch
from equipoise.console import log, progress
from equipoise.params import EmbedJob
from equipoise.stages.job import Job

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from equipoise.store.features import FeatureStore
    from equipoise.store.join import Plan
    from equipoise.store.shards import Shard
    from equipoise.training.embedding import Embedder

ROWS = 256
"""Samples in one shard: the unit of work that is kept when the stage is interrupted."""


def run(job: Job, settings: EmbedJob) -> None:
    """Write embeddings.h5, a feature store of the embedded modalities (maybe none), and embed.json.

    An encoder that ``freeze: body`` keeps as it is always gives the same: what stem and body make
    of each sample is stored, and training reads that in place of the sample.

    Raises:
        UserError: Features or split are missing, or weights that cannot be had or do not fit.
    """
    from equipoise.store.features import SCHEMA_VERSION, FeatureStore
    from equipoise.store.inputs import identity
    from equipoise.store.join import join

    frozen = {m: one for m, one in settings.encoders.items() if one.freeze == "body"}
    outputs = layout.embed(job.dataset)
    with FeatureStore(layout.features(job.dataset)["features"]) as store:
        embedders = _embedders(job, settings, store) if frozen else {}
        made_with = {
            m: {"weights": one.origin.model_dump(), "before": one.normalisation.model_dump()}
            for m, one in embedders.items()
        }
        attributes: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "dataset": job.dataset,
            "classes": json.dumps(store.classes, ensure_ascii=False),
            "features": identity(store),
            "encoders": json.dumps({m: one.model_dump() for m, one in frozen.items()}),
            "modalities": json.dumps({m: store.tables[m] for m in embedders}),
            "made_with": json.dumps(made_with, sort_keys=True),
        }
        state = layout.state("embed", job.dataset)
        scratch = state / files.digest(attributes)
        plan = _plan(store, embedders, attributes)
        paths = _shards(store, embedders, scratch, plan)
        join(outputs["embeddings"], paths, plan)
        record = {"samples": len(store), "made_with": made_with, "shapes": _shapes(plan)}
    vouch.write(outputs["record"], {"dataset": job.dataset, **record}, outputs["embeddings"])
    shutil.rmtree(state, ignore_errors=True)
    log.info(
        "%s: embedded %s", job.dataset, ", ".join(embedders) or "nothing: no encoder is frozen"
    )


def _shards(
    store: FeatureStore, embedders: dict[str, Embedder], scratch: Path, plan: Plan
) -> list[tuple[Path, int]]:
    """Have all shards on disk, and return path and rows of each; an interrupted job left some."""
    from equipoise.store import shards

    parts = [(start, min(start + ROWS, len(store))) for start in range(0, len(store), ROWS)]
    paths = []
    with progress(len(store), "embed") as bar:
        for number, (start, stop) in enumerate(parts):
            path = scratch / f"{number:06d}.npz"
            if shards.read(path, stop - start, plan.shapes) is None:
                shards.write(path, _shard(store, embedders, start, stop))
            paths.append((path, stop - start))
            bar.advance(stop - start)
    return paths


def _embedders(job: Job, settings: EmbedJob, store: FeatureStore) -> dict[str, Embedder]:
    from equipoise.training.data import read_split
    from equipoise.training.device import make_deterministic, pick_device
    from equipoise.training.embedding import embedders

    device = pick_device(job.runtime.device)
    make_deterministic(device, job.threads)
    split = read_split(layout.split(job.dataset)["split"], store.sample_ids)
    return embedders(store, settings.encoders, split["train"], device)


def _plan(store: FeatureStore, embedders: dict[str, Embedder], attributes: dict[str, Any]) -> Plan:
    from equipoise.store.join import Plan

    return Plan(
        shapes={m: ((one.width,), "float32") for m, one in embedders.items()},
        labels=store.labels.tolist(),
        sample_ids=store.sample_ids,
        groups=store.groups,
        attributes=attributes,
    )


def _shapes(plan: Plan) -> dict[str, list[int]]:
    return {m: list(shape) for m, (shape, _) in plan.shapes.items()}


def _shard(store: FeatureStore, embedders: dict[str, Embedder], start: int, stop: int) -> Shard:
    import numpy as np

    from equipoise.store.shards import Shard

    arrays: dict[str, NDArray[np.float32]] = {
        m: one.embed(store.rows(m, start, stop)) for m, one in embedders.items()
    }
    nothing = np.zeros(0, np.int64)
    return Shard(np.arange(stop - start), arrays, nothing, [])
