"""All modalities of a data set or model as inputs on one device: normalised, in training varied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise import registry
from equipoise.modalities.base import Reader, reader
from equipoise.modalities.draws import Dice
from equipoise.modalities.embedded import EmbeddedFeed, EmbeddedReader
from equipoise.modalities.feed import Drawn, Feed, feed
from equipoise.modalities.normalise import Normalisation
from equipoise.models.card import ModalityCard
from equipoise.section import Section
from equipoise.training.source import Raw, Store, slabs

NOTHING: Drawn = {}


class Streams:
    """Turns batches of stored samples into the inputs of the encoders.

    Args:
        feeds: Modality to its feed, in the order of the model.
        normalisation: Modality to mean and deviation.
        device: Where batches are.
    """

    def __init__(
        self,
        feeds: Mapping[str, Feed[Any]],
        normalisation: Mapping[str, Normalisation],
        device: torch.device,
    ) -> None:
        self.feeds = dict(feeds)
        self.normalisation = {m: normalisation[m] for m in feeds}
        self.inputs = {m: feed.input() for m, feed in feeds.items()}
        self.device = device
        for m, one in feeds.items():
            one.bind(self.normalisation[m], device)

    @classmethod
    def of_card(cls, modalities: Mapping[str, ModalityCard], device: torch.device) -> Self:
        """Return the streams of a trained model."""
        feeds = {m: _of_card(m, card) for m, card in modalities.items()}
        return cls(feeds, {m: card.normalisation for m, card in modalities.items()}, device)

    def draw(self, seed: tuple[int, int], count: int) -> dict[str, Drawn]:
        """Draw the random numbers of one epoch, ``seed`` = (seed, epoch), for ``count`` samples."""
        return {
            m: one.draw(Dice(seed, getattr(one.augment, "share", "") or m, count, self.device))
            for m, one in self.feeds.items()
        }

    def prepare(self, raw: Raw, drawn: Mapping[str, Drawn] | None = None) -> dict[str, Tensor]:
        """Return inputs ``{m: (B, ...)}`` of stored samples ``{m: (B, ...)}``.

        Args:
            raw: Of one modality or more.
            drawn: The batch's part of what :meth:`draw` returned; None: evaluation.
        """
        drawn = drawn or {}
        return {m: self.feeds[m].prepare(raw[m], drawn.get(m, NOTHING)) for m in raw}


def feeds_of(store: Store, augment: Mapping[str, Mapping[str, Any]]) -> dict[str, Feed[Any]]:
    """Return the feed of each modality of a store, sorted by name.

    Args:
        store: Features.
        augment: Modality to what is random in training; nothing where it names none.
    """
    feeds: dict[str, Feed[Any]] = {}
    for m in sorted(store.modalities):
        if m in store.embedded:
            feeds[m] = EmbeddedFeed(EmbeddedReader(m, store.shape(m)[0]), Section())
        else:
            table = store.tables[m]
            feeds[m] = feed(_reader(m, table), table["kind"], augment.get(m, {}))
    return feeds


def measured(
    feeds: Mapping[str, Feed[Any]], store: Store, train: NDArray[np.int64]
) -> dict[str, Normalisation]:
    """Return mean and deviation of each modality over the rows ``train`` of a store."""
    chosen = np.zeros(len(store.labels), dtype=bool)
    chosen[train] = True

    def kept(m: str) -> Iterable[NDArray[Any]]:
        for start, slab in slabs(store, m):
            yield slab[chosen[start : start + len(slab)]]

    return {m: one.statistics(kept(m)) for m, one in feeds.items()}


def _reader(name: str, table: Mapping[str, Any]) -> Reader[Any]:
    return reader(name, table["kind"], registry.without(table, "kind", "column"))


def _of_card(name: str, card: ModalityCard) -> Feed[Any]:
    if card.embedded:
        return EmbeddedFeed(EmbeddedReader(name, card.shape[0]), Section())
    return feed_of(name, card)


def feed_of(name: str, card: ModalityCard) -> Feed[Any]:
    """Return the feed of a modality of a trained model, not of what stage embed made of it."""
    return feed(_reader(name, card.table), card.table["kind"], card.augment)
