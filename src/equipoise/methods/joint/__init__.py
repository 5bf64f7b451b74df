"""Joint training: one loss on the fused prediction, the baseline of every balancing method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from equipoise.registry import MethodInfo
from equipoise.section import Section

if TYPE_CHECKING:
    from equipoise.params import Params


class Options(Section):
    """Hyper-parameters of joint training."""

    heads: Literal["probe", "trained"] = "probe"
    """``probe``: heads read detached features and only show what each encoder has learnt;
    ``trained``: their cross-entropies are added to the loss and reach the encoders.
    Origin: ours."""
    target: str | None = None
    """Variant ``film``: the modality that the others scale and shift; null: the first by name.
    Origin: ours (null); code: OGM-GE modulates video by audio."""


def check(variant: str, options: Options, params: Params) -> None:
    """Refuse a target where nothing is modulated."""
    if options.target is not None and variant != "film":
        raise ValueError(f"target: variant {variant!r} modulates nothing; only film has a target")


METHOD = MethodInfo(
    summary="Cross-entropy on the fused prediction; the variant is the fusion.",
    paper="baseline; film: Perez et al., AAAI 2018; gated: Arevalo et al., ICLR-W 2017; "
    "weighted: ours, softmax of Peters et al., NAACL 2018; simbamm: Rheude et al., 2025",
    variants=("concat", "sum", "weighted", "film", "gated", "simbamm"),
    options=Options,
    plugin="equipoise.methods.joint.method:Joint",
    check=check,
    grade="baseline",
    optimizer="none in particular",
)
