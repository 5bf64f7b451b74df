"""MIDAS: features of different samples are paired, under labels by how sure each modality is."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class MixOptions(Section):
    """What MIDAS and its control have in common."""

    weight: Annotated[float, Field(ge=0)] = 1.0
    """lambda, weight of the loss of the mixtures. Origin: paper and code (Kinetics-Sounds: 5)."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 10
    """Epochs on the losses of the heads alone. Origin: code (CREMA-D and Kinetics-Sounds)."""


class Options(MixOptions):
    """Hyper-parameters of MIDAS."""

    eta: Annotated[float, Field(ge=0)] = 0.05
    """Step by which the weight of the weaker modality's part moves. Origin: paper and code."""


METHOD = MethodInfo(
    summary="Pairs the features of different samples; the weaker modality's part weighs more.",
    paper="Hwang, Choi, Whang: MIDAS: Misalignment-based Data Augmentation Strategy for "
    "Imbalanced Multimodal Learning, NeurIPS 2025, arXiv 2509.25831",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.midas.method:Midas",
    modalities=(2, None),
    state="the weights alpha, and means over the epoch",
    grade="partial",
    optimizer="SGD, rate 1e-3, momentum 0.9, weight decay 1e-4, a tenth after 50 epochs (code, "
    "default_config.py)",
    assumes=(
        "a fusion that reads features",
        "several classes in a batch",
        "more epochs than warmup_epochs",
    ),
)
