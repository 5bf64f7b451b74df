"""Joint training: one loss on the fused prediction, the baseline of every balancing method."""

from typing import Literal

from equipoise.registry import MethodInfo
from equipoise.section import Section


class Options(Section):
    """Hyper-parameters of joint training."""

    heads: Literal["probe", "trained"] = "probe"
    """``probe``: heads read detached features and only show what each encoder has learnt;
    ``trained``: their cross-entropies are added to the loss and reach the encoders.
    Origin: ours."""


METHOD = MethodInfo(
    summary="Cross-entropy on the fused prediction; the variant is the fusion.",
    paper="baseline; film: Perez et al., AAAI 2018; gated: Arevalo et al., ICLR-W 2017; "
    "weighted: ours, softmax of Peters et al., NAACL 2018; simbamm: Rheude et al., 2025",
    variants=("concat", "sum", "weighted", "film", "gated", "simbamm"),
    options=Options,
    plugin="equipoise.methods.joint.method:Joint",
)
