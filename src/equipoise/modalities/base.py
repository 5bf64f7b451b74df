"""What a kind of modality must do, without torch: read a sample, store it, show it.

A *modality* is a named stream of a data set (``rgb``, ``depth``); its *kind* (``frames``) is a
folder beside this file:

=============== ==================================================================================
``__init__.py`` ``KIND`` (:class:`equipoise.registry.KindInfo`): settings; nothing heavy is imported
``reader.py``   a :class:`Reader`: from a source to a stored sample; imported by those who decode
``feed.py``     a :class:`equipoise.modalities.feed.Feed`: from stored samples to inputs, in torch
=============== ==================================================================================
"""

from __future__ import annotations

import hashlib
import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from equipoise import registry
from equipoise.media.wants import Found, Want
from equipoise.modalities.packing import Jpeg, Packed
from equipoise.section import Section

SettingsT = TypeVar("SettingsT", bound=Section)


@dataclass(frozen=True)
class Reading:
    """One sample of one modality, as it is stored."""

    array: NDArray[Any]
    """Of the shape and type that :meth:`Reader.stored` says; every value finite."""
    facts: dict[str, float] = field(default_factory=dict)
    """What the settings did to it: ``cut`` (the share that was left out), ``filled``, ..."""
    packed: Packed | None = None
    """The same sample as it lies in the store, where that is not its numbers."""
    tracks: int = 1
    """How many tracks of this kind its file has, of which one was read."""


@dataclass(frozen=True)
class Stored:
    """Shape and type of one stored sample."""

    shape: tuple[int, ...]
    dtype: str
    packing: Jpeg | None = None
    """How it lies in files, where not as its numbers."""

    @property
    def kept(self) -> str:
        """How it lies in files: the type of its numbers, or the name of its packing."""
        return self.packing.name if self.packing else self.dtype


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


@dataclass(frozen=True)
class Trace:
    """What stage audit compares a sample by, and what it says of it."""

    same: str
    """The same word for samples that are the same; empty: nothing is to be compared."""
    bits: NDArray[np.uint8] | None = None
    """Perceptual hash, eight bits in each, of one length for a modality: pictures that look the
    same differ in few of them."""
    empty: str = ""
    """What the sample is, where nothing is in it: ``silent``, ``black``, ``constant``."""
    words: tuple[str, ...] = ()
    """The words of a text."""


class Reader(ABC, Generic[SettingsT]):
    """Reads the samples of one modality.

    Args:
        name: Name of the modality.
        settings: How it is stored.
    """

    facts: tuple[str, ...] = ()
    """Names of the facts of every reading."""
    things: str = "samples"
    """What samples of this kind are called, many of them: texts, pictures."""

    def __init__(self, name: str, settings: SettingsT) -> None:
        self.name = name
        self.settings = settings

    @abstractmethod
    def stored(self) -> Stored:
        """Return shape and type of a stored sample."""

    @abstractmethod
    def input(self) -> Input:
        """Return what an encoder would get of a whole sample; ``Feed.input``: what it gets."""

    def identity(self) -> dict[str, str]:
        """Return what a stored sample depends on beside the settings and the source.

        Name to version or sha256: files of a tokenizer, the library that computes a flow.

        Raises:
            UserError: It is not there.
        """
        return {}

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

    @abstractmethod
    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw one stored sample."""

    def trace(self, stored: NDArray[Any], source: Path | str) -> Trace:
        """Say what stage audit compares a sample by: here, the numbers that are stored.

        Args:
            stored: The sample.
            source: Its file, or the cell of the manifest.
        """
        return numbers_trace(stored, "constant")


def reader(name: str, kind: str, settings: Mapping[str, Any]) -> Reader[Any]:
    """Make the reader of a modality.

    Args:
        name: Name of the modality.
        kind: Its kind.
        settings: ``datasets.<name>.modalities.<modality>`` without ``kind`` and ``column``.

    Raises:
        ValueError: Unknown kind or setting; one line.
    """
    info = registry.kinds()[registry.known_kind(kind, f"modality {name!r}")]
    module, _, plugin = info.reader.partition(":")
    made: type[Reader[Any]] = getattr(importlib.import_module(module), plugin)
    return made(name, registry.check(info.settings, settings, f"modality {name!r}"))


def readers(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Reader[Any]]:
    """Make the reader of each modality from ``{modality: {kind, column, ...settings}}``.

    Raises:
        ValueError: Unknown kind or setting; one line.
    """
    return {
        name: reader(name, table["kind"], registry.without(table, "kind", "column"))
        for name, table in tables.items()
    }


def identities(how: Mapping[str, Reader[Any]]) -> str:
    """Return what files besides the samples decide readings (a tokenizer's), as JSON."""
    found = {name: one.identity() for name, one in sorted(how.items())}
    return json.dumps({name: said for name, said in found.items() if said}, sort_keys=True)


def numbers_trace(stored: NDArray[Any], flat: str) -> Trace:
    """Return the trace of plain numbers; ``flat`` is said of samples of one value throughout."""
    if stored.size and stored.min() == stored.max():
        return Trace("", empty=flat)
    return Trace(hashlib.blake2b(stored.tobytes(), digest_size=16).hexdigest())


def finite(array: NDArray[Any]) -> bool:
    """Say whether every value of an array is finite."""
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())
