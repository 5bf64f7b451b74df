"""BSS: balanced samples first, or more often; a sample is balanced where modalities agree."""

from typing import Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]


class Options(Section):
    """Hyper-parameters of BSS."""

    start_share: Share = 0.1
    """lambda_0, from which the share of the samples grows in ``heuristic``. Origin: code."""
    grow_epochs: Count = 40
    """T_grow, after which ``heuristic`` trains on all samples. Origin: code."""
    rank_after: Annotated[int, Field(ge=0)] = 0
    """Epochs on all samples before ``heuristic`` ranks them. Origin: code (its untrained net)."""
    beta: Share = 0.5
    """Share of the new score in that of ``learned``. Origin: ours."""
    every: Count = 1
    """Epochs between two scorings of ``learned``. Origin: code."""
    fused_weight: Weight = 1.0
    """Weight of the fused loss. Origin: paper; code (0.1 for CREMA-D)."""
    head_weight: Weight = 1.0
    """Weight of each head's loss. Origin: paper; code (0.9 for CREMA-D)."""
    prediction: Literal["all", "heads", "fused"] = "all"
    """Logits of the prediction: those of fusion and heads added, of the heads, of the fusion.
    Origin: all: code (heads for CREMA-D); fused: ours."""


METHOD = MethodInfo(
    summary="Trains on samples whose modalities agree first, or draws them more often.",
    paper="Guan, Jiang, Yang: Balance-aware Sequence Sampling Makes Multi-modal Learning Better, "
    "IJCAI 2025, arXiv 2501.01470",
    variants=("heuristic", "learned", "released_code"),
    options=Options,
    plugin="equipoise.methods.bss.method:Bss",
    modalities=(2, None),
    state="the score of each training sample",
    grade="partial",
    optimizer="SGD, rate 0.01, momentum 0.9, weight decay 1e-4, a tenth after 70 epochs (code, "
    "CREMA-D)",
    assumes=("modalities that each can tell the classes",),
)
