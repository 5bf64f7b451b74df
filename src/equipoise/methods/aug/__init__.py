"""AUG: sustained boosting; the weaker modality gets further classifiers."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of AUG."""

    shrinkage: Annotated[float, Field(ge=0, le=1)] | None = None
    """Lambda: how much of what earlier classifiers predict the newest one need not; null: 0.33, in
    ``released_code`` 0.5. Origin: paper searches 0.1, 0.2, 0.33, 0.5, 1; the chosen ones are not
    printed; code: 0.5 for CREMA-D, earlier 0.2."""
    every: Annotated[int, Field(ge=1)] | None = None
    """t_N: epochs between two assignments; null: a tenth of the method's epochs. Origin: paper
    (20, 10, 5 or 1 by data set), null is the code's rule."""
    sigma: Annotated[float, Field(gt=0)] = 1.0
    """Factor on the confidence of the weaker modality. Origin: paper."""
    tolerance: Annotated[float, Field(ge=0)] = 0.01
    """Tau: half the width of the zone without a new classifier. Origin: paper."""
    max_classifiers: Annotated[int, Field(ge=1)] | None = None
    """Most classifiers of one modality; null: 10, in ``released_code`` no limit. Origin: paper
    (best of its ablation 2, 4, 6, 8, 10), code."""
    width: Annotated[int, Field(ge=1)] = 256
    """Units of a classifier's private layer. Origin: paper."""
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Modality to its weight in the prediction; empty: equal, in ``released_code`` 0.4 and 0.6 for
    two, by name. Origin: ours, code (three: a third each; the paper prints none)."""


METHOD = MethodInfo(
    summary="Sustained boosting: the weaker modality gets further classifiers on its encoder.",
    paper="Jiang, Huang, Yang: Rethinking Multimodal Learning from the Perspective of Mitigating "
    "Classification Ability Disproportion, NeurIPS 2025, arXiv 2502.20120",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.aug.method:Aug",
    modalities=(2, None),
    state="the added layers; released_code: sums of the confidence",
    grade="stable",
    optimizer="SGD, rate 1e-2, momentum 0.9, weight decay 1e-4, a tenth after 70 epochs (paper and "
    "code); Adam, rate 2e-5, for text and image (paper)",
    assumes=("epochs for several classifiers",),
)
