"""Diagnosing & Re-learning: encoders are pulled back towards their initial weights."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of Diagnosing & Re-learning."""

    strength: Annotated[float, Field(ge=0)] = 3.0
    """lambda in alpha = tanh(lambda |P_D - P_V|). Origin: code (CREMA-D)."""
    every: Annotated[int, Field(ge=1)] = 20
    """Epochs between two diagnoses. Origin: code (CREMA-D)."""
    times: Annotated[int, Field(ge=0)] = 3
    """Most re-initialisations in a run; 0: joint training. Origin: code (CREMA-D)."""
    reset_bn_stats: bool = False
    """Blend the running statistics of batch normalisation, too. Origin: ours (off: code)."""
    reset_momentum: bool = False
    """Forget the optimiser's state of the encoders' parameters. Origin: ours (off: code)."""


METHOD = MethodInfo(
    summary="Encoders go back towards their initial weights, the overfitted ones furthest.",
    paper="Wei, Li, Feng, Hu: Diagnosing and Re-learning for Balanced Multimodal Learning, "
    "ECCV 2024, arXiv 2407.09705",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.relearn.method:Relearn",
    state="the initial weights of the encoders",
    grade="stable",
    optimizer="SGD, rate 2e-3, momentum 0.9, weight decay 1e-4, never lowered (code, read for an "
    "audit)",
    assumes=("encoders that are trained", "a validation split with every class"),
)
