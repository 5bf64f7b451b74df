"""What a kind of modality must do in torch: turn stored samples into the input of an encoder."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Literal, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise import registry
from equipoise.modalities.base import Input, Reader
from equipoise.modalities.draws import Dice
from equipoise.modalities.normalise import Normalisation, affine, moments
from equipoise.section import Section

AugmentT = TypeVar("AugmentT", bound=Section)

CACHED = 1 << 17
"""Values that are normalised at once on a CPU: half a megabyte."""

Drawn = Mapping[str, Tensor]
"""Name of a random quantity to its values (B, ...) for the samples of a batch."""


class Feed(ABC, Generic[AugmentT]):
    """Feeds an encoder with the samples of one modality.

    Args:
        reader: How they are stored.
        augment: What is random in training, and what evaluation does instead.
    """

    channels: Literal["last", "one", "none"] = "last"
    """What shares a mean and a standard deviation: the values of each index of the last axis, all
    values, or nothing (the input is not normalised)."""

    white: float = 1.0
    """The stored value that published means and deviations of this kind call 1."""

    def __init__(self, reader: Reader[Any], augment: AugmentT) -> None:
        self.reader = reader
        self.augment = augment
        self._scale = self._offset = torch.zeros(0)

    def input(self) -> Input:
        """Return what the encoder gets: what is stored, less what :meth:`prepare` leaves out."""
        return self.reader.input()

    def statistics(self, slabs: Iterable[NDArray[Any]]) -> Normalisation:
        """Return mean and standard deviation of stored samples, in slabs (n, *shape).

        Raises:
            UserError: There is no sample, or a value is not finite.
        """
        if self.channels == "none":
            return Normalisation(mean=(), std=())
        count = self.reader.stored().shape[-1] if self.channels == "last" else 1
        return moments(slabs, count, self.reader.name)

    def bind(self, normalisation: Normalisation, device: torch.device) -> None:
        """Prepare inputs on ``device``, normalised so, from now on."""
        self._scale, self._offset = affine(normalisation, device)

    def normalised(self, stored: Tensor) -> Tensor:
        """Return float32 of the same shape; over the training split, mean 0 and deviation 1."""
        if not self._scale.numel():
            return stored.float()
        if stored.dim() < 2 or not stored.is_contiguous():
            return torch.mul(stored, self._scale).add_(self._offset)
        # The same numbers, over rows of width x channels: a loop over three channels is slow.
        rows = stored.flatten(-2).unsqueeze(0).flatten(0, -2)
        scale, offset = (
            self._row(factor, rows.shape[-1]) for factor in (self._scale, self._offset)
        )
        values = torch.empty(rows.shape, dtype=torch.float32, device=rows.device)
        # On a CPU in parts that stay in its cache from one operation to the next.
        part = max(1, CACHED // rows.shape[-1]) if rows.device.type == "cpu" else len(rows)
        for made, given in zip(torch.split(values, part), torch.split(rows, part), strict=True):
            made.copy_(given).mul_(scale).add_(offset)
        return values.view(stored.shape)

    @staticmethod
    def _row(factor: Tensor, length: int) -> Tensor:
        """Return one value for all, or as many as a row has."""
        return factor if factor.numel() == 1 else factor.repeat(length // factor.numel())

    def draw(self, dice: Dice) -> dict[str, Tensor]:
        """Draw what the augmentation of one epoch needs, each (samples, ...); nothing by default.

        What streams are to share (one crop for two cameras) is drawn under the same name and in
        relative units: see :class:`Dice`.
        """
        return {}

    @abstractmethod
    def prepare(self, stored: Tensor, drawn: Drawn) -> Tensor:
        """Turn a batch of stored samples (B, *shape) into a batch of inputs, on its device.

        Args:
            stored: As read from the store.
            drawn: The batch's part of what :meth:`draw` returned; empty in evaluation.
        """

    def corrupt(self, inputs: Tensor, severity: float, generator: torch.Generator) -> Tensor:
        """Return inputs that are damaged: 0 changes nothing, 1 leaves nothing of the sample.

        By default (1 - s) x + s n with standard normal n: inputs are normalised.
        """
        if severity == 0:
            return inputs
        noise = torch.randn(inputs.shape, generator=generator).to(inputs.device)
        return (1 - severity) * inputs + severity * noise


def feed(reader: Reader[Any], kind: str, augment: Mapping[str, Any]) -> Feed[Any]:
    """Make the feed of a modality.

    Raises:
        ValueError: Unknown option; one line.
    """
    info = registry.kinds()[kind]
    module, _, plugin = info.feed.partition(":")
    made: type[Feed[Any]] = getattr(importlib.import_module(module), plugin)
    where = f"augment of modality {reader.name!r}"
    return made(reader, registry.check(info.augment, augment, where))
