"""Rows of a feature store in memory, as they lie in the file: packed samples stay packed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.modalities.packing import DamagedPictureError, Packed, joined, unpack

if TYPE_CHECKING:
    from equipoise.training.source import Store

GAP = 4
"""Rows that nobody wants are read along, up to so many in a row: one read in place of two."""


class Held:
    """Some rows of one modality.

    Args:
        store: Where they are read, in the order of the file.
        modality: Its name.
        rows: Numbers of the rows, in any order.
    """

    def __init__(self, store: Store, modality: str, rows: NDArray[np.int64]) -> None:
        self._store, self._modality = store, modality
        self._shape = store.shape(modality)
        found = runs(rows)
        self._starts = np.array([start for start, _ in found])
        self._packed: list[Packed] = []
        self._arrays: list[NDArray[Any]] = []
        for start, stop in found:
            packed = store.packed(modality, start, stop)
            if packed is None:
                self._arrays.append(store.rows(modality, start, stop))
            else:
                self._packed.append(packed)

    def take(self, rows: NDArray[np.int64], threads: int = 1) -> NDArray[Any]:
        """Return rows (n, *shape) that are held, in the order asked for.

        Raises:
            UserError: A packed sample cannot be read.
        """
        run = np.searchsorted(self._starts, rows, side="right") - 1
        places = list(zip(run.tolist(), (rows - self._starts[run]).tolist(), strict=True))
        if not self._packed:
            return np.stack([self._arrays[number][place] for number, place in places])
        samples = [self._packed[number].sample(place) for number, place in places]
        try:
            return unpack(joined(samples, self._shape), self._shape, threads)
        except DamagedPictureError as error:
            self._store.row(self._modality, int(rows[error.sample]))  # says it with file and row
            raise


def runs(rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the spans [start, stop) of the file, ascending, that hold ``rows``, one or more."""
    wanted = np.unique(rows)
    apart = np.flatnonzero(np.diff(wanted) > GAP + 1) + 1
    return [(int(some[0]), int(some[-1]) + 1) for some in np.split(wanted, apart)]
