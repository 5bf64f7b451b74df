"""ARL: modalities are to be used unequally, by the inverse of their variance."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of ARL."""

    gamma: Annotated[float, Field(ge=0)] = 4.0
    """Weight of the unimodal losses after the warm-up; 1 within. Origin: paper (second-hand: 4 for
    all; scripts of the code: 1 to 5)."""
    temperature: Annotated[float, Field(ge=0)] = 4.0
    """T of the softmax over modalities. Origin: paper (second-hand: 4, for CREMA-D 8) and code."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 6
    """First epochs of the method, without modulation. Origin: code."""
    clip: Annotated[float, Field(gt=0)] | None = 40.0
    """Longest gradient of encoders and fusion together, after the modulation; null: no limit.
    Origin: code."""


METHOD = MethodInfo(
    summary="Strengthens the gradient of the modality that is used less than its variance allows.",
    paper="Wei, Luo, Luo: Improving Multimodal Learning via Imbalanced Learning, ICCV 2025, "
    "arXiv 2507.10203",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.arl.method:Arl",
    modalities=(2, None),
    state="whether the epoch has modulation; means of the factors",
    grade="partial",
    optimizer="SGD, rate 1e-3, momentum 0.9, weight decay 1e-4 (paper, second-hand)",
    assumes=("encoders that are trained", "an optimiser that keeps the size of gradients (SGD)"),
)
