"""Every modality alone: what each encoder reaches when no other one is in its way."""

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """There is nothing to choose."""


METHOD = MethodInfo(
    summary="Each modality trained by its own head alone; prediction: mean of the probabilities.",
    paper="baseline",
    variants=("separate",),
    options=Options,
    plugin="equipoise.methods.unimodal.method:Unimodal",
    grade="baseline",
    optimizer="none in particular",
)
