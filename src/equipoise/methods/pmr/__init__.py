"""PMR: class prototypes speed up the weaker modality and restrain the stronger one early on."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Weight = Annotated[float, Field(ge=0)]


class Options(Section):
    """Hyper-parameters of PMR."""

    alpha: Weight = 1.0
    """Weight of the prototype cross-entropy of weaker modalities, itself graded by how much weaker
    in ``paper``. Origin: code."""
    mu: Weight = 0.1
    """Weight of the entropy of stronger modalities; variant ``released_code`` has none.
    Origin: ours (value)."""
    entropy_epochs: Annotated[int, Field(ge=0)] = 5
    """The entropy counts in so many epochs, the method's first; 0: never. Origin: ours (the paper
    speaks of the early stage)."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Part of the old prototype in the new one. Origin: code."""
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """Prototypes are means of so large a part of each class's training samples, in
    ``released_code`` of so large a part of the batches; null: 1, in ``released_code`` 0.1.
    Origin: ours, code."""
    to_epoch: Annotated[int, Field(ge=1)] | None = None
    """Last epoch with the prototype cross-entropy, from 1; null: no end, in ``released_code`` 101.
    Origin: ours, code (its 100, counted from 0 and included)."""


METHOD = MethodInfo(
    summary="Cross-entropy on distances to class prototypes for the weaker modality.",
    paper="Fan, Xu, Wang, Wang, Guo: PMR: Prototypical Modal Rebalance for Multimodal Learning, "
    "CVPR 2023",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.pmr.method:Pmr",
    modalities=(2, None),
    state="class prototypes of each modality; means over the epoch",
    grade="partial",
    optimizer="SGD, rate 1e-4, momentum 0.9, weight decay 1e-4, a tenth after 70 epochs (code, "
    "main_Prototype_grad.py)",
    assumes=("encoders that are trained", "enough samples of each class for a prototype"),
)
