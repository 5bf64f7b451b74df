"""The one table of all methods: every test of tests/methods/test_every_method.py runs on each row.

A new method needs a row here for each of its variants, and nothing else.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """How a method is tried on the toy data."""

    key: str
    options: dict[str, Any] = field(default_factory=dict)
    warm: bool = False
    """It continues from the warm-up."""


ROWS = [
    Row("joint-concat"),
    Row("joint-sum", {"heads": "trained"}),
    Row("joint-weighted"),
    Row("joint-film"),
    Row("joint-gated"),
    Row("unimodal-separate"),
    Row("lfm-heuristic"),
    Row("gblending-online", {"super_epoch": 2}),
    Row("mla-paper"),
    Row("mla-released_code", {"dynamic": False}),
    Row("reconboost-paper", {"boost_epochs": 1, "joint_epochs": 1}),
    Row("reconboost-released_code", {"boost_epochs": 1, "joint_epochs": 1}),
    Row("relearn-paper", {"every": 1, "times": 2, "reset_bn_stats": True}),
    Row("relearn-released_code", {"every": 1, "times": 2, "reset_momentum": True}),
    Row("ogm-ogm_ge"),
    Row("ogm-ogm", {"parameters": "weights", "to_epoch": 3}),
    Row("mmcosine-fixed"),
    Row("mmpareto-min_norm"),
    Row("agm-shapley"),
    Row("pmr-paper", {"entropy_epochs": 2}),
    Row("pmr-released_code", {"fraction": 0.5}),
    Row("lfm-learned", {"held_out": 2, "inner_steps": 2}),
    Row("lfm-learned-js", {"alignment": "js", "solver": "neumann", "outer": "validation"}),
    Row("lfm-released_code", {"held_out": 2}),
    Row("aug-paper"),
    Row("aug-released_code", {"width": 32}),
    Row("opm-paper", {"from_epoch": 1}),
    Row("opm-released_code", {"from_epoch": 2, "scores": "heads"}),
    Row("moddrop-paper", {"from_epoch": 1}),
    Row("moddrop-released_code", {"from_epoch": 2}),
    Row("moddrop-fixed", {"from_epoch": 1}),
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
