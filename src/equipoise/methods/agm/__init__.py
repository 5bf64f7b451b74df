"""AGM: gradients scaled by how far a modality is from its running share of the prediction."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Positive = Annotated[float, Field(gt=0)]


class Options(Section):
    """Hyper-parameters of AGM."""

    alpha: Annotated[float, Field(ge=0)] = 1.0
    """Strength of the modulation. Origin: ours."""
    cap: Positive = 7.0
    """Largest r* - r, so that no coefficient is above exp(alpha cap). Origin: code (7
    in BalanceBenchmark; 10, or none, in other released trainers)."""
    clip: Annotated[float, Field(ge=0)] | None = None
    """Longest gradient of encoders and fusion together after the modulation; ``output`` limits it
    only where an element of the fusion's gradient is larger than this, too. Null: 5, in ``output``
    1; 0: no limit. Origin: code (5 in BalanceBenchmark, 1 in the authors')."""


METHOD = MethodInfo(
    summary="Scales each encoder's gradient by its Shapley share against a running target.",
    paper="Li, Li, Hu, Lei, Li, Zhou: Boosting Multi-modal Model Performance with Adaptive "
    "Gradient Modulation, ICCV 2023",
    variants=("shapley", "output"),
    options=Options,
    plugin="equipoise.methods.agm.method:Agm",
    modalities=(2, None),
    state="running means of the scores since the first step; means of the coefficients",
    grade="partial",
    optimizer="not established",
    assumes=(
        "encoders that are trained",
        "an optimiser that does not undo the scale of a gradient (SGD)",
    ),
)
