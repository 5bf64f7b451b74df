"""What one job of the workflow is told: exactly those settings that decide what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.params.grid import Params
from equipoise.params.sections import (
    Compare,
    Encoder,
    Evaluate,
    Extract,
    Gap,
    Model,
    Split,
    Train,
    Warmup,
)
from equipoise.section import Section, merged, overlay


class DownloadJob(Section):
    """Settings of one ``download`` job."""

    download: dict[str, Any]


class ExtractJob(Section):
    """Settings of one ``extract`` job."""

    extract: Extract
    modalities: dict[str, dict[str, Any]]
    """Modality to ``{kind, column, ...settings}``, every default filled in."""


class SplitJob(Split):
    """Settings of one ``split`` job."""

    own: bool = False
    """The data are a user's own folder: the same file on two sides is an error."""


class AuditJob(Section):
    """Settings of one ``audit`` job."""

    augment: dict[str, dict[str, Any]]
    """As of training: what it leaves out of every sample is said."""


class EmbedJob(Section):
    """Settings of one ``embed`` job."""

    encoders: dict[str, Encoder]


class WarmupJob(Section):
    """Settings of one ``warmup`` job."""

    model: Model
    encoders: dict[str, Encoder]
    augment: dict[str, dict[str, Any]]
    """Modality to what is random in training, every default filled in."""
    train: Train
    warmup: Warmup


class TrainJob(Section):
    """Settings of one ``train`` job.

    ``warmup`` is set when it continues from the warm-up, ``teacher`` when it reads the run of that
    method.
    """

    model: Model
    encoders: dict[str, Encoder]
    augment: dict[str, dict[str, Any]]
    train: Train
    warmup: Warmup | None = None
    gap: Gap | None = None
    teacher: str | None = None
    options: dict[str, Any]

    def changed(self, train: Mapping[str, Any], options: Mapping[str, Any]) -> TrainJob:
        """Return these settings with changes of section ``train`` and of the method's options."""
        return self.model_copy(
            update={
                "train": merged(self.train, train, "train"),
                "options": overlay(self.options, options),
            }
        )


class SearchJob(Section):
    """Settings of one ``search`` job."""

    trials: int
    draw_seed: int
    seed: int
    """Of every trial: the first of the grid."""
    train_changes: list[dict[str, Any]]
    option_changes: list[dict[str, Any]]
    train: TrainJob
    """The settings that the trials change."""


class CompareJob(Section):
    """Settings of the ``compare`` job: the grid and what to compare it with."""

    compare: Compare
    datasets: list[str]
    methods: list[str]
    seeds: list[int]


def job_settings(params: Params, stage: str, dataset: str = "", method: str = "") -> Section:
    """Return exactly those settings that decide what one job computes.

    The workflow hands them to the job as one JSON string, so that a job runs with the values its
    graph was built from, and reruns when one of them (and no other) changes.
    """
    match stage:
        case "download":
            return DownloadJob(download=params.datasets[dataset].download)
        case "extract":
            streams = params.streams_of(dataset)
            return ExtractJob(
                extract=params.extract_of(dataset),
                modalities={name: stream.table() for name, stream in streams.items()},
            )
        case "split":
            own = "folder" in params.datasets[dataset].download
            return SplitJob(**params.split_of(dataset).model_dump(), own=own)
        case "audit":
            return AuditJob(augment=params.augment_of(dataset))
        case "embed":
            return EmbedJob(encoders=params.encoders_of(dataset))
        case "warmup":
            return WarmupJob(
                **_network(params, dataset), train=params.train_of(dataset), warmup=params.warmup
            )
        case "gap":
            return params.gap
        case "search":
            search = params.search
            return SearchJob(
                trials=search.trials,
                draw_seed=search.seed,
                seed=params.seeds[0],
                train_changes=search.train,
                option_changes=search.options.get(method, []),
                train=_train_job(params, dataset, method),
            )
        case "train":
            return _train_job(params, dataset, method)
        case "evaluate":
            return params.evaluate
        case "compare":
            return CompareJob(
                compare=params.compare,
                datasets=list(params.datasets),
                methods=params.method_names,
                seeds=params.seeds,
            )
    raise ValueError(f"no stage {stage!r}")


def _train_job(params: Params, dataset: str, method: str) -> TrainJob:
    table = params.methods.table_of(method)
    warm = table == "from_warmup"
    return TrainJob(
        **_network(params, dataset),
        train=params.train_of(dataset),
        warmup=params.warmup if warm else None,
        gap=params.gap if warm else None,
        teacher=params.methods.teacher if table == "with_teacher" else None,
        options=params.methods.tables[table][method],
    )


def _network(params: Params, dataset: str) -> dict[str, Any]:
    return {
        "model": params.model_of(dataset),
        "encoders": params.encoders_of(dataset),
        "augment": params.augment_of(dataset),
    }


JOBS: dict[str, type[Section]] = {
    "download": DownloadJob,
    "extract": ExtractJob,
    "split": SplitJob,
    "audit": AuditJob,
    "embed": EmbedJob,
    "warmup": WarmupJob,
    "gap": Gap,
    "search": SearchJob,
    "train": TrainJob,
    "evaluate": Evaluate,
    "compare": CompareJob,
}
