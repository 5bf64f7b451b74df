"""TCMax: the loss is a bound of the total correlation of all features and the label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from equipoise.params.sections import ADDITIVE
from equipoise.registry import MethodInfo
from equipoise.section import Section

if TYPE_CHECKING:
    from equipoise.params import Params


class Options(Section):
    """Hyper-parameters of TCMax."""

    negatives: Annotated[int, Field(ge=1)] | None = None
    """Tuples of samples drawn as negatives in each step; null: all B^M of them, which needs a
    fusion that is a sum over modalities. Origin: code (null)."""


def check(variant: str, options: Options, params: Params) -> None:
    """Refuse all tuples of a fusion that would have to run on each."""
    for fusion in (params.model_of(name).fusion for name in params.datasets):
        if options.negatives is None and fusion not in ADDITIVE:
            raise ValueError(
                f"negatives: fusion {fusion!r} is no sum over modalities; give a number of tuples "
                f"(1024, say), or set model.fusion to one of {', '.join(ADDITIVE)}"
            )


METHOD = MethodInfo(
    summary="Maximises a bound of the total correlation of all features and the label.",
    paper="Yu, Wu, Yang, Lu: Multimodal Classification via Total Correlation Maximization, "
    "ICLR 2026, arXiv 2602.13015",
    variants=("total_correlation",),
    options=Options,
    plugin="equipoise.methods.tcmax.method:Tcmax",
    check=check,
    grade="partial",
    optimizer="SGD, rate 1e-3, momentum 0.9, weight decay 1e-4 (code)",
    assumes=("a fusion that is a sum, or negatives that are drawn", "batches with several samples"),
)
