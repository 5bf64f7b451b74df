"""How settings, jobs and numbers are called in MLflow."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from equipoise import files, provenance, registry

if TYPE_CHECKING:
    from equipoise.section import Section
    from equipoise.stages.job import Job

#: First words of column names that become groups in the UI (``val_loss`` -> ``val/loss``).
GROUPS = ("train", "val", "test", "gap", "method")


def metric_names(values: Mapping[str, Any]) -> dict[str, float]:
    """Map columns of history.csv and tables of metrics.json to names that the UI groups.

    ``val_accuracy_audio`` -> ``val/accuracy_audio``; ``{"test": {"accuracy_by_modality": {"audio":
    0.5}}}`` -> ``test/accuracy_audio``; ``learning_rate`` -> ``train/learning_rate``. What is not a
    number is left out, and ``epoch`` too (the step says it). ``<group>/modality_gap``, the best
    minus the worst accuracy of a single modality, is added where the table has none. A character
    that MLflow refuses (the plus of ``audio+video``) becomes a hyphen.
    """
    named: dict[str, float] = {}
    for key, value in _numbers(values):
        head, _, rest = key.partition("_")
        if key == "learning_rate":
            named["train/learning_rate"] = value
        elif head in GROUPS and rest and "/" not in key:
            named[f"{head}/{rest}"] = value
        elif key != "epoch":
            named[key] = value
    for group in GROUPS:
        prefix = f"{group}/accuracy_"
        alone = [value for name, value in named.items() if name.startswith(prefix)]
        if len(alone) > 1:
            named.setdefault(f"{group}/modality_gap", max(alone) - min(alone))
    return {re.sub(r"[^/\w.\- ]", "-", name): value for name, value in named.items()}


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a table; its first level names the group, deeper ones are joined."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            separator = "_" if prefix else "/"
            yield from _numbers(value, name.removesuffix("_by_modality") + separator)
        elif not isinstance(value, str):
            with contextlib.suppress(TypeError, ValueError):
                yield name, float(value)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Turn nested settings into parameters: keys joined by dots, lists as JSON, no None."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        elif value is not None:
            flat[name] = value if isinstance(value, str) else json.dumps(value)
    return flat


def run_name(job: Job) -> str:
    """Return the name of a run: ``seed0 lfm-heuristic train``.

    The data set is the experiment's name, and the UI cuts names after some 15 letters, so that
    what tells runs apart comes first.
    """
    seed = f"seed{job.seed}" if _has_seed(job) else ""
    return " ".join(part for part in (seed, job.method, job.stage) if part)


def _has_seed(job: Job) -> bool:
    return job.name.endswith(f"/seed{job.seed}")


def tags_of(job: Job, settings: Section) -> dict[str, str]:
    """Return the tags of one job; those without a value are left out. ``method`` is its whole key.

    ``run_key`` is the same for executions of the same job with the same settings on the same data.
    """
    name, variant, label = registry.method_of(job.method) if job.method else ("", "", "")
    code = provenance.code()
    data = provenance.data_hash(job.dataset) if job.dataset else ""
    key = files.digest({"settings": settings.model_dump(mode="json"), "data": data})
    tags = {
        "stage": job.stage,
        "dataset": job.dataset,
        "method": job.method,
        "method_name": name,
        "variant": f"{variant}-{label}" if label else variant,
        "seed": str(job.seed) if _has_seed(job) else "",
        "git_commit": code.commit,
        "git_dirty": str(code.dirty).lower() if code.commit else "",
        "data_hash": data,
        "slurm_job": os.environ.get("SLURM_JOB_ID", ""),
        "dvc_exp": os.environ.get("DVC_EXP_NAME", ""),
        "run_key": f"{job.stage}/{job.name}/{key}",
        "mlflow.user": _user(),
        "mlflow.source.name": f"equipoise {job.stage}",
        "mlflow.source.git.commit": code.commit,
    }
    return {tag: value for tag, value in tags.items() if value}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return str(os.getuid())
