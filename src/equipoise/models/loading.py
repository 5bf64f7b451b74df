"""Put pretrained weights into an encoder: read, rename, fit, and leave nothing unsaid."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equipoise import files
from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.modalities.normalise import Normalisation
from equipoise.models.encoder import Encoder
from equipoise.models.weights import Origin, Placed

Tensors = dict[str, Tensor]
COUNTER = "num_batches_tracked"
"""Counters of batch normalisation, which files from before 2018 lack and nothing reads."""
SHOWN = 4
"""So many names are listed of each kind of misfit."""


def load(encoder: Encoder, placed: Placed) -> Origin:
    """Load weights into stem and body; the projection stays as it was drawn.

    Args:
        encoder: Built for the inputs at hand.
        placed: What :func:`equipoise.models.weights.place` returned.

    Returns:
        What to name in the model card.

    Raises:
        UserError: The file cannot be read without running code, or it does not fit; one line.
    """
    found = encoder.tensors(placed.path)
    if found is None:
        wanted = _wanted(encoder)
        found = read(placed.path)
        if not set(wanted) <= set(found):
            found = rename(found, {**encoder.published, **placed.row.keys})
        if encoder.entry in found:
            channels = wanted[encoder.entry].shape[1]
            found[encoder.entry] = fit_channels(found[encoder.entry], channels)
        _check(wanted, found, placed)
    encoder.load_state_dict(found, strict=False)
    return placed.origin


def read(path: Path) -> Tensors:
    """Return the tensors of a file, on the CPU.

    Raises:
        UserError: It is damaged, or no file of tensors alone.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            tensors: Tensors = load_file(path)
            return tensors
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path}: not read, for it is damaged or holds more than tensors (reading it would "
            "run its code); convert it to safetensors where you trust it"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: damaged ({reason}); restore it") from None
    inner = found.get("state_dict", found) if isinstance(found, Mapping) else None
    if not isinstance(inner, Mapping) or not all(isinstance(v, Tensor) for v in inner.values()):
        raise UserError(f"{path}: no table of tensors; save the state_dict of the model alone")
    return dict(inner)


def rename(found: Mapping[str, Tensor], keys: Mapping[str, str]) -> Tensors:
    """Return tensors under new names: the longest beginning in ``keys`` that fits is replaced.

    A tensor whose new beginning is empty is left out; one that no beginning fits keeps its name.
    """
    renamed: Tensors = {}
    for name, tensor in found.items():
        fitting = [old for old in keys if name.startswith(old)]
        old = max(fitting, key=len, default="")
        if not old:
            renamed[name] = tensor
        elif keys[old]:
            renamed[keys[old] + name.removeprefix(old)] = tensor
    return renamed


def fit_channels(kernel: Tensor, channels: int) -> Tensor:
    """Return a kernel (O, C, ...) for another number of input channels: (O, channels, ...).

    Each new one is the sum of the old ones divided by ``channels``: inputs whose channels are all
    equal give what they gave before.
    """
    if kernel.shape[1] == channels:
        return kernel
    mean = kernel.sum(dim=1, keepdim=True) / channels
    return mean.expand(-1, channels, *[-1] * (kernel.dim() - 2)).contiguous()


def expected(placed: Placed, given: Input, unit: float) -> Normalisation | None:
    """Return mean and deviation that the weights expect, in units of the stored array.

    They take the place of those of the training split. Where the input has another number of
    channels than the weights were made for, all get the average.

    Args:
        placed: The weights.
        given: What the encoder is given.
        unit: The stored value of 1: 255 for pictures of 8 bits.

    Returns:
        None where the weights expect nothing of such an input.
    """
    mean, std = _stated(placed, given.layout)
    if not mean:
        return None
    channels = given.shape[1] if given.layout == "pictures" else 1
    return Normalisation(mean=_spread(mean, channels, unit), std=_spread(std, channels, unit))


def _stated(placed: Placed, layout: str) -> tuple[Sequence[float], Sequence[float]]:
    """Return mean and deviation by the table, or by the file that transformers keeps them in."""
    if layout == "pictures" and placed.row.mean:
        return placed.row.mean, placed.row.std
    path = placed.path.with_name("preprocessor_config.json")
    if not path.is_file():
        return (), ()
    said = files.read_json(path, "restore it")
    if layout == "pictures":
        return said.get("image_mean") or (), said.get("image_std") or ()
    if layout == "spectrogram" and "mean" in said and "std" in said:
        return (said["mean"],), (2 * said["std"],)  # (x - mean) / (2 std): Gong et al., 2021
    return (), ()


def _spread(values: Sequence[float], channels: int, unit: float) -> tuple[float, ...]:
    if len(values) != channels:
        values = [sum(values) / len(values)] * channels
    return tuple(value * unit for value in values)


def _wanted(encoder: Encoder) -> Tensors:
    return {
        name: value
        for name, value in encoder.state_dict().items()
        if not name.startswith("projection.")
    }


def _check(wanted: Tensors, found: Tensors, placed: Placed) -> None:
    """Raise a UserError that lists what is missing, what nobody wants and what has another shape.

    Raises:
        UserError: Something does not fit.
    """
    missing = [name for name in wanted if name not in found and not name.endswith(COUNTER)]
    unexpected = [name for name in found if name not in wanted]
    other = [
        f"{name} {tuple(found[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    said = {"missing": missing, "unexpected": unexpected, "of another shape": other}
    faults = [f"{what}: {some(names)}" for what, names in said.items() if names]
    if faults:
        raise UserError(
            f"weights {placed.name!r} ({placed.path}) do not fit: {'; '.join(faults)}; choose the "
            "encoder and options they are of, or name the keys in a weights.toml beside the file"
        )


def some(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
