"""Data Remixing: a sample trains the modality that is least sure of it, in batches of its own."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Weight = Annotated[float, Field(ge=0)]


class Options(Section):
    """Hyper-parameters of Data Remixing."""

    warmup_epochs: Annotated[int, Field(ge=0)] = 10
    """Epochs on whole samples before the first remix. Origin: code."""
    head_weight: Weight = 0.5
    """Weight of each head's loss in the warm-up. Origin: code (its alpha and beta)."""
    kept_weight: Weight = 1.0
    """Weight of the loss of the kept modality's head after it. Origin: code (its gamma)."""


METHOD = MethodInfo(
    summary="Each sample keeps the modality least sure of it; batches of one modality only.",
    paper="Ma, Chen, Deng: Improving Multimodal Learning Balance and Sufficiency through Data "
    "Remixing, ICML 2025, arXiv 2506.11550",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.remix.method:Remix",
    modalities=(2, None),
    state="the share of each modality in the epoch, for its report",
    grade="partial",
    optimizer="Adam, rate 5e-5, weight decay 1e-4, a tenth after 30 epochs (code, train.py)",
    assumes=(
        "a fusion that reads features",
        "more epochs than warmup_epochs",
    ),
)
