"""From clips to probabilities: decoded as for training, predicted batch by batch."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equipoise.console import log
from equipoise.errors import UserError
from equipoise.media.errors import MediaError
from equipoise.media.version import decoder
from equipoise.modalities.base import readers
from equipoise.modalities.sample import Readers, read_present
from equipoise.models.card import ModelCard
from equipoise.prediction.inputs import Clip, find_clips, wanted
from equipoise.training import inference
from equipoise.training.device import make_deterministic, pick_device
from equipoise.training.embedding import Embedder, of_card

#: Key of the fused prediction beside those of the modalities.
FUSED = "fused"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ClipPrediction:
    """What a model says of one clip, or why it cannot say anything."""

    sample_id: str
    sources: dict[str, Path | str]
    """Modality to file, or to the sample itself."""
    probabilities: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """``"fused"`` and each modality that was present to class probabilities (C,)."""
    error: str = ""
    """Why there are no probabilities; empty if there are."""

    @property
    def modalities(self) -> list[str]:
        """The modalities that were present, which the prediction rests on."""
        return [name for name in self.probabilities if name != FUSED]


@dataclass(frozen=True)
class ClipPredictions:
    """Predictions of many clips, in the order of the input; made while one iterates.

    At most one batch is in memory.
    """

    loaded: inference.LoadedModel
    clips: list[Clip]
    readers: Readers
    """How clips are read: as the model's training data were."""
    embedders: dict[str, Embedder]
    """Frozen encoders whose output the model was trained on."""
    device: torch.device
    batch_size: int
    threads: int

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the probabilities."""
        return self.loaded.card.classes

    @property
    def modalities(self) -> list[str]:
        """Modalities of the model."""
        return list(self.loaded.card.modalities)

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[ClipPrediction]:
        with ThreadPoolExecutor(self.threads, "decode") as pool:
            try:
                for start in range(0, len(self.clips), self.batch_size):
                    clips = self.clips[start : start + self.batch_size]
                    yield from self._predict(clips, list(pool.map(self._decode, clips)))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _decode(self, clip: Clip) -> tuple[Arrays, str]:
        """Return the arrays of the modalities that are there; if none is, nothing and why."""
        wanted = {m: clip.sources[m] for m in self.modalities if m in clip.sources}
        if not wanted:
            has = ", ".join(clip.sources) or "nothing of it"
            return {}, f"the model reads {', '.join(self.modalities)}; the clip has {has}"
        try:
            readings = read_present(self.readers, wanted)
            return {m: reading.array for m, reading in readings.items()}, ""
        except MediaError as error:
            return {}, str(error)

    def _predict(
        self, clips: list[Clip], decoded: list[tuple[Arrays, str]]
    ) -> Iterator[ClipPrediction]:
        groups: dict[tuple[str, ...], list[int]] = {}
        for position, (arrays, _) in enumerate(decoded):
            groups.setdefault(tuple(arrays), []).append(position)
        groups.pop((), None)
        found: list[dict[str, NDArray[np.float64]]] = [{} for _ in clips]
        for present, positions in groups.items():  # a batch has the same modalities throughout
            arrays = {m: np.stack([decoded[p][0][m] for p in positions]) for m in present}
            for name, values in self._probabilities(arrays).items():
                for position, value in zip(positions, values, strict=True):
                    found[position][name] = value
        for clip, (_, error), probabilities in zip(clips, decoded, found, strict=True):
            if not all(np.isfinite(values).all() for values in probabilities.values()):
                probabilities = {}
                error = "the model gives no finite numbers; is the sound finite, did it converge?"
            yield ClipPrediction(clip.sample_id, clip.sources, probabilities, error)

    def _probabilities(self, arrays: Arrays) -> dict[str, NDArray[np.float64]]:
        from scipy.special import softmax

        embedded = {m: self.embedders[m].embed(arrays[m]) for m in arrays if m in self.embedders}
        store = _Decoded({**arrays, **embedded}, self.classes)
        predicted = inference.predict(
            self.loaded,
            store,
            np.arange(len(store.labels)),
            self.device,
            self.batch_size,
            present=store.modalities,
        )
        logits = {FUSED: predicted.logits, **predicted.modality_logits}
        return {name: softmax(np.asarray(z, np.float64), axis=1) for name, z in logits.items()}


class _Decoded:
    """Decoded clips as the feature store that prediction reads; labels are unknown."""

    def __init__(self, arrays: Arrays, classes: list[str]) -> None:
        self._arrays = arrays
        self.modalities = list(arrays)
        self.tables: dict[str, dict[str, Any]] = {}
        self.embedded: tuple[str, ...] = ()
        self.classes = classes
        self.labels = np.full(len(next(iter(arrays.values()))), -1, np.int64)
        self.sample_ids: list[str] = []

    def shape(self, modality: str) -> tuple[int, ...]:
        return self._arrays[modality].shape[1:]

    def rows(self, modality: str, start: int, stop: int) -> NDArray[Any]:
        return self._arrays[modality][start:stop]

    def row(self, modality: str, index: int) -> NDArray[Any]:
        array: NDArray[Any] = self._arrays[modality][index]
        return array

    def packed(self, modality: str, start: int, stop: int) -> None:
        return None

    def nbytes(self, modality: str) -> int:
        return self._arrays[modality].nbytes


def predict(
    model: Path | str,
    paths: Sequence[Path | str],
    device: str = "auto",
    batch_size: int = 64,
    threads: int | None = None,
    given: Mapping[str, str] | None = None,
) -> ClipPredictions:
    """Predict media with a trained model, decoded exactly as its training data were.

    A file that cannot be decoded becomes a prediction with an ``error``. A modality that a clip
    does not have is left out; the fused prediction is then that of the others.

    Args:
        model: Folder with ``model.json`` and ``model.safetensors``; nothing else is read of it.
        paths: Media files, folders of them, or manifests with one column for each modality.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``.
        batch_size: Clips decoded, held in memory and predicted together.
        threads: Clips decoded at the same time, and threads of torch; all cores if None. Sets
            torch's threads and deterministic kernels for the whole process.
        given: Modality to a text or a file that goes with every path.

    Returns:
        An iterable that predicts while it is read: ``for clip in predict(...)``.

    Raises:
        UserError: The model, the device or a path cannot be used.
    """
    folder = Path(model)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; --model is the folder that holds model.json")
    loaded = inference.load_model(folder)
    card = loaded.card
    how = _readers(card, folder / "model.json")
    where, cores = pick_device(device), threads or os.cpu_count() or 1
    needs = wanted({m: one.table for m, one in card.modalities.items()})
    clips = find_clips([Path(path) for path in paths], needs, given)
    make_deterministic(where, cores)
    log.info(
        "%s: %s on %s, seed %d, epoch %d; reads %s; %s, %s",
        *(folder, card.method, card.dataset, card.seed, card.epoch, ", ".join(card.modalities)),
        *(where, decoder()),
    )
    frozen = {m: of_card(m, one, where) for m, one in card.modalities.items() if one.embedded}
    return ClipPredictions(loaded, clips, how, frozen, where, batch_size, cores)


def _readers(card: ModelCard, path: Path) -> Readers:
    """Return the readers of a model, if they give the arrays that it was trained on."""
    try:
        made = readers({m: modality.table for m, modality in card.modalities.items()})
    except (ValueError, KeyError) as error:
        raise UserError(f"{path}: {error}; is it of another version?") from None
    for m, reader in made.items():
        if (found := reader.identity()) != card.modalities[m].identity:
            raise UserError(
                f"{path}: {m} was read with {card.modalities[m].identity}, here it is {found}; "
                "put the files of the training in place"
            )
        trained, embedded = card.modalities[m].shape, card.modalities[m].embedded
        if not embedded and (shape := reader.stored().shape) != trained:
            raise UserError(
                f"{path}: the settings give {m} the shape {shape}, but the model was trained on "
                f"{trained}; train again"
            )
    return made
