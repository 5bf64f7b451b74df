"""Use a trained model: load it from its folder, predict samples of a feature store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise import files
from equipoise.errors import UserError
from equipoise.methods.base import Method, create
from equipoise.modalities.base import Input
from equipoise.modalities.draws import mixed
from equipoise.models.build import build_model
from equipoise.models.card import ModalityCard, ModelCard, read_card
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.training.device import pick_device
from equipoise.training.limits import BUILD_ERRORS, expect_fit, expect_sizes
from equipoise.training.outputs import Predictions, gather
from equipoise.training.source import Rows, Store, open_source
from equipoise.training.streams import Streams


@dataclass
class LoadedModel:
    """A trained model with the method that reads its predictions."""

    model: MultimodalClassifier
    card: ModelCard
    method: Method[Any]


def load_model(folder: Path) -> LoadedModel:
    """Load a trained model (of stage warmup or train) onto the CPU, in evaluation mode.

    Raises:
        UserError: A file is missing or damaged, or card and weights do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    card = read_card(folder)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UserError(f"{weights}: no such file; train again")
    if files.sha256(weights) != card.weights_sha256:
        raise UserError(
            f"{weights}: sha256 differs from model.json; the file is damaged: restore "
            "it or train again"
        )
    try:
        create(card.method, card.options)
    except ValueError as error:
        raise UserError(f"{folder / 'model.json'}: {error}; is it of another version?") from None
    expect_sizes(card, folder / "model.json")
    try:
        inputs = Streams.of_card(card.modalities, torch.device("cpu")).inputs
        expect_fit(weights, lambda: _built(card, inputs)[0])
        model, method = _built(card, inputs)
    except UserError:
        raise
    except BUILD_ERRORS as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UserError(
            f"{folder / 'model.json'}: describes no network ({line}); is it of another version?"
        ) from None
    try:
        model.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        line = " ".join(str(error).split())
        raise UserError(f"{weights}: does not fit model.json ({line}); train again") from None
    model.eval()
    return LoadedModel(model, card, method)


def predict(
    loaded: LoadedModel,
    store: Store,
    indices: NDArray[np.int64],
    device: str | torch.device = "auto",
    batch_size: int = 256,
    resident_gib: float = 8.0,
    present: Sequence[str] | None = None,
) -> Predictions:
    """Predict rows ``indices`` of ``store`` in evaluation mode, without augmentation, in float32.

    Args:
        loaded: Model and method.
        store: Features.
        indices: Rows (N,).
        device: ``auto``, a device name or a device.
        batch_size: Samples in one forward pass.
        resident_gib: See :func:`equipoise.training.source.open_source`.
        present: The modalities to predict from; None: all of the model. The others are not read.

    Raises:
        UserError: The store lacks a modality that is needed or holds it in another shape, or
            ``present`` names none or one that the model does not know.
    """
    where = pick_device(device) if isinstance(device, str) else device
    modalities = _checked(loaded.card, store, present)
    model = loaded.model.to(where)
    streams = Streams.of_card(modalities, where)
    source = open_source(store, list(modalities), where, resident_gib)
    batches = list(torch.split(torch.from_numpy(np.asarray(indices, dtype=np.int64)), batch_size))
    outputs: list[Output] = []
    training = model.training
    model.eval()
    with torch.no_grad():
        for raw in source.batches(batches if len(indices) else []):
            outputs.append(loaded.method.predict(model(streams.prepare(raw))))
    model.train(training)
    return gather(outputs, list(modalities), len(loaded.card.classes), loaded.card.features)


@torch.no_grad()
def classify(
    loaded: LoadedModel, features: Mapping[str, NDArray[np.float32]], batch_size: int = 256
) -> Predictions:
    """Predict from features ``{m: (N, D)}``, one modality or more, that :func:`predict` returned.

    What ``predict(present=...)`` gives, without running the encoders again.
    """
    where = next(loaded.model.parameters()).device
    count = len(next(iter(features.values())))
    outputs = []
    for start in range(0, count, batch_size):
        rows = slice(start, start + batch_size)
        batch = {m: torch.from_numpy(array[rows]).to(where) for m, array in features.items()}
        outputs.append(loaded.method.predict(loaded.model.classify(batch)))
    return gather(outputs, list(features), len(loaded.card.classes), loaded.card.features)


@torch.no_grad()
def damaged_features(
    loaded: LoadedModel,
    store: Store,
    rows: NDArray[np.int64],
    modality: str,
    severity: float,
    batch_size: int = 256,
) -> NDArray[np.float32]:
    """Return the features (N, D) of one modality of ``rows`` whose samples were damaged.

    The damage is a function of severity and rows: the same for every model.

    Args:
        loaded: Model and method, on the device to use.
        store: Features.
        rows: Rows (N,).
        modality: Which one is damaged.
        severity: 0 (not at all) to 1 (nothing is left of it).
        batch_size: Samples in one forward pass.
    """
    where = next(loaded.model.parameters()).device
    streams = Streams.of_card(_checked(loaded.card, store, [modality]), where)
    generator = torch.Generator().manual_seed(mixed(int(1000 * severity)))
    batches = list(torch.split(torch.from_numpy(rows), batch_size))
    pieces = []
    for raw in Rows(store, [modality], where).batches(batches):
        inputs = streams.prepare(raw)
        damaged = streams.feeds[modality].corrupt(inputs[modality], severity, generator)
        pieces.append(loaded.model.encode({modality: damaged})[modality].float().cpu())
    features: NDArray[np.float32] = torch.cat(pieces).numpy()
    return features


def prepared(loaded: LoadedModel, store: Store, rows: NDArray[np.int64]) -> dict[str, Tensor]:
    """Return one batch, the rows (B,) of ``store``, as the model takes it: ``{m: (B, ...)}``."""
    where = next(loaded.model.parameters()).device
    modalities = _checked(loaded.card, store, None)
    raw = next(Rows(store, list(modalities), where).batches([torch.from_numpy(rows)]))
    return Streams.of_card(modalities, where).prepare(raw)


def _built(
    card: ModelCard, inputs: Mapping[str, Input]
) -> tuple[MultimodalClassifier, Method[Any]]:
    """Return the network of a card, with the layers that its method adds, and the method."""
    model = build_model(
        inputs,
        {m: modality.encoder for m, modality in card.modalities.items()},
        card.fusion,
        card.features,
        len(card.classes),
        [m for m, modality in card.modalities.items() if modality.embedded],
    )
    method = create(card.method, card.options)
    method.attach(model, card.structure)
    return model, method


def _checked(
    card: ModelCard, store: Store, present: Sequence[str] | None
) -> dict[str, ModalityCard]:
    """Return what the card says of the modalities to predict from, in the order of the model."""
    known = card.modalities
    asked = list(known) if present is None else list(present)
    if not asked or set(asked) - set(known):
        raise UserError(
            f"cannot predict from {', '.join(asked) or 'no modality'}; "
            f"the model knows {', '.join(known)}: name one or more of them"
        )
    modalities = {m: modality for m, modality in known.items() if m in asked}
    for m, modality in modalities.items():
        if m not in store.modalities:
            raise UserError(
                f"the model needs modality {m!r}; the features hold "
                f"{', '.join(store.modalities) or 'none'}"
            )
        if tuple(store.shape(m)) != modality.shape:
            raise UserError(
                f"{m!r} has shape {tuple(store.shape(m))} in the features, but the model was "
                f"trained on {modality.shape}; extract with the model's settings"
            )
    return modalities
