"""Stage evaluate: metrics and predictions of one trained model on validation and test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from equipoise import files, layout, registry, tracking, vouch
from equipoise.data import table
from equipoise.errors import UserError
from equipoise.evaluation import collect, contributions, metrics
from equipoise.evaluation.prediction_cost import prediction_cost
from equipoise.evaluation.robustness import robustness
from equipoise.params import Evaluate
from equipoise.stages.job import Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from equipoise.models.card import ModelCard
    from equipoise.store.inputs import Inputs
    from equipoise.training.inference import LoadedModel
    from equipoise.training.outputs import Predictions


def run(job: Job, settings: Evaluate) -> None:
    """Score the model of ``job``; write predictions.csv and metrics.json (see docs/metrics.md).

    Raises:
        UserError: The model, the features and the split do not belong together, or training
            diverged.
    """
    from equipoise.store.inputs import open_inputs
    from equipoise.training.checkpoint import remove_finished
    from equipoise.training.data import read_split, split_digest
    from equipoise.training.device import make_deterministic, pick_device
    from equipoise.training.inference import load_model, predict

    seed = str(job.seed)
    outputs = layout.evaluate(job.dataset, job.method, seed)
    device = pick_device(job.runtime.device)
    make_deterministic(device, job.threads)
    corruption = collect.corruption_of(table.read(layout.raw(job.dataset)["manifest"]).columns)
    loaded = load_model(layout.train(job.dataset, job.method, seed)["model"].parent)
    with (
        tracking.run(job, settings) as tracked,
        open_inputs(job.dataset) as store,
    ):
        record = _identity(job, loaded.card, list(store.classes))
        split = read_split(layout.split(job.dataset)["split"], store.sample_ids)
        loaded.card.expect_split(split_digest(split, store.sample_ids))
        for subset in ("val", "test"):
            indices = split[subset]
            predictions = predict(
                loaded, store, indices, device, settings.batch_size, job.runtime.resident_gib
            )
            record[subset] = _score(store, indices, predictions)
            tracked.metrics({subset: record[subset]})
        record["test_unspoiled"] = _unspoiled(store, indices, predictions, corruption)
        more = _contributions_and_cost(loaded, store, split, predictions, settings.batch_size)
        tracked.metrics(more)
        record |= more
        rows = _prediction_rows(store, indices, predictions)
        files.write_csv(outputs["predictions"], list(rows[0]), rows)
        vouch.write(outputs["metrics"], record, outputs["predictions"])
    remove_finished(layout.checkpoints("train", job.dataset, job.method, seed))


def _identity(job: Job, card: ModelCard, classes: list[str]) -> dict[str, Any]:
    if card.classes != classes:
        raise UserError(f"{job.name}: the model knows other classes than the features; train again")
    name, variant, label = registry.method_of(job.method)
    return {
        "dataset": job.dataset,
        "method": job.method,
        "name": name,
        "variant": f"{variant}-{label}" if label else variant,
        "seed": job.seed,
        "selection": card.selection,
        "epoch": card.epoch,
        "classes": classes,
        "model_sha256": card.weights_sha256,
    }


def _score(store: Inputs, rows: NDArray[np.int64], predictions: Predictions) -> dict[str, Any]:
    return metrics.score(
        store.labels[rows], predictions.logits, predictions.modality_logits, len(store.classes)
    )


def _unspoiled(
    store: Inputs,
    rows: NDArray[np.int64],
    predictions: Predictions,
    corruption: dict[str, str] | None,
) -> dict[str, Any] | None:
    """Score the clips nothing was done to; None when the manifest does not say or there is none."""
    import numpy as np

    from equipoise.evaluation.gap_score import UNSPOILED

    if corruption is None:
        return None
    keep = np.array([corruption.get(store.sample_ids[row], "") in UNSPOILED for row in rows])
    if not keep.any():
        return None
    heads = {m: logits[keep] for m, logits in predictions.modality_logits.items()}
    return metrics.score(
        store.labels[rows[keep]], predictions.logits[keep], heads, len(store.classes)
    )


def _contributions_and_cost(
    loaded: LoadedModel,
    store: Inputs,
    split: Mapping[str, NDArray[np.int64]],
    predictions: Predictions,
    batch_size: int,
) -> dict[str, Any]:
    """Score, on test, every subset of the modalities and every damage to one."""
    from equipoise.training.inference import classify, damaged_features, prepared

    def logits(present: list[str]) -> NDArray[np.float32]:
        if present == names:
            return predictions.logits
        features = {m: predictions.features[m] for m in present}
        return classify(loaded, features, batch_size).logits

    def all_logits(features: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        return classify(loaded, features, batch_size).logits

    def damaged(modality: str, severity: float) -> NDArray[np.float32]:
        return damaged_features(loaded, store, rows, modality, severity, batch_size)

    names = list(predictions.features)
    rows, train_rows = split["test"], split["train"]
    inputs = prepared(loaded, store, rows[:batch_size])
    return {
        **contributions.contributions(store.labels[rows], store.labels[train_rows], names, logits),
        "robustness": robustness(store.labels[rows], predictions.features, damaged, all_logits),
        "cost": prediction_cost(loaded, inputs),
    }


def _prediction_rows(
    store: Inputs, rows: NDArray[np.int64], predictions: Predictions
) -> list[dict[str, Any]]:
    labels, classes = store.labels[rows], store.classes
    fused = metrics.predict_classes(predictions.logits, "the fused output")
    heads = {
        modality: metrics.predict_classes(logits, f"the {modality} head")
        for modality, logits in sorted(predictions.modality_logits.items())
    }
    probability = metrics.true_class_probability(labels, predictions.logits)
    return [
        {
            "sample_id": store.sample_ids[row],
            "label": classes[labels[i]],
            "predicted": classes[fused[i]],
            **{f"predicted_{m}": classes[p[i]] for m, p in heads.items()},
            "probability": float(probability[i]),
        }
        for i, row in enumerate(rows)
    ]
