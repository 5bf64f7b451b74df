"""What training a method took, from the times of the jobs that ran here."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from equipoise import layout
from equipoise.evaluation.collect import read_model, warmup_epochs
from equipoise.timing import cpu_seconds


def relative_costs(dataset: str, keys: Iterable[str], baseline: str) -> dict[str, float]:
    """Return the CPU time of training each method as a multiple of the baseline's.

    The mean over the seeds that were trained here, without what jobs share (the import of PyTorch,
    :mod:`equipoise.forkserver`); a method that continues from the warm-up pays for the warm-up,
    too, and one with a teacher for its teacher. The search is not in it: it has the same number of
    trials for every method.

    Returns:
        Method key to factor; without those that were not trained here.
    """
    seconds = {key: _seconds(dataset, key) for key in {baseline, *keys}}
    one = seconds.pop(baseline)
    return {baseline: 1.0, **{k: s / one for k, s in seconds.items() if s}} if one else {}


def _seconds(dataset: str, key: str) -> float | None:
    """Return CPU seconds of one training of a method, the mean over seeds; None if unknown."""
    found = []
    pattern = layout.timing("train", dataset, key, "*")
    for path in sorted(pattern.parent.glob(pattern.name)):
        found.append(_of_run(dataset, key, path.stem.removeprefix("seed")))
    return fmean(found) if found else None


def _of_run(dataset: str, key: str, seed: str) -> float:
    """Return CPU seconds of one training and of those that it read."""
    total = cpu_seconds(layout.timing("train", dataset, key, seed))
    model = read_model(layout.train(dataset, key, seed)["model"])
    if warmup_epochs(model):
        total += cpu_seconds(layout.timing("warmup", dataset, seed))
    if teacher := model["settings"].get("teacher"):
        total += _of_run(dataset, teacher, seed)
    return total
