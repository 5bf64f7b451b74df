"""Modality dropout: features are dropped as often as under OPM, but of every modality alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equipoise.methods.opm import Options as OpmOptions
from equipoise.methods.opm import Rate
from equipoise.registry import MethodInfo

if TYPE_CHECKING:
    from equipoise.params import Params


class Options(OpmOptions):
    """Hyper-parameters: those of OPM, whose mean rate is taken, or a rate."""

    rate: Rate = 0.25
    """Rate of variant ``fixed``; the others take OPM's. Origin: ours: half of OPM's ``q_base``,
    its mean over two modalities at the least advantage."""


def check(variant: str, options: Options, params: Params) -> None:
    """Refuse to split the scores of a fusion that is no sum, where they are read."""
    if variant in VARIANTS[:2] and options.scores == "split":
        params.expect_additive("scores")


VARIANTS = ("paper", "released_code", "fixed")
METHOD = MethodInfo(
    summary="Control of opm: drops as much in the mean, but every modality at the same rate.",
    paper="baseline: modality dropout at the mean rate of opm",
    variants=VARIANTS,
    options=Options,
    plugin="equipoise.methods.moddrop.method:ModDrop",
    modalities=(2, None),
    check=check,
    state="the drop rates of the batch before, and means over the epoch",
    grade="baseline",
    optimizer="none in particular",
)
