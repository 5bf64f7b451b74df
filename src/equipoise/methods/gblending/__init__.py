"""Gradient Blending: losses weighted by how each one generalises and overfits."""

from typing import Annotated

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


METHOD = MethodInfo(
    summary="Losses of modalities and fusion, weighted by generalisation over overfitting.",
    paper="Wang, Tran, Feiszli: What Makes Training Multi-modal Classification Networks Hard?, "
    "CVPR 2020, arXiv 1905.12681",
    variants=("online",),
    options=Options,
    plugin="equipoise.methods.gblending.method:Gblending",
    modalities=(2, None),
    state="the weights and the losses at the last estimate",
)
