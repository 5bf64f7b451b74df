"""Pretrained weights at the start of a training: fetched, loaded, and the input they expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from equipoise.modalities.normalise import Normalisation
from equipoise.models import build, loading, weights
from equipoise.models.encoder import Encoder as Network
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.models.weights import Origin, Placed
from equipoise.params import Encoder
from equipoise.training.source import Store
from equipoise.training.streams import feeds_of


def place(encoders: Mapping[str, Encoder], store: Store) -> dict[str, Placed]:
    """Fetch the weights that encoders start from, but for those that stage embed ran.

    Raises:
        UserError: They cannot be had, or are not what they should be.
    """
    return {
        m: weights.place(encoders[m].weights)
        for m in store.modalities
        if m not in store.embedded and m in encoders and encoders[m].weights
    }


def complete(encoders: Mapping[str, Encoder], placed: Mapping[str, Placed]) -> dict[str, Encoder]:
    """Return encoders whose options say all of their networks: no folder is needed to build them.

    Raises:
        UserError: A folder does not say what its network is.
    """
    return {
        m: build.complete(one, placed[m]) if m in placed else one for m, one in encoders.items()
    }


def expected(
    placed: Mapping[str, Placed], store: Store, augment: Mapping[str, Mapping[str, Any]]
) -> dict[str, Normalisation]:
    """Return the mean and deviation that weights expect of their input, where they say so."""
    feeds = feeds_of(store, augment) if placed else {}
    found = {}
    for m, one in placed.items():
        stated = loading.expected(one, feeds[m].input(), feeds[m].white)
        if stated is not None:
            found[m] = stated
    return found


def load(model: MultimodalClassifier, placed: Mapping[str, Placed]) -> None:
    """Load the weights into the encoders of a model.

    Raises:
        UserError: They do not fit.
    """
    for m, one in placed.items():
        loading.load(cast(Network, model.encoders[m]), one)


def origins(placed: Mapping[str, Placed], store: Any) -> dict[str, Origin]:
    """Return where the weights of each encoder come from, of those that have any."""
    found = {m: one.origin for m, one in placed.items()}
    embedded = {m: Origin(**store.made_with[m]["weights"]) for m in store.embedded}
    return found | embedded
