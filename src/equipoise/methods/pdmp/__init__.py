"""PDMP (experimental): the modality that performs best alone gets larger gradients."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of PDMP. The paper's values are not established."""

    dominant: Annotated[float, Field(ge=0)] = 2.0
    """Factor on the gradients of the encoder whose modality is best alone (gamma_p). Origin:
    ours."""
    others: Annotated[float, Field(ge=0)] = 0.5
    """Factor on the gradients of the other encoders (gamma_r). Origin: ours."""


METHOD = MethodInfo(
    summary="Experimental: larger gradients for the modality that performs best alone.",
    paper="Wei, Luo, Zhu, Luo: PDMP: Rethinking Balanced Multimodal Learning via "
    "Performance-Dominant Modality Prioritization, 2026, arXiv 2604.05773",
    variants=("fixed",),
    options=Options,
    plugin="equipoise.methods.pdmp.method:Pdmp",
    needs_teacher=True,
    grade="experimental",
    optimizer="not established (no code; the abstract names none)",
    assumes=("encoders that are trained", "an optimiser that keeps the size of gradients (SGD)"),
)
