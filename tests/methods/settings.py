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
    Row("gmm-adaptive", warm=True),
    Row("gmm-adaptive-v1", {"beta": 0.0, "scores": "split", "heads": "probe"}, warm=True),
    Row("gmm-purified", {"finetune_epochs": 1, "loss": "adaptive"}, warm=True),
]
