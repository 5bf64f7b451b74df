"""What a model of a data set is trained on: the features, and what stage embed made of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise import layout
from equipoise.errors import UserError
from equipoise.modalities.packing import Packed
from equipoise.store.features import FeatureStore


class Inputs:
    """Two feature stores as one: an embedded modality hides the one it was made of.

    Attributes:
        modalities: Names of the modalities, sorted.
        embedded: Those that were run through a frozen encoder.
        tables, classes, labels, sample_ids, groups: As those of the features.
        made_with: Embedded modality to the ``weights`` of its encoder and the normalisation
            ``before`` it.
        attributes: Of both files, to tell one state of them from another.
    """

    def __init__(self, features: FeatureStore, embeddings: FeatureStore) -> None:
        self._features, self._embeddings = features, embeddings
        self.modalities = features.modalities
        self.embedded = tuple(embeddings.modalities)
        self.tables: dict[str, dict[str, Any]] = features.tables
        self.classes: list[str] = features.classes
        self.labels: NDArray[np.int64] = features.labels
        self.sample_ids: list[str] = features.sample_ids
        self.groups: list[str] = features.groups
        self.made_with: dict[str, dict[str, Any]] = json.loads(
            embeddings.attributes.get("made_with", "{}")
        )
        self.attributes = {
            **features.attributes,
            **{f"embed_{name}": value for name, value in embeddings.attributes.items()},
        }

    def __len__(self) -> int:
        return len(self.labels)

    def _of(self, modality: str) -> FeatureStore:
        return self._embeddings if modality in self.embedded else self._features

    def shape(self, modality: str) -> tuple[int, ...]:
        """Return the shape of one sample."""
        return self._of(modality).shape(modality)

    def rows(self, modality: str, start: int, stop: int) -> NDArray[Any]:
        """Read rows ``start`` to ``stop`` (exclusive) in one go."""
        return self._of(modality).rows(modality, start, stop)

    def row(self, modality: str, index: int) -> NDArray[Any]:
        """Read one sample."""
        return self._of(modality).row(modality, index)

    def packed(self, modality: str, start: int, stop: int) -> Packed | None:
        """Read rows ``start`` to ``stop`` (exclusive) as they are packed; None: they are not."""
        return self._of(modality).packed(modality, start, stop)

    def nbytes(self, modality: str) -> int:
        """Return the bytes of all samples in the file."""
        return self._of(modality).nbytes(modality)


@contextlib.contextmanager
def open_inputs(dataset: str) -> Iterator[Inputs]:
    """Open what the models of a data set are trained on.

    Raises:
        UserError: A file is missing or damaged, or the embeddings are of other features.
    """
    path = layout.embed(dataset)["embeddings"]
    with FeatureStore(layout.features(dataset)["features"]) as features:
        if not path.exists():
            raise UserError(f"{path}: no such file; run stage embed first")
        with FeatureStore(path) as embeddings:
            if embeddings.attributes.get("features") != identity(features):
                raise UserError(f"{path}: made of other features; run stage embed again")
            yield Inputs(features, embeddings)


def identity(features: FeatureStore) -> str:
    """Return a digest of what makes a feature store what it is: settings, manifest, media, rows."""
    from equipoise import files

    names = ("modalities", "manifest_sha256", "media_sha256", "decoder", "identity")
    values = {name: str(features.attributes.get(name, "")) for name in names}
    return files.digest([values, features.sample_ids])
