"""A trained model with its preparation as one module of PyTorch: :func:`equipoise.load`."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from equipoise.errors import UserError
from equipoise.models.card import ModelCard
from equipoise.models.multimodal import Output
from equipoise.training.device import pick_device
from equipoise.training.embedding import Embedder, of_card
from equipoise.training.inference import LoadedModel, load_model
from equipoise.training.streams import Streams


class TrainedModel(nn.Module):
    """From stored samples to the prediction of the method: normalisation, encoders, fusion.

    Args:
        loaded: Model and method.
        frozen: Modality to the frozen encoder that stage embed ran, where there is one.
    """

    def __init__(self, loaded: LoadedModel, frozen: Mapping[str, Embedder]) -> None:
        super().__init__()
        self.model = loaded.model
        self.frozen = nn.ModuleDict({m: one.encoder for m, one in frozen.items()})
        self.card: ModelCard = loaded.card
        self.shapes = {
            m: frozen[m].feed.reader.stored().shape if m in frozen else card.shape
            for m, card in self.card.modalities.items()
        }
        """Shape of one stored sample of each modality."""
        self._method = loaded.method
        self._embedders = dict(frozen)
        self._streams = Streams.of_card(self.card.modalities, self.device)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the logits."""
        return self.card.classes

    def forward(self, samples: Mapping[str, Tensor]) -> Output:
        """Return features, logits of the heads and fused logits, without augmentation.

        Args:
            samples: Modality to samples (B, *shape) as ``features.h5`` holds them, on any device;
                one modality or more.

        Raises:
            UserError: No modality, one that the model does not know, another shape, or batches of
                different sizes.
        """
        self._check(samples)
        self._follow(self.device)
        raw = {m: samples[m].to(self.device) for m in self.shapes if m in samples}
        for m, one in self._embedders.items():
            if m in raw:
                raw[m] = one.outputs(raw[m])
        return self._method.predict(self.model(self._streams.prepare(raw)))

    def _check(self, samples: Mapping[str, Tensor]) -> None:
        if not samples or samples.keys() - self.shapes.keys():
            raise UserError(
                f"cannot predict from {', '.join(samples) or 'no modality'}; "
                f"the model knows {', '.join(self.shapes)}: name one or more of them"
            )
        for m, batch in samples.items():
            if tuple(batch.shape[1:]) != tuple(self.shapes[m]):
                raise UserError(
                    f"{m!r} has shape {tuple(batch.shape)}; the model takes (B, "
                    f"{', '.join(map(str, self.shapes[m]))}): a batch of stored samples"
                )
        if len({len(batch) for batch in samples.values()}) > 1:
            sizes = ", ".join(f"{len(batch)} of {m!r}" for m, batch in samples.items())
            raise UserError(f"the batch has {sizes}; give the same samples of each modality")

    def _follow(self, device: torch.device) -> None:
        """Prepare on the device of the weights, which ``to`` may have moved."""
        if self._streams.device != device:
            self._streams = Streams.of_card(self.card.modalities, device)
        for one in self._embedders.values():
            if one.device != device:
                one.to(device)


def load(model: Path | str, device: str = "cpu") -> TrainedModel:
    """Return a trained model with all that it needs of its training, in evaluation mode.

    Args:
        model: Folder with ``model.json`` and ``model.safetensors``; nothing else is read of it.
            A frozen encoder's own weights are looked up as in training.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``.

    Raises:
        UserError: The model or the device cannot be used.
    """
    where = pick_device(device)
    loaded = load_model(Path(model))
    loaded.model.to(where)
    modalities = loaded.card.modalities
    frozen = {m: of_card(m, one, where) for m, one in modalities.items() if one.embedded}
    return TrainedModel(loaded, frozen).eval()
