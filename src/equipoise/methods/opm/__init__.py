"""OPM: the features of the dominant modality are dropped on the fly, sample by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Rate = Annotated[float, Field(ge=0, le=1)]

if TYPE_CHECKING:
    from equipoise.params import Params


class Options(Section):
    """Hyper-parameters of OPM."""

    q_base: Rate = 0.5
    """Rate at which a modality with the least advantage is dropped. Origin: code (its script; its
    configuration has 0.4)."""
    lam: Annotated[float, Field(ge=0)] = 0.5
    """How much the rate grows with the advantage. Origin: code (its script)."""
    p_exe: Rate = 0.7
    """Share of the batches in which anything is dropped; read by ``released_code`` alone.
    Origin: code (its script)."""
    from_epoch: Annotated[int, Field(ge=1)] = 7
    """First epoch with dropping, counted from the method's first. Origin: code (after 6 epochs)."""
    scores: Literal["split", "heads"] = "split"
    """Unimodal scores from the fused classifier split by modality (fusions concat, sum, weighted),
    or from each modality's own head. Origin: split is the code's; heads is ours, for other
    fusions."""


def check(variant: str, options: Options, params: Params) -> None:
    """Refuse to split the scores of a fusion that is no sum."""
    if options.scores == "split":
        params.expect_additive("scores")


METHOD = MethodInfo(
    summary="Drops features of the dominant modality, the more often the larger its advantage.",
    paper="Wei, Hu, Du, Wen: On-the-fly Modulation for Balanced Multimodal Learning, TPAMI 2024, "
    "arXiv 2410.11582",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.opm.method:Opm",
    modalities=(2, None),
    check=check,
    state="the drop rates of the batch before, and means over the epoch",
    grade="partial",
    optimizer="AdamW, rate 5e-5, weight decay 0.01, a tenth after 40 epochs (code, main.py:267)",
    assumes=(
        "a fusion that reads features",
        "with scores: split, a fusion that is a sum over modalities",
        "more epochs than from_epoch",
    ),
)
