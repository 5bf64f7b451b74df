"""G2D: distillation from unimodal teachers, with weak modalities first."""

from typing import Annotated

from pydantic import Field

from equipoise.methods import smp
from equipoise.registry import MethodInfo


class Options(smp.Options):
    """Hyper-parameters of G2D: those of its stages, and of the distillation."""

    alpha: Annotated[float, Field(ge=0)] = 1.0
    """Factor on the distances of the features. Origin: code."""
    beta: Annotated[float, Field(ge=0)] = 1.0
    """Factor on the divergences of the predictions. Origin: code."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """T of the divergences. Origin: code."""


METHOD = MethodInfo(
    summary="Imitates features and predictions of unimodal teachers; weak modalities first.",
    paper="Rakib, Bagavathi: G2D: Boosting Multimodal Learning with Gradient-Guided Distillation, "
    "ICCV 2025, arXiv 2506.21514",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.g2d.method:G2d",
    check=smp.check,
    needs_teacher=True,
    state="the stage, means of the factors and of the two distances over the epoch",
    grade="partial",
    optimizer="SGD, rate 1e-3, momentum 0.9, weight decay 1e-4, a tenth after 200 of 300 "
    "epochs (code)",
    assumes=(
        "a teacher that generalises",
        "encoders that are trained",
        "features as wide as the teacher's",
    ),
)
