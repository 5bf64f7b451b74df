"""The samples of one training job: splits, order, augmentation, batches on the device."""

import csv
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise import files, vouch
from equipoise.errors import UserError
from equipoise.modalities.feed import Drawn
from equipoise.modalities.normalise import Normalisation
from equipoise.training.batch import Batch, Plan
from equipoise.training.order import arranged, permutation, spans, windows
from equipoise.training.source import Raw, Source, Store, open_source
from equipoise.training.streams import Streams, feeds_of, measured

SUBSETS = ("train", "val", "test")
Indices = NDArray[np.int64]


def read_split(path: Path, sample_ids: Sequence[str]) -> dict[str, Indices]:
    """Return the ascending store rows of ``train``, ``val`` and ``test``.

    Raises:
        UserError: No such file, an unknown sample or subset, a sample twice, no sample to train
            on or none to select by.
    """
    position = {sample: row for row, sample in enumerate(sample_ids)}
    rows: dict[str, list[int]] = {subset: [] for subset in SUBSETS}
    again = "run stage split again"
    try:
        with (
            files.reading(path, again),
            Path(path).open(newline="", encoding="utf-8") as file,
        ):
            for line, record in enumerate(csv.DictReader(file), start=2):
                sample, subset = record.get("sample_id", ""), record.get("subset", "")
                if sample not in position:
                    raise UserError(
                        f"{path}:{line}: sample {sample!r} is not among the features; {again}"
                    )
                if subset not in rows:
                    raise UserError(f"{path}:{line}: subset {subset!r} is unknown; {again}")
                rows[subset].append(position[sample])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run stage split first") from None
    if (record_path := Path(path).with_suffix(".json")).exists():
        vouch.expect(Path(path), vouch.read(record_path, again), record_path)
    named = [row for subset in rows.values() for row in subset]
    if len(set(named)) < len(named):
        raise UserError(f"{path}: a sample stands in it twice; {again}")
    for subset in ("train", "val"):
        if not rows[subset]:
            raise UserError(f"{path}: no sample in {subset!r}; change the split settings")
    return {subset: np.array(sorted(values), dtype=np.int64) for subset, values in rows.items()}


def split_digest(splits: Mapping[str, Indices], sample_ids: Sequence[str]) -> str:
    """Return a digest of what training sees: which samples it trains on and selects by."""
    return files.digest(
        {side: [sample_ids[row] for row in splits[side].tolist()] for side in ("train", "val")}
    )


class Data:
    """Features of one data set as batches on one device.

    Args:
        store: The feature store; read while in use, unless its features fit into memory.
        splits: Subset to ascending rows of the store.
        device: Where batches go.
        resident_gib: Features up to this size are held in memory.
        normalisation: Of the modalities that it is known of: from an earlier stage, or what
            pretrained weights expect; of the others it is computed on ``train``.
        augment: Modality to what is random in training.
        window: Samples that are shuffled together (``train.shuffle_window``); None: all.
    """

    def __init__(
        self,
        store: Store,
        splits: Mapping[str, Indices],
        device: torch.device,
        resident_gib: float,
        normalisation: Mapping[str, Normalisation] | None = None,
        augment: Mapping[str, Mapping[str, Any]] | None = None,
        window: int | None = None,
    ) -> None:
        self.device = device
        self._window = window
        self.splits = dict(splits)
        self.modalities = sorted(store.modalities)
        self.classes = list(store.classes)
        self.sample_ids = list(store.sample_ids)
        self.labels: Indices = np.asarray(store.labels, dtype=np.int64)
        feeds = feeds_of(store, augment or {})
        known = dict(normalisation or {})
        unknown = {m: feed for m, feed in feeds.items() if m not in known}
        known |= measured(unknown, store, self.splits["train"])
        self.streams = Streams(feeds, known, device)
        self._source: Source = open_source(store, self.modalities, device, resident_gib)
        self._labels = torch.from_numpy(self.labels).to(device)

    def ordered(self, rows: Indices, batch_size: int) -> Iterator[Batch]:
        """Yield batches of ``rows`` in the given order, not augmented."""
        batches = list(torch.split(torch.from_numpy(rows), batch_size)) if len(rows) else []
        for index, raw in zip(batches, self._source.batches(batches), strict=True):
            yield self._batch(index, raw)

    def shuffled(
        self,
        rows: Indices,
        batch_size: int,
        seed: tuple[int, int],
        start: int = 0,
        plan: Plan | None = None,
    ) -> Generator[Batch, None, None]:
        """Yield the training batches of one epoch, from batch ``start`` on.

        What ``plan`` says of order, groups and kept modalities holds for the entries of ``rows``.

        Order and augmentation are functions of ``seed`` = (seed, epoch) alone: the position in a
        run is (epoch, batch), whatever happened before.
        """
        plan = plan or Plan()
        places = self.places(len(rows), batch_size, seed, plan)
        keep = self._kept(plan, torch.cat(places)) if places else None
        drawn = self.streams.draw(seed, len(rows))  # one copy to the device, not one a step
        batches = [torch.from_numpy(rows)[place] for place in places]
        position = sum(len(index) for index in batches[:start])
        ends = [end - start for end in self._ends(places, seed) if end > start]
        batches = batches[start:]
        for index, raw in zip(batches, self._source.batches(batches, ends), strict=True):
            span = slice(position, position + len(index))
            position += len(index)
            part = {m: {name: d[span] for name, d in by.items()} for m, by in drawn.items()}
            batch = self._batch(index, raw, part)
            batch.keep = keep and {m: kept[span] for m, kept in keep.items()}
            yield batch

    def places(
        self, count: int, batch_size: int, seed: tuple[int, int], plan: Plan
    ) -> list[Tensor]:
        """Return the places of each batch of an epoch among its ``count`` entries."""
        return arranged(count, batch_size, seed, plan, self._window)

    def _ends(self, places: list[Tensor], seed: tuple[int, int]) -> list[int]:
        """Return where spans of batches end that are read at once; nothing: each alone."""
        if self._window is None or not places:
            return []
        return spans(places, windows(sum(map(len, places)), seed, self._window))

    def order(self, rows: Indices, seed: tuple[int, int]) -> Tensor:
        """Return ``rows`` in the order of the epoch ``seed`` = (seed, epoch)."""
        return torch.from_numpy(rows)[permutation(len(rows), seed, self._window)]

    def _kept(self, plan: Plan, order: Tensor) -> dict[str, Tensor] | None:
        """Return ``Plan.keep`` in the order of the epoch: one copy to the device."""
        if plan.keep is None:
            return None
        if any(len(plan.keep[m]) != len(order) for m in self.modalities):
            raise ValueError(f"the plan does not say of {len(order)} entries what to keep")
        return {m: torch.from_numpy(kept)[order].to(self.device) for m, kept in plan.keep.items()}

    def _batch(self, index: Tensor, raw: Raw, drawn: Mapping[str, Drawn] | None = None) -> Batch:
        rows = index.to(self.device, non_blocking=True)
        return Batch(self.streams.prepare(raw, drawn), self._labels[rows], rows)
