"""CML: a prediction must not get surer when a modality is removed."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of CML."""

    weight: Annotated[float, Field(ge=0)] = 0.1
    """lambda of the penalty. Origin: code (0.1: BalanceBenchmark; the authors' code tries 0 to
    0.75); the paper's is not established."""


METHOD = MethodInfo(
    summary="Penalises a confidence that rises when a modality is removed.",
    paper="Ma et al.: Calibrating Multimodal Learning, ICML 2023, arXiv 2306.01265",
    variants=("paper", "official_masks", "balancebenchmark"),
    options=Options,
    plugin="equipoise.methods.cml.method:Cml",
    modalities=(2, None),
    state="the step within the epoch; the mean penalty",
    grade="partial",
    optimizer="not established (its experiments are on hand-crafted features of several views)",
    assumes=("a fusion that can leave modalities out",),
)
