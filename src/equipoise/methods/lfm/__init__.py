"""LFM: classification and alignment of features, weighted by a schedule or by what is learned."""

from typing import Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of LFM."""

    tau: Annotated[float, Field(gt=0)] = 0.07
    """Temperature of InfoNCE. Origin: ours (the paper gives none; third-party forks use 0.07)."""
    alignment: Literal["infonce", "js", "js_swapped"] | None = None
    """Alignment loss: InfoNCE of features; Jensen-Shannon of the heads' softmax outputs, in the
    standard form or as the released code has it; null: infonce, in the released programs
    js_swapped. Origin: paper (infonce), code (js_swapped)."""
    schedule: Literal["heuristic", "exponential", "polynomial", "cubic", "constant", "step"] = (
        "heuristic"
    )
    """Variant ``heuristic``: weight of the alignment over epochs. Origin: paper (heuristic: 3.3;
    constant and step: ablation; cubic: remark in 4.4), code (polynomial; exponential: earlier)."""
    level: Annotated[float, Field(ge=0, le=1)] = 0.5
    """``constant``: the weight; ``step``: the weight in the first half of the epochs, one minus it
    afterwards. Other schedules do not read it. Origin: paper (ablation: 0, 0.05, 0.5, 0.95, 1)."""
    alpha_start: Annotated[float, Field(ge=0, le=1)] = 0.95
    """``learned``, ``released_code``: first weight of the alignment. Origin: code."""
    alpha_rate: Annotated[float, Field(ge=0)] | None = None
    """``learned``, ``released_code``: step size of the weight; null: 0.05, in ``released_code``
    1e-4. Origin: ours, code (the paper gives none)."""
    largest_step: Annotated[float, Field(gt=0, le=1)] = 0.1
    """``learned``: largest change of the weight at once; 1: no limit. Origin: ours."""
    inner_steps: Annotated[int, Field(ge=1)] = 10
    """``learned``: optimisation steps between two of the weight. Origin: ours."""
    solver: Literal["cg", "neumann", "first_order"] = "cg"
    """``learned``: inverse Hessian times vector by conjugate gradients or by the Neumann series, or
    the identity times ``neumann_rate`` in its place. Origin: ours (the paper says none)."""
    solver_steps: Annotated[int, Field(ge=1)] = 5
    """``learned``: iterations of the solver, one Hessian-vector product each. Origin: ours."""
    damping: Annotated[float, Field(ge=0)] = 0.1
    """``learned``: added to the diagonal of the Hessian. Origin: ours."""
    neumann_rate: Annotated[float, Field(gt=0)] = 0.01
    """``learned``: step size of the Neumann series and of ``first_order``. Origin: ours."""
    outer: Literal["held_out", "validation"] = "held_out"
    """``learned``, ``released_code``: the outer loss is taken on training samples held out from the
    inner one, or on validation. Origin: code (held_out); the paper does not say."""
    held_out: Annotated[int, Field(ge=2)] | None = None
    """How many are held out; null: a tenth of the training split, in ``released_code`` 16.
    Origin: ours, code."""


METHOD = MethodInfo(
    summary="Alignment of modalities first, classification later, by schedule or learned weight.",
    paper="Yang, Wan, Jiang, Xu: Facilitating Multimodal Classification via Dynamically Learning "
    "Modality Gap, NeurIPS 2024",
    variants=("heuristic", "learned", "released_code", "released_polynomial"),
    options=Options,
    plugin="equipoise.methods.lfm.method:Lfm",
    modalities=(2, None),
    state="the weight of the alignment",
    grade="stable",
    optimizer="SGD, rate 1e-2, momentum 0.9, lowered to a tenth (paper and code); Adam, rate 1e-4, "
    "for text and image (paper)",
    assumes=("features of one length", "with infonce, batches with several samples"),
)
