"""Frozen encoders: what stem and body make of stored samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equipoise.errors import UserError
from equipoise.modalities.feed import Feed
from equipoise.modalities.normalise import Normalisation
from equipoise.models.build import build_encoder
from equipoise.models.encoder import Encoder as Network
from equipoise.params import Encoder
from equipoise.training.source import Store
from equipoise.training.streams import feeds_of, measured

BATCH = 32


@dataclass
class Embedder:
    """One modality's frozen encoder and the preparation of its input."""

    feed: Feed[Any]
    encoder: Network
    weights: dict[str, Any]
    """What the weights are: name, sha256, licence."""
    normalisation: Normalisation
    device: torch.device

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.encoder.width

    @torch.no_grad()
    def embed(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return float32 (n, E) of stored samples (n, *shape), without augmentation.

        Raises:
            UserError: The encoder gives NaN or infinity.
        """
        pieces = []
        for start in range(0, len(stored), BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(stored[start : start + BATCH]))
            inputs = self.feed.prepare(batch.to(self.device), {})
            pieces.append(self.encoder.embed(inputs).float().cpu())
        embedded: NDArray[np.float32] = torch.cat(pieces).numpy()
        if not np.isfinite(embedded).all():
            raise UserError(
                f"the frozen encoder of {self.feed.reader.name!r} gives NaN or infinity"
            )
        return embedded


def embedders(
    store: Store,
    chosen: Mapping[str, Encoder],
    train: NDArray[np.int64],
    device: torch.device,
) -> dict[str, Embedder]:
    """Build every encoder that is frozen as a whole, with its weights, in evaluation mode.

    Args:
        store: The features.
        chosen: Modality to its encoder.
        train: Rows of the training split: inputs are normalised over them where the weights do not
            say how.
        device: Where the encoders run.

    Raises:
        UserError: Weights that cannot be had or do not fit.
    """
    feeds = feeds_of(store, {})
    made: dict[str, Embedder] = {}
    for m, one in chosen.items():
        if one.freeze != "body" or m not in feeds:
            continue
        feed = feeds[m]
        encoder = build_encoder(one, feed.input(), 1)
        weights = load_weights(encoder, one.weights)
        known = weights.normalisation(feed)
        normalisation = known or measured({m: feed}, store, train)[m]
        feed.bind(normalisation, device)
        encoder.freeze("body").eval().to(device)
        made[m] = Embedder(feed, encoder, weights.record(), normalisation, device)
    return made
