"""Gradient Blending: losses weighted by how each one generalises and overfits."""

from typing import Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of Gradient Blending."""

    super_epoch: Annotated[int, Field(ge=1)] = 10
    """Epochs between two estimates of the weights. Origin: code (a third-party toolkit)."""
    min_overfitting: Annotated[float, Field(gt=0)] = 0.01
    """Least |O_k| in the denominator: a loss that has not overfitted yet cannot take all the
    weight. Origin: ours."""
    negative: Literal["zero", "absolute"] = "zero"
    """A loss that got worse (G_k < 0) has no weight, or that of |G_k|. Origin: ours; absolute: code
    (a third-party toolkit)."""
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Modality, and ``fused``, to a fixed weight; nothing is estimated then. Empty: estimated.
    Origin: code (of the authors, who publish weights and not their estimation)."""


METHOD = MethodInfo(
    summary="Losses of modalities and fusion, weighted by generalisation over overfitting.",
    paper="Wang, Tran, Feiszli: What Makes Training Multi-modal Classification Networks Hard?, "
    "CVPR 2020, arXiv 1905.12681",
    variants=("online", "separate"),
    options=Options,
    plugin="equipoise.methods.gblending.method:Gblending",
    modalities=(2, None),
    state="the weights and, online, the losses at the last estimate",
    grade="partial",
    optimizer="not established",
    assumes=("a validation split that is like the training split", "several super-epochs"),
)
