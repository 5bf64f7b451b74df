"""AMSS: in each step only a drawn part of each encoder's units may move."""

from typing import Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of AMSS."""

    temperature: Annotated[float, Field(gt=0)] = 0.25
    """tau of the softmax over information rates. Origin: paper (0.25 for audio and video, 0.5 for
    image and text); code 0.2."""
    rates: Literal["paper", "released_code"] = "paper"
    """How information rates and shares are computed. Origin: paper; code."""
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """lambda of the running mean of the rates. Origin: paper has one, without a value that is
    known; code has none: 0."""
    units: Literal["rows", "conv"] = "rows"
    """What is masked: rows of every weight of two or more dimensions, or output channels of 2-D
    convolutions alone. Origin: rows: ours, for any encoder; conv: code."""
    offset: Literal["inverse_n", "n"] = "inverse_n"
    """C in the factor 1 / (p + C) of amss_plus, n the units of a layer. Origin: inverse_n: code;
    n: paper, as printed."""


METHOD = MethodInfo(
    summary="Masks the gradients of drawn units, more of them in the dominant modality.",
    paper="Yang, Pan, Jiang, Xu, Tang: Learning to Rebalance Multi-Modal Optimization by "
    "Adaptively Masking Subnetworks, TPAMI 47(6), 2025, arXiv 2404.08347",
    variants=("amss", "amss_plus"),
    options=Options,
    plugin="equipoise.methods.amss.method:Amss",
    modalities=(2, None),
    state="running information rates; means of the shares",
    grade="partial",
    optimizer="SGD, rate 1e-2, momentum 0.9, weight decay 1e-4 (code); Adam, rate 2e-6, "
    "for text and image (code)",
    assumes=("encoders that are trained", "an optimiser that keeps the size of gradients (SGD)"),
)
