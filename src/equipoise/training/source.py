"""Batches of stored samples on the training device, from memory or from the file."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.console import log

SLAB_BYTES = 32 << 20


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


Raw = dict[str, Tensor]


class Source(Protocol):
    """Gives batches of stored, unprepared samples."""

    def batches(self, batches: Sequence[Tensor]) -> Iterator[Raw]:
        """Yield one batch for each tensor of row numbers (on the CPU)."""


class Resident:
    """All features in memory of the device: a batch is one indexed copy there."""

    def __init__(self, store: Store, modalities: Sequence[str], device: torch.device) -> None:
        self._device = device
        self._arrays = {m: _load(store, m, device) for m in modalities}

    def batches(self, batches: Sequence[Tensor]) -> Iterator[Raw]:
        """Yield one batch for each tensor of row numbers."""
        for rows in batches:
            index = rows.to(self._device, non_blocking=True)
            yield {m: array.index_select(0, index) for m, array in self._arrays.items()}


class Rows:
    """Rows read from the file while the device works on the batch before."""

    def __init__(self, store: Store, modalities: Sequence[str], device: torch.device) -> None:
        self._store, self._modalities, self._device = store, list(modalities), device

    def _read(self, rows: Tensor) -> Raw:
        batch = {}
        for m in self._modalities:
            array = np.stack([self._store.row(m, int(row)) for row in rows])
            tensor = torch.from_numpy(array)
            batch[m] = tensor.pin_memory() if self._device.type == "cuda" else tensor
        return batch

    def batches(self, batches: Sequence[Tensor]) -> Iterator[Raw]:
        """Yield one batch for each tensor of row numbers, reading one batch ahead."""
        with ThreadPoolExecutor(1, "features") as reader:
            waiting = reader.submit(self._read, batches[0]) if batches else None
            for following in [*batches[1:], None]:
                if waiting is None:
                    return
                batch = waiting.result()
                waiting = reader.submit(self._read, following) if following is not None else None
                yield {m: x.to(self._device, non_blocking=True) for m, x in batch.items()}


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
    """Hold the features in memory when they take at most ``resident_gib``, else read rows."""
    if len(store.labels) == 0:
        return Resident(store, modalities, device)
    sizes: Mapping[str, int] = {m: store.row(m, 0).nbytes * len(store.labels) for m in modalities}
    if sum(sizes.values()) <= resident_gib * 2**30:
        return Resident(store, modalities, device)
    log.info(
        "features take %.1f GiB, more than runtime.resident_gib: rows are read from the file",
        sum(sizes.values()) / 2**30,
    )
    return Rows(store, modalities, device)
