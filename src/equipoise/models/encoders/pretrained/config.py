"""Read what a folder says of its network, and check that inputs fit it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise import files
from equipoise.errors import UserError, nearest
from equipoise.modalities.base import Input
from equipoise.models.encoders.pretrained import Options
from equipoise.models.encoders.pretrained.architectures import ARCHITECTURES, Architecture


def complete(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return options that say all of the network, by the folder of its weights.

    Raises:
        UserError: There is no ``config.json``, or it is of an unknown network.
    """
    config = _read(folder / "config.json")
    architecture(config)
    heard = folder / "preprocessor_config.json"
    level = bool(_read(heard).get("do_normalize")) if heard.is_file() else False
    return {**options, "config": config, "level": level and "image_mean" not in _read(heard)}


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Return what is known of the network of a ``config.json``.

    Raises:
        UserError: Nothing is.
    """
    name = str(config.get("model_type", ""))
    if name not in ARCHITECTURES:
        raise UserError(
            f"encoder 'pretrained': no rule of pooling for model_type {name!r}"
            f"{nearest(name, ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]


def pooling(options: Options) -> str:
    """Return the pooling that is used.

    Raises:
        UserError: The network has no such.
    """
    known = architecture(options.config).poolings
    chosen = options.pooling or known[0]
    if chosen not in known:
        raise UserError(
            f"encoder 'pretrained': {options.config['model_type']} has no pooling {chosen!r} that "
            f"comes from its weights; use {' or '.join(known)}"
        )
    return chosen


def check(given: Input, config: Any, known: Architecture) -> None:
    """Refuse inputs that the network cannot read.

    Args:
        given: What it will be given.
        config: The configuration of transformers.
        known: What is known of the network.

    Raises:
        UserError: What does not fit, and what to do.
    """
    name = f"encoder 'pretrained' ({config.model_type})"
    if given.layout != known.layout:
        raise UserError(f"{name} reads {known.layout}, not {given.layout}; use other weights")
    if given.layout == "tokens":
        _check_tokens(given, config, name)
    if given.layout == "pictures":
        _check_pictures(given, config, known, name)
    if given.layout == "spectrogram":
        wanted = (config.num_mel_bins, config.max_length)
        if given.shape != wanted:
            raise UserError(
                f"{name} reads {wanted[0]} bands x {wanted[1]} times, not "
                f"{given.shape[0]} x {given.shape[1]}; store such a filter bank"
            )


def _check_tokens(given: Input, config: Any, name: str) -> None:
    if given.vocabulary > config.vocab_size:
        raise UserError(
            f"{name} knows {config.vocab_size} tokens, the tokenizer of the text has "
            f"{given.vocabulary}; use the tokenizer that belongs to the weights"
        )
    longest = getattr(config, "max_position_embeddings", 0)
    if "roberta" in config.model_type or config.model_type == "mpnet":
        longest -= 2  # their positions are counted from behind the padding's
    if 0 < longest < given.shape[1]:
        raise UserError(
            f"{name} reads up to {longest} tokens, not {given.shape[1]}; lower the length"
        )


def _check_pictures(given: Input, config: Any, known: Architecture, name: str) -> None:
    frames, channels, *sides = given.shape
    if channels not in (1, config.num_channels):
        raise UserError(
            f"{name} reads {config.num_channels} channels (or grey), not {channels}; store such"
        )
    size = getattr(config, "image_size", None)
    wanted = [size, size] if isinstance(size, int) else list(size or sides)
    if not known.any_size and sides != wanted:
        raise UserError(
            f"{name} reads pictures of {wanted[0]} x {wanted[1]}, not {sides[0]} x {sides[1]}; "
            f"say size: {wanted[0]}"
        )
    if known.frames and frames != config.num_frames:
        raise UserError(f"{name} reads {config.num_frames} frames, not {frames}; pick so many")


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UserError(
            f"{path}: no such file; name a folder as save_pretrained of transformers writes it"
        )
    found: dict[str, Any] = files.read_json(path, "restore it")
    return found
