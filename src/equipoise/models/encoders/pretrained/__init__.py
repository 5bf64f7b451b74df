"""Encoder ``pretrained``: a network of the library ``transformers``, with its weights.

One adapter for text, pictures, sound and video. ``weights`` names a row of ``weights.toml``, a
folder as ``save_pretrained`` writes it, or ``hub:OWNER/NAME``; its ``config.json`` says what is
built. Code that lies beside weights is never run. Numbers are float32, there is no dropout and no
masking by chance (several processes of one job could not draw the same), and attention is written
out (``eager``): the fused kernels have no second derivative and no deterministic gradient on a GPU.

How the vectors of all positions become one is stated for each architecture in
``architectures.py``: what a library calls ``pooler_output`` is random for one network, the class
token for another, and absent in a third.
"""

from __future__ import annotations

from typing import Any, Literal

from equipoise.registry import EncoderInfo
from equipoise.section import Section


class Options(Section):
    """Options."""

    pooling: Literal["", "mean", "cls", "pooler"] = ""
    """``mean``: over what is no padding; ``cls``: the class token; ``pooler``: what the network
    itself makes of them; empty: the first that ``architectures.py`` names for the network."""
    config: dict[str, Any] = {}
    """``config.json`` of the weights. Filled in when a job starts: a trained model needs the
    folder no more."""
    level: bool = False
    """Bring each waveform to mean 0 and variance 1. Filled in as ``config``."""


ENCODERS = {
    "pretrained": EncoderInfo(
        summary="a network of transformers with its weights; text, pictures, sound, video",
        reads=("tokens", "pictures", "waveform", "spectrogram"),
        plugin="equipoise.models.encoders.pretrained.network:build",
        options=Options,
        paper="Wolf et al., EMNLP 2020 (the library); the network's own",
        needs_weights=True,
        complete="equipoise.models.encoders.pretrained.config:complete",
    )
}
