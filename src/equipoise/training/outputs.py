"""Outputs of many batches as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.models.multimodal import Output


@dataclass
class Predictions:
    """Outputs for N samples, in the order in which they were asked for; float32.

    The mappings hold the modalities that were present.
    """

    logits: NDArray[np.float32]
    """(N, C) of the fused prediction."""
    modality_logits: dict[str, NDArray[np.float32]]
    """Modality to (N, C)."""
    features: dict[str, NDArray[np.float32]]
    """Modality to (N, D)."""


def gather(
    outputs: list[Output], modalities: list[str], classes: int, features: int
) -> Predictions:
    """Join the outputs of several batches into arrays."""

    def joined(pieces: list[Tensor], width: int) -> NDArray[np.float32]:
        if not pieces:
            return np.zeros((0, width), np.float32)
        array: NDArray[np.float32] = torch.cat(pieces).float().cpu().numpy()
        return array

    def by_modality(values: list[Mapping[str, Tensor]], width: int) -> dict[str, Any]:
        return {m: joined([value[m] for value in values], width) for m in modalities}

    return Predictions(
        logits=joined([output.logits for output in outputs], classes),
        modality_logits=by_modality([output.modality_logits for output in outputs], classes),
        features=by_modality([output.features for output in outputs], features),
    )
