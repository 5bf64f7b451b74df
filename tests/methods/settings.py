"""The one table of all methods: every test of tests/methods/test_every_method.py runs on each row.

A new method needs a row here for each of its variants, and nothing else.
"""

from dataclasses import dataclass, field
from typing import Any

import toy_data


@dataclass(frozen=True)
class Row:
    """How a method is tried on the toy data."""

    key: str
    options: dict[str, Any] = field(default_factory=dict)
    warm: bool = False
    """It continues from the warm-up."""

    @property
    def start(self) -> str:
        """The table of ``methods`` in params.yaml that it is tried in."""
        if toy_data.is_taught(self.key):
            return "with_teacher"
        return "from_warmup" if self.warm else "from_scratch"


ROWS = [
    Row("joint-concat"),
    Row("joint-sum", {"heads": "trained"}),
    Row("joint-weighted"),
    Row("joint-film"),
    Row("joint-film-video", {"target": "video"}),
    Row("joint-gated"),
    Row("joint-simbamm"),
    Row("simbamm-late_transformer", {"layers": 1, "feedforward": 32, "heads": 2, "dropout": 0.1}),
    Row("unimodal-separate"),
    Row("tcmax-total_correlation"),
    Row("dgl-disentangled"),
    Row("arl-paper", {"warmup_epochs": 1}),
    Row("arl-released_code", {"warmup_epochs": 2}),
    Row("inforeg-paper", {"threshold": -1.0}),
    Row("inforeg-released_code"),
    Row("amss-amss", {"smoothing": 0.5}),
    Row("amss-amss_plus", {"rates": "released_code", "offset": "n"}),
    Row("mnl-paper", {"warmup_epochs": 1}),
    Row("mnl-released_code"),
    Row("cml-paper"),
    Row("cml-official_masks"),
    Row("cml-balancebenchmark"),
    Row("mbsd-balancebenchmark"),
    Row("mbsd-corrected"),
    Row("lfm-heuristic"),
    Row("gblending-online", {"super_epoch": 2}),
    Row("gblending-separate", {"super_epoch": 2, "negative": "absolute"}),
    Row("mla-paper"),
    Row("mla-released_code"),
    Row("mla-released_projection", {"dynamic": True}),
    Row("reconboost-paper", {"boost_epochs": 1, "joint_epochs": 1}),
    Row("reconboost-released_code", {"boost_epochs": 1, "joint_epochs": 1}),
    Row("relearn-paper", {"every": 1, "times": 2, "reset_bn_stats": True}),
    Row("relearn-released_code", {"every": 1, "times": 2, "reset_momentum": True}),
    Row("ogm-ogm_ge"),
    Row("ogm-ogm", {"parameters": "weights", "to_epoch": 3}),
    Row("mmcosine-fixed"),
    Row("mmpareto-min_norm"),
    Row("agm-shapley"),
    Row("agm-output"),
    Row("pmr-paper", {"entropy_epochs": 2}),
    Row("pmr-released_code", {"fraction": 0.5}),
    Row("lfm-learned", {"held_out": 2, "inner_steps": 2}),
    Row("lfm-learned-js", {"alignment": "js", "solver": "neumann", "outer": "validation"}),
    Row("lfm-released_code", {"held_out": 2}),
    Row("lfm-released_polynomial"),
    Row("aug-paper"),
    Row("aug-released_code", {"width": 32}),
    Row("opm-paper", {"from_epoch": 1}),
    Row("opm-released_code", {"from_epoch": 2, "scores": "heads"}),
    Row("moddrop-paper", {"from_epoch": 1}),
    Row("moddrop-released_code", {"from_epoch": 2}),
    Row("moddrop-fixed", {"from_epoch": 1}),
    Row("umt-mse"),
    Row("smp-paper"),
    Row("smp-released_code", {"ranking": "run", "solo_epochs": 1}),
    Row("g2d-paper", {"alpha": 0.1}),
    Row("g2d-released_code"),
    Row("pdmp-fixed", {"dominant": 1.5}),
    Row("masam-paper"),
    Row("masam-released_code", {"every_encoder": True}),
    Row("smv-sample_level", {"warmup_epochs": 1}),
    Row("smv-modality_level", {"warmup_epochs": 1, "part_ratio": 0.5}),
    Row("remix-paper", {"warmup_epochs": 1}),
    Row("remix-released_code", {"warmup_epochs": 1}),
    Row("bss-heuristic", {"start_share": 0.5, "grow_epochs": 3, "rank_after": 1}),
    Row("bss-learned", {"every": 2}),
    Row("bss-released_code", {"prediction": "heads", "fused_weight": 0.1, "head_weight": 0.9}),
    Row("latesum-with_fused"),
    Row("latesum-heads_alone"),
    Row("midas-paper", {"warmup_epochs": 1}),
    Row("midas-released_code", {"warmup_epochs": 1}),
    Row("featuremix-swap", {"warmup_epochs": 1}),
    Row("featuremix-mixup", {"warmup_epochs": 1}),
    Row("gmm-adaptive", warm=True),
    Row("gmm-adaptive-v1", {"beta": 0.0, "scores": "split", "heads": "probe"}, warm=True),
    Row("gmm-purified", {"finetune_epochs": 1, "loss": "adaptive"}, warm=True),
]
