"""Stage gap: how far the modalities of the warmed-up model disagree on each training sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from equipoise import layout, vouch
from equipoise.console import log
from equipoise.params import Gap
from equipoise.stages.job import Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def run(job: Job, settings: Gap) -> None:
    """Write per-sample gaps and posteriors, the mixture fit, its picture and the balanced subset.

    Raises:
        UserError: A signed gap of other than two modalities, or files that do not belong together.
    """
    import numpy as np

    from equipoise.gap import artefacts
    from equipoise.gap.measure import measure
    from equipoise.gap.mixture import fit_mixture, posterior_imbalanced
    from equipoise.gap.plot import draw_histogram
    from equipoise.gap.scores import check_signed
    from equipoise.gap.subset import balanced_subset
    from equipoise.store.inputs import open_inputs
    from equipoise.training.checkpoint import remove_finished
    from equipoise.training.data import read_split, split_digest
    from equipoise.training.device import make_deterministic, pick_device
    from equipoise.training.inference import load_model

    seed = str(job.seed)
    outputs = layout.gap(job.dataset, seed)
    device = pick_device(job.runtime.device)
    make_deterministic(device, job.threads)
    with open_inputs(job.dataset) as store:
        # One modality agrees with itself: gaps of 0, for the graph. Who reads them wants two.
        check_signed(sorted(store.modalities), settings.signed)
        loaded = load_model(layout.warmup(job.dataset, seed)["model"].parent)
        split = read_split(layout.split(job.dataset)["split"], store.sample_ids)
        loaded.card.expect_split(split_digest(split, store.sample_ids))
        rows = split["train"]
        measured = measure(loaded, store, rows, settings, device, job.runtime.resident_gib)
        labels, classes = np.asarray(store.labels)[rows], store.classes
        ids = [store.sample_ids[row] for row in rows]
    # A mixture that is not identifiable calls no sample imbalanced: the subset is everything.
    mixture = fit_mixture(measured.gaps, settings)
    if not mixture.identifiable:
        log.warning("%s: two components are not identifiable: %s", job.name, mixture.reason)
    posterior = posterior_imbalanced(measured.gaps, mixture, settings.posterior)
    record = artefacts.fit_record(mixture, settings, measured.accuracy)
    threshold = settings.subset_threshold if mixture.identifiable else 0.0
    keep, filled = balanced_subset(1 - posterior, measured.gaps, labels, threshold)
    record["subset"] = _counts(keep, filled, labels, classes)
    names = [classes[label] for label in labels]
    artefacts.write_gaps(outputs["gap"], ids, names, measured.scores, measured.gaps, posterior)
    artefacts.write_subset(outputs["subset"], ids, names, keep)
    title = f"{job.dataset}, seed {job.seed}: {len(ids)} training samples after the warm-up"
    draw_histogram(outputs["histogram"], measured.gaps, mixture, settings.signed, title)
    vouch.write(outputs["fit"], record, outputs["gap"], outputs["subset"], outputs["histogram"])
    remove_finished(layout.checkpoints("warmup", job.dataset, "", seed))


def _counts(
    keep: NDArray[np.bool_], filled: list[int], labels: NDArray[np.int64], classes: list[str]
) -> dict[str, Any]:
    """Say how many samples are kept (N,), of all and of each class."""
    per_class = {name: keep[labels == k] for k, name in enumerate(classes)}
    return {
        "samples": int(keep.sum()),
        "per_class": {name: int(kept.sum()) for name, kept in per_class.items()},
        "part_per_class": {
            name: float(kept.mean()) if len(kept) else None for name, kept in per_class.items()
        },
        "filled_classes": [classes[k] for k in filled],
    }
