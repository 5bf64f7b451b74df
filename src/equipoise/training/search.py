"""Hyper-parameter search: which settings to try, and what was chosen."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from equipoise import files, vouch
from equipoise.errors import UserError
from equipoise.params import SearchJob

Changes = tuple[dict[str, Any], dict[str, Any]]
"""Changes of section ``train`` and of the method's options."""


@dataclass(frozen=True)
class Result:
    """How one trial ended, on the validation split, at the epoch that selection keeps."""

    epoch: int | None
    """None, as all the others: the loss diverged."""
    accuracy: float | None
    loss: float | None


def draw(settings: SearchJob, method: str) -> list[Changes]:
    """Return the changes of each trial: first none, then random pairs, none twice.

    The draw depends on the seed and the method's name, so that a new method changes no other's.
    """
    pairs = list(product([{}, *settings.train_changes], [{}, *settings.option_changes]))
    generator = random.Random(f"{settings.draw_seed}/{method}")
    return [pairs[0], *generator.sample(pairs[1:], settings.trials - 1)]


def best(results: Sequence[Result]) -> int:
    """Return the index of the best trial: accuracy decides, then loss; of equals the first.

    Raises:
        UserError: Every trial diverged.
    """
    finished = [i for i, result in enumerate(results) if result.accuracy is not None]
    if not finished:
        raise UserError(
            "the loss diverged in every trial; put lower learning rates into search.train"
        )
    return max(finished, key=lambda i: (results[i].accuracy or 0.0, -(results[i].loss or 0.0)))


def write(outputs: Mapping[str, Path], trials: Sequence[Changes], results: Sequence[Result]) -> int:
    """Write chosen.json and trials.csv; returns the index of the chosen trial.

    Args:
        outputs: See :func:`equipoise.layout.search`.
        trials: As drawn.
        results: One for each trial; empty when there was nothing to choose.

    Raises:
        UserError: Every trial diverged.
    """
    chosen = best(results) if results else 0
    ended = results or [Result(None, None, None)] * len(trials)
    rows = [
        {
            "trial": index + 1,
            "train": json.dumps(train, sort_keys=True),
            "options": json.dumps(options, sort_keys=True),
            "epoch": result.epoch,
            "val_accuracy": result.accuracy,
            "val_loss": result.loss,
            "chosen": int(index == chosen),
        }
        for index, ((train, options), result) in enumerate(zip(trials, ended, strict=True))
    ]
    files.write_csv(outputs["trials"], list(rows[0]), rows)
    train, options = trials[chosen]
    record = {"trials": len(trials), "trial": chosen + 1, "train": train, "options": options}
    vouch.write(outputs["chosen"], record, outputs["trials"])
    return chosen


def read_chosen(path: Path) -> Changes:
    """Read what stage search chose: changes of section ``train`` and of the options.

    Raises:
        UserError: No such file, or not what stage search writes.
    """
    try:
        record = vouch.read(path, "run stage search first")
        return dict(record["train"]), dict(record["options"])
    except UserError:
        raise
    except (ValueError, TypeError):
        raise UserError(f"{path}: not from stage search; delete it and run that again") from None
