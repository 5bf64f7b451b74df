"""A model card that a stranger wrote is held against its weights before anything is allocated.

A card says how large a network is; the header of ``model.safetensors`` says what is there, and a
file is as large as it is. So sizes are looked at first, then the network is built without memory
(on PyTorch's device ``meta``) and its tensors are compared with the header.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from equipoise.errors import UserError
from equipoise.models.card import ModelCard

#: No number in a card that means a size is larger, whatever the weights are.
_LARGEST = 1 << 24
#: Numbers of one stored sample.
_LARGEST_SAMPLE = 1 << 30
#: What building a network raises where a card says what cannot be.
BUILD_ERRORS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError),
    *(NotImplementedError, RuntimeError, TypeError, ValueError),
)


def expect_sizes(card: ModelCard, where: Path) -> None:
    """Refuse a card with a size that no model has.

    Raises:
        UserError: Which one.
    """
    for name, number in _sizes(card):
        if number > _LARGEST:
            raise UserError(f"{where}: {name} is {number}, too large for any model; train again")
    for name, modality in card.modalities.items():
        if math.prod(modality.shape) > _LARGEST_SAMPLE:
            shape = list(modality.shape)
            raise UserError(f"{where}: a sample of {name!r} has shape {shape}; train again")


def expect_fit(weights: Path, build: Callable[[], nn.Module]) -> None:
    """Refuse weights of another network than the card describes.

    Args:
        weights: ``model.safetensors``.
        build: Makes the network of the card, with all that its method adds.

    Raises:
        UserError: They do not belong together.
    """
    there = header(weights)
    try:
        with torch.device("meta"):
            described = {name: tuple(t.shape) for name, t in build().state_dict().items()}
    except UserError:
        raise
    except BUILD_ERRORS:
        return  # a network that needs its numbers to be built: the real one says what is wrong
    for name in sorted(described.keys() | there.keys()):
        one, other = described.get(name), there.get(name)
        if one != other:
            raise UserError(
                f"{weights}: does not fit model.json ({name}: {_shape(one)} by model.json, "
                f"{_shape(other)} in the file); restore both or train again"
            )


def header(weights: Path) -> dict[str, tuple[int, ...]]:
    """Return name to shape of each tensor in a safetensors file; no tensor is read.

    Raises:
        UserError: It is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{weights}: damaged ({reason}); restore it or train again") from None


def _shape(shape: tuple[int, ...] | None) -> str:
    return "nothing" if shape is None else str(list(shape))


def _sizes(card: ModelCard) -> Iterator[tuple[str, int]]:
    yield "features", card.features
    for name, modality in card.modalities.items():
        yield from _numbers(f"modalities.{name}.encoder", modality.encoder.options)
        yield from _numbers(f"modalities.{name}.table", modality.table)
    yield from _numbers("structure", card.structure)
    yield from _numbers("options", card.options)


def _numbers(name: str, value: Any) -> Iterator[tuple[str, int]]:
    """Yield the whole numbers of a table and of the tables in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _numbers(f"{name}.{number}", inner)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield name, abs(value)
