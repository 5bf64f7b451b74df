"""SMV: samples whose modality is worth little come again, with that modality alone."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of SMV."""

    warmup_epochs: Annotated[int, Field(ge=0)] = 5
    """Epochs of joint training before the first valuation. Origin: code."""
    part_ratio: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the training split that ``modality_level`` values. Origin: code."""
    alpha: Annotated[float, Field(ge=0)] = 1.0
    """How many samples ``modality_level`` adds for a difference in value. Origin: code."""


METHOD = MethodInfo(
    summary="Values each modality of each sample by Shapley, and repeats the low ones alone.",
    paper="Wei, Feng, Wang, Hu: Enhancing Multimodal Cooperation via Sample-level Modality "
    "Valuation, CVPR 2024, arXiv 2309.06255",
    variants=("sample_level", "modality_level"),
    options=Options,
    plugin="equipoise.methods.smv.method:Smv",
    modalities=(2, None),
    state="the values and numbers of copies of the epoch, for its report",
    grade="partial",
    optimizer="Adam, rate 5e-5, weight decay 1e-4, a tenth after 30 epochs (code, sample_level.py)",
    assumes=(
        "a fusion that reads features",
        "more epochs than warmup_epochs",
    ),
)
