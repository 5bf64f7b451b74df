"""ReconBoost: one modality at a time learns what the ensemble of the others gets wrong."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Weight = Annotated[float, Field(ge=0)]
Epochs = Annotated[int, Field(ge=1)]


class Options(Section):
    """Hyper-parameters of ReconBoost."""

    boost_epochs: Epochs = 4
    """Epochs in which one modality learns alone, in each stage. Origin: code (CREMA-D)."""
    joint_epochs: Annotated[int, Field(ge=0)] = 4
    """Epochs of the joint pass that ends each stage; 0: none. Origin: code (CREMA-D)."""
    label_weight: Weight = 5.0
    """w1, of the cross-entropy. Origin: code."""
    ensemble_weight: Weight = 1.0
    """w2, of what the ensemble knows already. Origin: code."""
    agreement: Weight = 0.5
    """Weight of the agreement with the previous modality. Origin: code."""


METHOD = MethodInfo(
    summary="One modality at a time fits the residual of the others, then a joint pass.",
    paper="Hua, Xu, Bao, Yang, Huang: ReconBoost: Boosting Can Achieve Modality Reconcilement, "
    "ICML 2024, arXiv 2405.09321",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.reconboost.method:Reconboost",
    modalities=(2, None),
    state="the epoch, from which stage and ensemble follow",
    grade="partial",
    optimizer="SGD, rate 1e-2, momentum 0.9, weight decay 5e-4, a new one for each stage (code, "
    "train.py)",
    assumes=("modalities that each can tell the classes", "epochs for several stages"),
)
