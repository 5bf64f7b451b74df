"""MBSD: modalities pull each other's predictions together."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of MBSD."""

    weight: Annotated[float, Field(ge=0)] = 1.0
    """Of both distillation terms. Origin: code (1)."""


METHOD = MethodInfo(
    summary="Unimodal losses, and terms that pull the modalities' predictions together.",
    paper="Liu, Li, Song, Yang, Zeng: Multimodal Pre-Training with Self-Distillation for Product "
    "Understanding in E-Commerce, WSDM 2023; as BalanceBenchmark has it",
    variants=("balancebenchmark", "corrected"),
    options=Options,
    plugin="equipoise.methods.mbsd.method:Mbsd",
    modalities=(2, None),
    grade="experimental",
    optimizer="AdamW, weight decay 0.01, a tenth every 10 of 30 epochs (port in BalanceBenchmark)",
    assumes=("modalities that should predict alike",),
)
