"""A modality that stage embed has run through a frozen encoder: vectors in place of its samples."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from equipoise.modalities.base import Input, Reader, Shown, Stored
from equipoise.modalities.feed import Drawn, Feed
from equipoise.section import Section


class EmbeddedReader(Reader[Section]):
    """Stored and given (E,), float32.

    Args:
        name: Name of the modality.
        width: E.
    """

    def __init__(self, name: str, width: int) -> None:
        super().__init__(name, Section())
        self._width = width

    def stored(self) -> Stored:
        """Return (E,)."""
        return Stored((self._width,), "float32")

    def input(self) -> Input:
        """Return (E,)."""
        return Input("vector", (self._width,))

    def show(self, stored: NDArray[Any]) -> Shown:
        """Return the first numbers."""
        return Shown(text=", ".join(f"{value:.3g}" for value in stored[:8]))


class EmbeddedFeed(Feed[Section]):
    """(B, E), each number normalised over the training split; nothing is random."""

    def prepare(self, stored: Tensor, drawn: Drawn) -> Tensor:
        """Normalise."""
        return self.normalised(stored)
