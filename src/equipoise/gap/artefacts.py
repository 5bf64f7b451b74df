"""The files of stage gap: written by it, read by the methods that continue from the warm-up."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equipoise import files, vouch
from equipoise.errors import UserError
from equipoise.gap.mixture import Array, Mixture, Posterior
from equipoise.params import Gap


@dataclass(frozen=True)
class GapArtefacts:
    """What stage gap found about the warmed-up model."""

    mixture: Mixture
    scores: Literal["heads", "split"]
    signed: bool
    posterior: Posterior
    settings: Gap
    """How mixtures are fitted."""
    subset: NDArray[np.int64]
    """Rows of the feature store in the balanced subset, ascending."""


def fit_record(mixture: Mixture, settings: Gap, accuracy: Mapping[str, float]) -> dict[str, Any]:
    """Return the content of gmm.json; ``accuracy`` is of each modality on the training split."""
    return {
        "samples": mixture.samples,
        "scores": settings.scores,
        "signed": settings.signed,
        "posterior": settings.posterior,
        "converged": mixture.converged,
        "means": list(mixture.means),
        "variances": list(mixture.variances),
        "weights": list(mixture.weights),
        "log_likelihood": mixture.log_likelihood,
        "bic": mixture.bic or {},
        "balanced_component": mixture.balanced if mixture.means else None,
        "identifiable": mixture.identifiable,
        "reason": mixture.reason,
        **{f"accuracy_{m}": value for m, value in sorted(accuracy.items())},
    }


def write_gaps(
    path: Path,
    ids: Sequence[str],
    labels: Sequence[str],
    scores: Mapping[str, Array],
    gaps: Array,
    posterior: Array,
) -> None:
    """Write gap.csv: one row for each training sample."""
    header = ["sample_id", "label", *(f"score_{m}" for m in scores), "gap", "posterior_imbalanced"]
    columns = [ids, labels, *(s.tolist() for s in scores.values()), gaps.tolist()]
    rows = zip(*columns, posterior.tolist(), strict=True)
    files.write_csv(path, header, (dict(zip(header, row, strict=True)) for row in rows))


def write_subset(
    path: Path, ids: Sequence[str], labels: Sequence[str], keep: NDArray[np.bool_]
) -> None:
    """Write subset.csv: one row for each training sample that is kept (N,), with its class."""
    rows = (
        {"sample_id": sample, "label": label}
        for sample, label, kept in zip(ids, labels, keep, strict=True)
        if kept
    )
    files.write_csv(path, ["sample_id", "label"], rows)


def read_gap(paths: Mapping[str, Path], sample_ids: Sequence[str], settings: Gap) -> GapArtefacts:
    """Read gmm.json and subset.csv, written with ``settings``.

    Raises:
        UserError: A file is missing or does not belong to these samples.
    """
    again = "run stage gap again"
    try:
        record = vouch.read(paths["fit"], again)
        with (
            files.reading(paths["subset"], again),
            paths["subset"].open(newline="", encoding="utf-8") as file,
        ):
            chosen = [row["sample_id"] for row in csv.DictReader(file)]
        vouch.expect(paths["subset"], record, paths["fit"])
        mixture = Mixture(
            means=tuple(record["means"]),
            variances=tuple(record["variances"]),
            weights=tuple(record["weights"]),
            converged=record["converged"],
            log_likelihood=record["log_likelihood"],
            samples=record["samples"],
            bic=dict(record["bic"]),  # a checkpoint holds it, and only plain types
            identifiable=record["identifiable"],
            reason=record["reason"],
        )
        kind = record["scores"], record["signed"], record["posterior"]
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file; {again}") from None
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        raise UserError(f"{paths['fit']}: not what stage gap writes ({error!r}); {again}") from None
    position = {sample: row for row, sample in enumerate(sample_ids)}
    if strange := [sample for sample in chosen if sample not in position]:
        raise UserError(f"{paths['subset']}: {strange[0]!r} is not among the features; {again}")
    subset = np.array(sorted(position[sample] for sample in chosen), dtype=np.int64)
    return GapArtefacts(mixture, *kind, settings, subset)
