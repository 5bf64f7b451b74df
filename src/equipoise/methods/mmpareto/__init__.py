"""MMPareto: joint and unimodal gradients of each encoder, combined without conflict."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of MMPareto."""

    gamma: Annotated[float, Field(gt=0)] = 1.5
    """Factor on the combined gradient of the encoders. Origin: code."""


METHOD = MethodInfo(
    summary="Joint and unimodal gradients of each encoder; min-norm weights where they conflict.",
    paper="Wei, Hu: MMPareto: Boosting Multimodal Learning with Innocent Unimodal Assistance, "
    "ICML 2024",
    variants=("min_norm",),
    options=Options,
    plugin="equipoise.methods.mmpareto.method:MmPareto",
    state="means of cosine and conflict over the epoch",
    grade="stable",
    optimizer="SGD, rate 2e-3, momentum 0.9, weight decay 1e-4, a tenth after 30 epochs (code, "
    "MMPareto.py)",
    assumes=(
        "encoders that are trained",
        "an optimiser that does not undo the scale of a gradient (SGD), for gamma",
    ),
)
