"""What a kind of modality must do: be read, stored, prepared for an encoder, corrupted, shown.

A *modality* is a named stream of a data set (``rgb``, ``depth``); its *kind* (``frames``) is a
folder beside this file. What a kind says of itself before anything heavy is imported stands in its
``KIND`` (:class:`equipoise.registry.KindInfo`); its plug-in is a subclass of :class:`Modality`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise import registry
from equipoise.media.wants import Found, Want
from equipoise.modalities.draws import Dice
from equipoise.modalities.normalise import Normalisation, affine, moments
from equipoise.section import Section

SettingsT = TypeVar("SettingsT", bound=Section)
AugmentT = TypeVar("AugmentT", bound=Section)

Drawn = Mapping[str, Tensor]
"""Name of a random quantity to its values (B, ...) for the samples of a batch."""


@dataclass(frozen=True)
class Reading:
    """One sample of one modality, as it is stored."""

    array: NDArray[Any]
    """Of the shape and type that :meth:`Modality.stored` says; every value finite."""
    facts: dict[str, float] = field(default_factory=dict)
    """What the settings did to it: ``cut`` (the share that was left out), ``padded``, ..."""


@dataclass(frozen=True)
class Stored:
    """Shape and type of one stored sample."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Input:
    """What an encoder gets for each sample (without the batch axis)."""

    layout: str
    """One of :data:`equipoise.registry.LAYOUTS`."""
    shape: tuple[int, ...]
    vocabulary: int = 0
    """Number of different tokens (layout ``tokens`` only)."""


@dataclass(frozen=True)
class Shown:
    """A sample for a person's eyes: a picture (PNG) or words."""

    png: bytes = b""
    text: str = ""


class Modality(ABC, Generic[SettingsT, AugmentT]):
    """One named stream of a data set.

    Args:
        name: Its name in params.yaml.
        settings: How it is stored.
        augment: What is random in training, and what evaluation does instead.
    """

    channels: Literal["last", "one", "none"] = "last"
    """What shares a mean and a standard deviation: the values of each index of the last axis, all
    values, or nothing (the input is not normalised)."""

    def __init__(self, name: str, settings: SettingsT, augment: AugmentT) -> None:
        self.name = name
        self.settings = settings
        self.augment = augment
        self._scale = self._offset = torch.zeros(0)

    # --- from a source to a stored sample -------------------------------------------------------

    @abstractmethod
    def stored(self) -> Stored:
        """Return shape and type of a stored sample.

        Raises:
            UserError: The settings contradict each other.
        """

    def want(self, source: Path | str) -> Want | None:
        """Return what is wanted of the media file ``source``; None: :meth:`read` opens it."""
        return None

    def take(self, found: Found) -> Reading:
        """Make a sample of what the decoder found.

        Raises:
            MediaError: Nothing can be made of it; the reason.
        """
        raise NotImplementedError

    def read(self, source: Path | str) -> Reading:
        """Read a sample from a file that is no media file, or from the cell of the manifest.

        Raises:
            MediaError: It cannot be read; the reason.
        """
        raise NotImplementedError

    # --- from stored samples to an input --------------------------------------------------------

    @abstractmethod
    def input(self) -> Input:
        """Return what an encoder gets."""

    def statistics(self, slabs: Iterable[NDArray[Any]]) -> Normalisation:
        """Return mean and standard deviation of stored samples, in slabs (n, *shape).

        Raises:
            UserError: There is no sample, or a value is not finite.
        """
        if self.channels == "none":
            return Normalisation(mean=(), std=())
        count = self.stored().shape[-1] if self.channels == "last" else 1
        return moments(slabs, count, self.name)

    def bind(self, normalisation: Normalisation, device: torch.device) -> None:
        """Prepare inputs on ``device``, normalised so, from now on."""
        self._scale, self._offset = affine(normalisation, device)

    def normalised(self, stored: Tensor) -> Tensor:
        """Return float32 of the same shape, with the mean 0 and the deviation 1 in training."""
        if not self._scale.numel():
            return stored.float()
        return torch.mul(stored, self._scale).add_(self._offset)

    def draw(self, dice: Dice) -> dict[str, Tensor]:
        """Draw what the augmentation of one epoch needs, each (samples, ...); nothing by default.

        What streams are to share (one crop for two cameras) must be drawn under the same name and
        in relative units: see :class:`Dice`.
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

    # --- for people -----------------------------------------------------------------------------

    @abstractmethod
    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw one stored sample."""


def create(
    name: str, kind: str, settings: Mapping[str, Any], augment: Mapping[str, Any]
) -> Modality[Any, Any]:
    """Make the plug-in of a modality from checked settings.

    Raises:
        ValueError: Unknown kind or setting; one line.
    """
    info = registry.kinds()[registry.known_kind(kind, name)]
    module, _, plugin = info.plugin.partition(":")
    made: type[Modality[Any, Any]] = getattr(importlib.import_module(module), plugin)
    where = f"modality {name!r}"
    return made(
        name,
        registry.check(info.settings, settings, where),
        registry.check(info.augment, augment, f"augment of {where}"),
    )


def finite(array: NDArray[Any]) -> bool:
    """Say whether every value of an array is finite."""
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())
