"""Late sum: a head for each modality, trained by its own loss; the prediction adds the logits."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of the control."""

    fused_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the fused loss in ``with_fused``. Origin: that of bss."""
    head_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of each head's loss in ``with_fused``. Origin: that of bss."""


METHOD = MethodInfo(
    summary="Control: a loss for each head, with or without a fused one; logits are added.",
    paper="baseline: the loss and prediction that bss and others of its group share",
    variants=("with_fused", "heads_alone"),
    options=Options,
    plugin="equipoise.methods.latesum.method:LateSum",
    grade="baseline",
    optimizer="none in particular",
)
