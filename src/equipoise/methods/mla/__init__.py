"""MLA: modalities take turns at one shared head, which is kept from forgetting."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of MLA."""

    base: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """a = base^(1 + batch / batches) falls within each epoch from base to base^2. Origin: code."""
    normalise: bool = True
    """Divide P by its Frobenius norm after each step. Origin: code."""
    dynamic: bool | None = None
    """Weigh modalities by their entropy at test time; false: by ``weights``; null: true in
    ``paper``, false in the released programs. Origin: paper, code (an option, off)."""
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Modality to its fixed weight in the prediction; empty: equal, in the released programs 0.55
    and 0.45 for two, by name. Origin: ours, code."""


METHOD = MethodInfo(
    summary="Modalities alternate at one shared head with projected gradients; entropy fusion.",
    paper="Zhang, Yoon, Bansal, Yao: Multimodal Representation Learning by Alternating Unimodal "
    "Adaptation, CVPR 2024, arXiv 2311.10707",
    variants=("paper", "released_code", "released_projection"),
    options=Options,
    plugin="equipoise.methods.mla.method:Mla",
    modalities=(2, None),
    state="the projection matrix P and the step within the epoch",
    grade="partial",
    optimizer="SGD, rate 1e-3, momentum 0.9, weight decay 1e-4, a tenth after 70 epochs (code, "
    "main.py)",
    assumes=("features of one length for one head", "modalities that each can tell the classes"),
)
