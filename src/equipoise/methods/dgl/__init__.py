"""DGL: encoders learn from unimodal losses alone, the fusion from the joint loss alone."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of DGL."""

    alpha: Annotated[float, Field(gt=0)] = 4.0
    """Weight of the unimodal losses, which train the encoders. Origin: code (4; 2 to 5 in its
    scripts)."""
    clip: Annotated[float, Field(gt=0)] | None = 40.0
    """Longest gradient of encoders and fusion together; null: no limit. Origin: code."""


METHOD = MethodInfo(
    summary="Unimodal losses train the encoders, the joint loss trains the fusion: nothing mixes.",
    paper="Wei, Luo, Luo: Boosting Multimodal Learning via Disentangled Gradient Learning, "
    "ICCV 2025, arXiv 2507.10213",
    variants=("disentangled",),
    options=Options,
    plugin="equipoise.methods.dgl.method:Dgl",
    grade="partial",
    optimizer="SGD, rate 2e-3, momentum 0.9, weight decay 1e-4, a tenth from epoch 70 on (code)",
    assumes=(
        "encoders that are trained",
        "an optimiser that keeps the size of gradients (SGD)",
        "a fusion that does not read the heads",
    ),
)
