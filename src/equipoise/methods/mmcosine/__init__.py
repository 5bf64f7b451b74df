"""MMCosine: the lengths of features and class weights take no part in the prediction."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of MMCosine."""

    scale: Annotated[float, Field(gt=0)] = 15.0
    """s, the largest logit of one modality. Origin: code (15: BalanceBenchmark, a re-run by
    others; the authors' script for CREMA-D has 10)."""


METHOD = MethodInfo(
    summary="Cosine logits: the lengths of features and weights of a modality cannot dominate.",
    paper="Xu, Feng, Zhang, Hu: MMCosine: Multi-Modal Cosine Loss Towards Balanced Audio-Visual "
    "Fine-Grained Learning, ICASSP 2023",
    variants=("fixed",),
    options=Options,
    plugin="equipoise.methods.mmcosine.method:MmCosine",
    grade="stable",
    optimizer="SGD, rate 1e-3, momentum 0.9, weight decay 1e-4, a tenth after 100 epochs (code, "
    "main_CD.py)",
    assumes=("features of both signs",),
)
