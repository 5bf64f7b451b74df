"""SMP: each weak modality leads alone for some epochs, then all train together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

if TYPE_CHECKING:
    from equipoise.params import Params


class Options(Section):
    """Hyper-parameters of sequential modality prioritisation."""

    solo_epochs: Annotated[int, Field(ge=0)] | None = None
    """Epochs of each stage in which one encoder trains alone (tau), 0 for none; null: half of all
    epochs, shared out among the stages. Origin: code (151 of 300 epochs, one stage)."""
    ranking: Literal["batch", "run"] = "batch"
    """How sure of the right class the teacher is with each modality alone: in each ``batch`` anew,
    or once, over the training split, for the whole ``run``. Origin: batch: code; run: ours."""


def check(variant: str, options: Options, params: Params) -> None:
    """Refuse a stage that leaves nothing to the joint training."""
    for name in params.datasets:
        epochs = params.train_of(name).epochs
        if options.solo_epochs is not None and options.solo_epochs >= epochs:
            raise ValueError(
                f"solo_epochs: {options.solo_epochs} leaves none of the {epochs} epochs of "
                f"{name!r} to train all encoders; lower it"
            )


METHOD = MethodInfo(
    summary="Weak modalities first: the others' encoders get no gradient for some epochs.",
    paper="Rakib, Bagavathi: G2D: Boosting Multimodal Learning with Gradient-Guided Distillation, "
    "ICCV 2025, arXiv 2506.21514 (its part SMP)",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.smp.method:Smp",
    check=check,
    needs_teacher=True,
    state="the stage, means of the factors over the epoch",
    grade="partial",
    optimizer="SGD, rate 1e-3, momentum 0.9, weight decay 1e-4, a tenth after 200 of 300 "
    "epochs (code)",
    assumes=("encoders that are trained", "an optimiser that keeps the size of gradients (SGD)"),
)
