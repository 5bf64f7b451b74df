"""Frozen encoders: what stem and body make of stored samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.errors import UserError
from equipoise.modalities.feed import Feed
from equipoise.modalities.normalise import Normalisation
from equipoise.models import loading, weights
from equipoise.models.build import build_encoder, complete
from equipoise.models.card import ModalityCard
from equipoise.models.encoder import Encoder as Network
from equipoise.params import Encoder
from equipoise.training.source import Store
from equipoise.training.streams import feed_of, feeds_of, measured

BATCH = 32


@dataclass
class Embedder:
    """One modality's frozen encoder and the preparation of its input."""

    feed: Feed[Any]
    encoder: Network
    origin: weights.Origin
    """Where its weights come from."""
    normalisation: Normalisation
    """Of its input."""
    device: torch.device

    def to(self, device: torch.device) -> None:
        """Move encoder and preparation to a device."""
        self.device = device
        self.encoder.to(device)
        self.feed.bind(self.normalisation, device)

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.encoder.width

    @torch.no_grad()
    def outputs(self, stored: Tensor) -> Tensor:
        """Return float32 (n, E) of stored samples (n, *shape), both on the encoder's device."""
        batches = torch.split(stored, BATCH)
        return torch.cat(
            [self.encoder.embed(self.feed.prepare(one, {})).float() for one in batches]
        )

    def embed(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return float32 (n, E) of stored samples (n, *shape), without augmentation.

        Raises:
            UserError: The encoder gives NaN or infinity.
        """
        pieces = []
        for start in range(0, len(stored), BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(stored[start : start + BATCH]))
            pieces.append(self.outputs(batch.to(self.device)).cpu())
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
    frozen = {m: one for m, one in chosen.items() if one.freeze == "body"}
    made = {}
    for m, feed in feeds_of(store, {}).items():
        if m in frozen:
            placed = weights.place(frozen[m].weights)
            stated = loading.expected(placed, feed.input(), feed.white)
            norm = stated or measured({m: feed}, store, train)[m]
            made[m] = _embedder(feed, frozen[m], placed, norm, device)
    return made


def of_card(modality: str, card: ModalityCard, device: torch.device) -> Embedder:
    """Build the frozen encoder of a trained model.

    Raises:
        UserError: Its weights cannot be had, or are not those of the training.
    """
    placed = weights.place(card.encoder.weights)
    if card.weights is None or card.before is None or placed.sha256 != card.weights.sha256:
        raise UserError(
            f"weights {placed.name!r} of the frozen encoder of {modality!r} have sha256 "
            f"{placed.sha256}, not that of the training; put the right file at {placed.path}"
        )
    return _embedder(feed_of(modality, card), card.encoder, placed, card.before, device)


def _embedder(
    feed: Feed[Any],
    chosen: Encoder,
    placed: weights.Placed,
    normalisation: Normalisation,
    device: torch.device,
) -> Embedder:
    encoder = build_encoder(complete(chosen, placed), feed.input(), 1)
    origin = loading.load(encoder, placed)
    feed.bind(normalisation, device)
    return Embedder(feed, encoder.freeze("body").eval().to(device), origin, normalisation, device)
