"""Stage split: which sample is for training, validation and test."""

from collections import Counter
from typing import Any

from equipoise import files, layout, vouch
from equipoise.console import log
from equipoise.data import manifest as manifests
from equipoise.data.duplicates import refuse_shared
from equipoise.data.manifest import SUBSETS
from equipoise.data.splits import Samples, assign, leaks, resolve
from equipoise.errors import UserError
from equipoise.params import Split, SplitJob
from equipoise.stages.job import Job


def run(job: Job, settings: SplitJob) -> None:
    """Write split.csv and split.json for the samples that stage extract has kept.

    Raises:
        UserError: The manifest and the features do not belong together, the split cannot be made,
            a group stands on two sides in protocol ``group_disjoint``, or the same file of a user's
            own data does.
    """
    outputs = layout.split(job.dataset)
    samples = _samples(job.dataset)
    own = settings.own and not settings.allow_leaks
    settings = resolve(samples, settings)
    log.info("%s: protocol %s", job.dataset, settings.protocol)
    subset, origin = assign(samples, settings)
    if twice := leaks(subset, samples.sample_ids):
        raise UserError(f"split: sample {twice[0]!r} would stand on two sides")
    shared = leaks(subset, samples.groups)
    if shared and settings.protocol == "group_disjoint":
        raise UserError(f"split: group {shared[0]!r} would stand on two sides")
    if shared:
        log.warning("%s: %d groups stand on more than one side", job.dataset, len(shared))
    if own:
        _refuse_shared(job.dataset, samples, subset)
    _expect_variety(job.dataset, subset)
    rows = [
        {"sample_id": name, "subset": side}
        for name, side in zip(samples.sample_ids, subset, strict=True)
    ]
    files.write_csv(outputs["split"], ("sample_id", "subset"), rows)
    record = _record(samples, subset, settings)
    record |= {"dataset": job.dataset, "validation_from": origin, "shared_groups": shared}
    vouch.write(outputs["record"], record, outputs["split"])


def _refuse_shared(dataset: str, samples: Samples, subset: list[str]) -> None:
    """Refuse files that are the same on two sides.

    Raises:
        UserError: Which ones.
    """
    from equipoise.store.features import FeatureStore

    raw = layout.raw(dataset)
    rows = {row.sample_id: row for row in manifests.read(raw["manifest"]).rows}
    with FeatureStore(layout.features(dataset)["features"]) as store:
        columns = {table["column"] for table in store.tables.values()}
    kept = [rows[name] for name in samples.sample_ids]
    refuse_shared(kept, subset, files.read_sha256(raw["checksums"]), columns)


def _expect_variety(dataset: str, subset: list[str]) -> None:
    """Refuse a modality that is the same in every sample for training; stops at the first other.

    Raises:
        UserError: Which one.
    """
    import numpy as np

    from equipoise.store.features import FeatureStore

    path = layout.features(dataset)["features"]
    training = [row for row, side in enumerate(subset) if side == "train"]
    with FeatureStore(path) as store:
        for modality in store.modalities if len(training) > 1 else ():
            first = store.row(modality, training[0])
            if all(np.array_equal(store.row(modality, row), first) for row in training[1:]):
                raise UserError(
                    f"{path}: modality {modality!r} is the same in all {len(training)} samples for "
                    "training; its settings cut away what differs, or the media hold nothing: see "
                    "facts in extract.json, and equipoise check"
                )


def _samples(dataset: str) -> Samples:
    from equipoise.store.features import FeatureStore

    path = layout.raw(dataset)["manifest"]
    rows = {row.sample_id: row for row in manifests.read(path).rows}
    features = layout.features(dataset)["features"]
    with FeatureStore(features) as store:
        if store.attributes["manifest_sha256"] != files.sha256(path):
            raise UserError(f"{features}: made from another {path}; run stage extract again")
        return Samples(
            store.sample_ids,
            [store.classes[label] for label in store.labels],
            store.groups,
            [rows[name].split for name in store.sample_ids],
        )


def _record(samples: Samples, subset: list[str], settings: Split) -> dict[str, Any]:
    sides: dict[str, Any] = {}
    for side in SUBSETS:
        here = [row for row, other in enumerate(subset) if other == side]
        sides[side] = {
            "samples": len(here),
            "classes": dict(sorted(Counter(samples.labels[row] for row in here).items())),
            "groups": sorted({samples.groups[row] for row in here} - {""}),
        }
    return {"protocol": settings.protocol, "settings": settings.model_dump(), "subsets": sides}
