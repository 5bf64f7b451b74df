"""Encoder ``bag``: the mean of learned word vectors, whatever their order.

After Joulin et al. (EACL 2017), without n-grams: the small encoder of text, trained from scratch.
"""

from __future__ import annotations

from equipoise.registry import EncoderInfo
from equipoise.section import Positive, Section


class Options(Section):
    """Options."""

    width: Positive = 64
    """Length of a token's vector. Origin: ours."""


ENCODERS = {
    "bag": EncoderInfo(
        summary="the mean of learned token vectors, then a hidden layer; for short texts",
        reads=("tokens",),
        plugin="equipoise.models.encoders.bag.network:build",
        options=Options,
        parts=("stem", "body", "projection"),
        paper="Joulin et al., EACL 2017",
    )
}
