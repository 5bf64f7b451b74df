"""OGM-GE: the gradients of the dominant modality's encoder are scaled down on the fly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Epoch = Annotated[int, Field(ge=1)]

if TYPE_CHECKING:
    from equipoise.params import Params


class Options(Section):
    """Hyper-parameters of OGM and OGM-GE."""

    alpha: Annotated[float, Field(ge=0)] = 0.8
    """Strength of the modulation. Origin: code (0.8 for CREMA-D, 0.1 for VGGSound)."""
    scores: Literal["split", "heads"] = "split"
    """Unimodal scores from the fused classifier split by modality (fusions concat, sum, weighted),
    or from each modality's own head. Origin: split is the paper's and the code's; heads is ours,
    for other fusions."""
    parameters: Literal["all", "weights", "conv"] = "all"
    """Which gradients of the encoder change: ``all``; ``weights``: of more than one dimension, so
    no bias and no normalisation; ``conv``: of four dimensions, so 2-D convolutions alone.
    Origin: all: paper (theta of the encoder); conv: code; weights: ours."""
    from_epoch: Epoch = 1
    """First epoch with modulation, counted from the method's first. Origin: code (its 0)."""
    to_epoch: Epoch | None = None
    """Last epoch with modulation; null: to the end. Origin: code (its 0 to 50 of 100 are 51
    epochs: 51 here)."""


def check(variant: str, options: Options, params: Params) -> None:
    """Refuse to split the scores of a fusion that is no sum."""
    if options.scores == "split":
        params.expect_additive("scores")


METHOD = MethodInfo(
    summary="Scales down the gradients of the dominant modality's encoder, and adds noise.",
    paper="Peng, Wei, Deng, Wang, Hu: Balanced Multimodal Learning via On-the-fly Gradient "
    "Modulation, CVPR 2022",
    variants=("ogm_ge", "ogm"),
    options=Options,
    plugin="equipoise.methods.ogm.method:Ogm",
    modalities=(2, None),
    check=check,
    state="means of the coefficients over the epoch",
    grade="stable",
    optimizer="SGD, rate 1e-3, momentum 0.9, weight decay 1e-4, a tenth after 70 epochs (code, "
    "main.py)",
    assumes=(
        "encoders that are trained",
        "with scores: split, a fusion that is a sum over modalities",
        "an optimiser that does not undo the scale of a gradient (SGD)",
    ),
)
