"""MASAM (experimental): a sharpness-aware step for the encoder of the dominant modality."""

from typing import Annotated

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Fraction, Section


class Options(Section):
    """Hyper-parameters of MASAM."""

    rho: Annotated[float, Field(ge=0)] = 0.3
    """Length of the perturbation, before its factor. Origin: code (CREMA-D)."""
    decay_share: Annotated[float, Field(ge=0, le=1)] = 0.8
    """a: share of the decay of the loss in the score; the rest is the cosine's. Origin: code
    (configuration for CREMA-D; 0.5 by its command line)."""
    beta: Fraction = 0.91
    """Of the moving average of each unimodal loss. Origin: code (configuration for CREMA-D; 0.9 by
    its command line)."""
    unimodal_weight: Annotated[float, Field(ge=0)] = 1.0
    """lambda, factor on the losses of the heads. Origin: code."""
    every_encoder: bool = False
    """Perturb every encoder in every step, whatever the score. Origin: code (what the command in
    its README runs)."""


METHOD = MethodInfo(
    summary="Experimental: a sharpness-aware step for the encoder of the dominant modality.",
    paper="Chen, Yin, Yao, Cheung, Qin: MASAM: Multimodal Adaptive Sharpness-Aware Minimization "
    "for Heterogeneous Data Fusion, ICLR 2026",
    variants=("paper", "released_code"),
    options=Options,
    plugin="equipoise.methods.masam.method:Masam",
    state="moving averages and last values of the unimodal losses, means over the epoch",
    grade="experimental",
    optimizer="AdamW, rate 1e-4 (configuration of the code)",
    assumes=("encoders that are trained",),
)
