"""Mean and standard deviation of stored samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.errors import UserError
from equipoise.section import Section


class Normalisation(Section):
    """Mean and standard deviation of the training split, in units of the stored array."""

    mean: tuple[float, ...]
    """One value for each channel, one in all, or none (no normalisation)."""
    std: tuple[float, ...]

    @classmethod
    def of_json(cls, record: Mapping[str, Sequence[float]]) -> Self:
        """Return what was written as JSON, which knows lists alone."""
        return cls(mean=tuple(record["mean"]), std=tuple(record["std"]))


def moments(slabs: Iterable[NDArray[Any]], channels: int, name: str) -> Normalisation:
    """Return mean and standard deviation over all ``slabs``, each (n, ..., channels).

    In float64 (the square of a float16 overflows). Six digits are kept, so that the order of
    summation does not show.

    Raises:
        UserError: No sample, or a value that is not finite.
    """
    count, total, squares = 0, np.zeros(channels), np.zeros(channels)
    for slab in slabs:
        values = slab.reshape(-1, channels).astype(np.float64)
        count += len(values)
        total += values.sum(axis=0)
        squares += np.einsum("nc,nc->c", values, values)
    if not count:
        raise UserError("the training split is empty; check the split")
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    if not np.isfinite(std).all():
        raise UserError(
            f"the features of {name!r} in the training split hold NaN or infinity; extract again"
        )
    std = np.where(std < 1e-6, 1.0, std)  # a constant channel carries nothing; do not blow it up
    return Normalisation(mean=_rounded(mean), std=_rounded(std))


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)


def affine(normalisation: Normalisation, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return (scale, offset) on ``device``, so that ``stored * scale + offset`` is normalised."""
    scale = 1.0 / torch.tensor(normalisation.std, dtype=torch.float32)
    offset = -torch.tensor(normalisation.mean, dtype=torch.float32) * scale
    return scale.to(device), offset.to(device)
