"""What an epoch consists of: batches, and the plan by which they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass
class Batch:
    """What a training step works on; everything on the training device."""

    inputs: dict[str, Tensor]
    """Modality to prepared input (B, ...)."""
    labels: Tensor
    """(B,) int64."""
    rows: Tensor
    """(B,) int64: rows of the feature store, to look per-sample values up."""
    keep: dict[str, Tensor] | None = None
    """Modality to (B,) bool: which samples the fusion sees it of (``Plan.keep``); None: all."""


@dataclass
class Plan:
    """How an epoch is run, where that is not the rule.

    An entry is one place of ``rows``; a row may stand in several, say with other modalities kept.
    """

    rows: NDArray[np.int64] | None = None
    """Rows of the feature store to train on (N,); None: the whole training split."""
    learning_rate: float | None = None
    """None: the schedule's."""
    phase: str | None = None
    """Column ``phase`` of history.csv; None: the name of the stage."""
    selectable: bool = True
    """Whether this epoch's weights may be the ones that are kept."""
    keep: dict[str, NDArray[np.bool_]] | None = None
    """Modality to (N,): the entries of which the fusion sees it, one modality of each or more; from
    others it is absent. None: all. All encoders and heads read all entries."""
    groups: NDArray[np.int64] | None = None
    """(N,): entries of one batch have the same number. A group of one is a batch of one."""
    alternate: bool = False
    """Batches of the groups take turns until all are through; else group after group. Either way
    the lowest number is first."""
    ordered: bool = False
    """Entries come (within their group) as they stand in ``rows``, not shuffled."""

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as tensors and plain values."""
        state = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("rows", "groups"):
            state[name] = None if state[name] is None else torch.from_numpy(state[name])
        if self.keep is not None:
            state["keep"] = {m: torch.from_numpy(kept) for m, kept in self.keep.items()}
        return state

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Plan:
        """Return the plan whose :meth:`state_dict` this is."""
        values = dict(state)
        for name in ("rows", "groups"):
            values[name] = None if values[name] is None else values[name].numpy()
        if values["keep"] is not None:
            values["keep"] = {m: kept.numpy() for m, kept in values["keep"].items()}
        return cls(**values)
