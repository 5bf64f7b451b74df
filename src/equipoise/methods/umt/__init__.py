"""UMT: the encoders take over the features of encoders that were trained alone."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of UMT."""

    weight: Annotated[float, Field(ge=0)] = 10.0
    """Factor on the distances of the features. Origin: code of BalanceBenchmark's port; the
    authors' value is not established."""


METHOD = MethodInfo(
    summary="Joint training whose encoders also imitate the features of unimodal teachers.",
    paper="Du et al.: Improving Multi-Modal Learning with Uni-Modal Teachers, 2021, "
    "arXiv 2106.11059",
    variants=("mse",),
    options=Options,
    plugin="equipoise.methods.umt.method:Umt",
    needs_teacher=True,
    state="means of the distances over the epoch",
    grade="partial",
    optimizer="AdamW (port in BalanceBenchmark); the authors' is not established",
    assumes=(
        "a teacher that generalises",
        "encoders that are trained",
        "features as wide as the teacher's",
    ),
)
