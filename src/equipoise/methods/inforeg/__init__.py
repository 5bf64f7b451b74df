"""InfoReg: while the better modality learns fastest, its encoder is held back."""

from typing import Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Weight = Annotated[float, Field(ge=0)]


class Options(Section):
    """Hyper-parameters of InfoReg."""

    beta: Weight = 0.9
    """Strength, in exp(beta tanh(lead)); variant paper. Origin: paper (0.9)."""
    threshold: float | None = None
    """K: the window is open while the Fisher trace grows by more than this part of itself; null:
    0.04, in released_code 0.05. Origin: paper and code."""
    score: Literal["log_probability", "probability"] = "log_probability"
    """What the score of a modality in a batch is the mean of; variant paper. Origin: paper, with
    its sign turned (see README); probability is ours."""
    unimodal_loss: bool = False
    """Add sum_m CE(z_m); released_code always does. Origin: paper (true is its InfoReg*)."""
    first_strength: Weight = 0.95
    """Strength for the first modality; released_code. Origin: code (its audio)."""
    other_strength: Weight = 0.1
    """Strength for the other modalities; released_code. Origin: code (its video)."""


METHOD = MethodInfo(
    summary="Pulls the encoder of the better modality back to where the epoch began.",
    paper="Huang, Wei, Yang, Hu: Adaptive Unimodal Regulation for Balanced Multimodal Information "
    "Acquisition, CVPR 2025, arXiv 2503.18595",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.inforeg.method:Inforeg",
    modalities=(2, None),
    state="the encoders' weights at the start of the epoch; Fisher traces of all epochs",
    grade="partial",
    optimizer="SGD, rate 2e-3, momentum 0.9, weight decay 1e-4, a tenth after 30 of 50 epochs "
    "(code)",
    assumes=(
        "encoders that are trained",
        "an optimiser that keeps the size of gradients (SGD)",
        "three epochs or more",
    ),
)
