"""SimBaMM: joint training on a transformer over one token for each modality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Count = Annotated[int, Field(ge=1)]

if TYPE_CHECKING:
    from equipoise.params import Params


class Options(Section):
    """Size of the transformer."""

    layers: Count = 4
    """Transformer layers. Origin: code (CREMA-D)."""
    feedforward: Count = 256
    """Hidden width of a layer's feed-forward part. Origin: code (CREMA-D)."""
    heads: Count = 8
    """Attention heads; must divide model.features. Origin: code (CREMA-D)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """In attention and feed-forward. Origin: code (CREMA-D)."""


def check(variant: str, options: Options, params: Params) -> None:
    """Refuse attention heads that do not divide the features."""
    for name in params.datasets:
        features = params.model_of(name).features
        if features % options.heads:
            raise ValueError(
                f"heads: {options.heads} do not divide model.features ({features}) of {name!r}"
            )


METHOD = MethodInfo(
    summary="Cross-entropy on a transformer over one token for each modality.",
    paper="baseline; Rheude, Eils, Wild: Fusion or Confusion? Multimodal Complexity Is Not All You "
    "Need, arXiv 2512.22991",
    variants=("late_transformer",),
    options=Options,
    plugin="equipoise.methods.simbamm.method:SimbammMethod",
    check=check,
    grade="baseline",
    optimizer="schedule-free AdamW, rate 1e-3, weight decay 0.01 (code)",
)
