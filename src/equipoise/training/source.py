"""Batches of stored samples on the training device, from memory or from the file."""

from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.console import log
from equipoise.modalities.packing import Packed
from equipoise.training.held import Held

SLAB_BYTES = 32 << 20
T = TypeVar("T")
R = TypeVar("R")


class Store(Protocol):
    """What training needs of a feature store (:class:`equipoise.store.features.FeatureStore`)."""

    @property
    def modalities(self) -> Sequence[str]:
        """Names of the modalities."""

    @property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """Modality to ``{kind, column, ...settings}``."""

    @property
    def embedded(self) -> Collection[str]:
        """Modalities that stage embed has run through a frozen encoder."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes, in the order of the labels."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels (N,)."""

    @property
    def sample_ids(self) -> Sequence[str]:
        """Identifiers, N of them."""

    def shape(self, modality: str) -> tuple[int, ...]:
        """Shape of one sample."""

    def rows(self, modality: str, start: int, stop: int) -> NDArray[Any]:
        """Rows ``start`` to ``stop`` (exclusive)."""

    def row(self, modality: str, index: int) -> NDArray[Any]:
        """One row."""

    def packed(self, modality: str, start: int, stop: int) -> Packed | None:
        """Rows ``start`` to ``stop`` (exclusive) as they are packed; None: they are not."""

    def nbytes(self, modality: str) -> int:
        """Bytes of all rows, as they lie in the file."""


Raw = dict[str, Tensor]


class Source(Protocol):
    """Gives batches of stored, unprepared samples."""

    def batches(self, batches: Sequence[Tensor], ends: Sequence[int] = ()) -> Iterator[Raw]:
        """Yield one batch for each tensor of row numbers (on the CPU).

        Args:
            batches: The rows of each.
            ends: Ascending numbers of batches, the last of which is ``len(batches)``: what lies
                between two is read at once. None: every batch on its own.
        """


class Resident:
    """All features in memory of the device: a batch is one indexed copy there."""

    def __init__(self, store: Store, modalities: Sequence[str], device: torch.device) -> None:
        self._device = device
        self._arrays = {m: _load(store, m, device) for m in modalities}

    def batches(self, batches: Sequence[Tensor], ends: Sequence[int] = ()) -> Iterator[Raw]:
        """Yield one batch for each tensor of row numbers."""
        for rows in batches:
            index = rows.to(self._device, non_blocking=True)
            yield {m: array.index_select(0, index) for m, array in self._arrays.items()}


class Rows:
    """Rows read from the file while the device works on the batch before.

    Of a span of batches the next one is read while this one is used: two are in memory.
    """

    def __init__(self, store: Store, modalities: Sequence[str], device: torch.device) -> None:
        self._store, self._modalities, self._device = store, list(modalities), device
        self._threads = torch.get_num_threads()

    def batches(self, batches: Sequence[Tensor], ends: Sequence[int] = ()) -> Iterator[Raw]:
        """Yield one batch for each tensor of row numbers, reading one ahead."""
        starts = [0, *ends] if ends else range(len(batches) + 1)
        spans = [batches[start:stop] for start, stop in pairwise(starts)]
        with (
            closing(_ahead(self._hold, spans, "features-file")) as held,
            closing(_ahead(self._make, _each(spans, held), "features")) as made,
        ):
            for batch in made:
                yield {m: x.to(self._device, non_blocking=True) for m, x in batch.items()}

    def _hold(self, span: Sequence[Tensor]) -> dict[str, Held]:
        rows = torch.cat(list(span)).numpy()
        return {m: Held(self._store, m, rows) for m in self._modalities}

    def _make(self, given: tuple[Tensor, dict[str, Held]]) -> Raw:
        rows, held = given
        arrays = {m: one.take(rows.numpy(), self._threads) for m, one in held.items()}
        batch = {m: torch.from_numpy(array) for m, array in arrays.items()}
        return (
            {m: x.pin_memory() for m, x in batch.items()} if self._device.type == "cuda" else batch
        )


class Compact(Rows):
    """All features in memory as they lie in the file; what is packed is unpacked for its batch."""

    def __init__(self, store: Store, modalities: Sequence[str], device: torch.device) -> None:
        super().__init__(store, modalities, device)
        self._all = super()._hold([torch.arange(len(store.labels))])

    def _hold(self, span: Sequence[Tensor]) -> dict[str, Held]:
        return self._all


def _each(
    spans: Iterable[Sequence[Tensor]], held: Iterator[dict[str, Held]]
) -> Iterator[tuple[Tensor, dict[str, Held]]]:
    """Yield each batch of each span with what is held of the span."""
    for span in spans:
        rows = next(held)
        for batch in span:
            yield batch, rows


def _ahead(function: Callable[[T], R], items: Iterable[T], name: str) -> Generator[R, None, None]:
    """Yield ``function(item)`` of each item; a thread works on the next one meanwhile."""
    with ThreadPoolExecutor(1, name) as pool:
        waiting: Future[R] | None = None
        for item in items:
            following = pool.submit(function, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def _load(store: Store, modality: str, device: torch.device) -> Tensor:
    count = len(store.labels)
    whole: Tensor | None = None
    for start, slab in slabs(store, modality):
        piece = torch.from_numpy(np.ascontiguousarray(slab))
        if whole is None:
            whole = torch.empty((count, *piece.shape[1:]), dtype=piece.dtype, device=device)
        whole[start : start + len(piece)] = piece
    return torch.empty((0, *store.shape(modality)), device=device) if whole is None else whole


def slabs(store: Store, modality: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """Read one modality in order: yields the first row and the array of each slab."""
    count = len(store.labels)
    size = max(1, SLAB_BYTES // max(1, 2 * int(np.prod(store.shape(modality)))))
    for start in range(0, count, size):
        yield start, store.rows(modality, start, min(start + size, count))


def open_source(
    store: Store, modalities: Sequence[str], device: torch.device, resident_gib: float
) -> Source:
    """Hold the features in memory when they take at most ``resident_gib``, else read rows.

    Where packed samples fit only packed, they are held so.
    """
    if len(store.labels) == 0:
        return Resident(store, modalities, device)
    sizes: Mapping[str, int] = {m: store.row(m, 0).nbytes * len(store.labels) for m in modalities}
    if sum(sizes.values()) <= resident_gib * 2**30:
        return Resident(store, modalities, device)
    stored = sum(store.nbytes(m) for m in modalities)
    if stored <= resident_gib * 2**30:
        return Compact(store, modalities, device)
    log.info(
        "features take %.1f GiB, more than runtime.resident_gib: rows are read from the file",
        stored / 2**30,
    )
    return Rows(store, modalities, device)
