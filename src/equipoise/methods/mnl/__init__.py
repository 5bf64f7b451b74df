"""MNL: the surer modality teaches the other which classes it is not."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of MNL."""

    weight: Annotated[float, Field(ge=0)] = 0.7
    """Weight of the classes that are not the true one. Origin: code (w, 0.7); the paper's lambda is
    not established."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 3
    """First epochs without teaching; variant paper. Origin: ours (the paper has a warm-up whose
    length is not established; the code has none)."""


METHOD = MethodInfo(
    summary="Per sample, the surer modality teaches the other the non-target classes alone.",
    paper="Gong, Gao, Zhu, Hu, Cao: Multimodal Negative Learning, NeurIPS 2025, arXiv 2510.20877",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.mnl.method:Mnl",
    state="whether the epoch teaches; means of how often each modality guides",
    grade="partial",
    optimizer="Adam, rate 2e-5, for text and image (code)",
    assumes=(
        "heads that are right on many training samples",
        "with paper, more epochs than warmup_epochs",
    ),
)
