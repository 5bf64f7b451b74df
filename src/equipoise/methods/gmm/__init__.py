"""GMM: a loss per sample by how balanced a mixture model finds it. Our reading of the abstract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from equipoise.registry import MethodInfo
from equipoise.section import Section

Weight = Annotated[float, Field(ge=0)]

if TYPE_CHECKING:
    from equipoise.params import Params


class Options(Section):
    """Hyper-parameters; the origin of every one is ours, since the paper's are not established."""

    scores: Literal["heads", "split"] | None = None
    """Unimodal scores from each modality's head or from the fused classifier split by modality;
    null: as in section ``gap``. Origin: ours."""
    signed: bool | None = None
    """Fit the mixture on signed gaps (two modalities only); null: as in section ``gap``.
    Origin: ours."""
    posterior: Literal["monotone", "bayes"] | None = None
    """Posterior of 'imbalanced' in the loss: never falling as the gap grows, or Bayes' rule alone;
    null: as in section ``gap``, where ``monotone`` is the default. Origin: ours."""
    heads: Literal["trained", "probe"] = "trained"
    """``trained``: the heads' cross-entropies are part of the loss and reach the encoders, as in
    the warm-up; ``probe``: they train the heads alone. Origin: ours."""
    beta: Weight = 0.5
    """Extra weight of the fused loss on balanced samples (v2/v3 of the paper); 0: as in v1.
    Origin: ours."""
    lambda1: Weight = 0.1
    """Weight of the gap of every sample. Origin: ours."""
    lambda2: Weight = 1.0
    """Weight of the penalty on imbalanced samples. Origin: ours."""
    penalty: Literal["relu_sq", "sq"] = "relu_sq"
    """Penalty on imbalanced samples: squared distance beyond the mean gap of balanced ones, or
    squared gap. Origin: ours."""
    refit_every: Annotated[int, Field(ge=1)] = 1
    """Epochs between two fits of the mixture. Origin: ours."""
    loss: Literal["plain", "adaptive"] = "plain"
    """Variant ``purified``: the loss before the fine-tuning, which itself is always plain.
    Origin: ours (the abstract says that fine-tuning helps without the adaptive loss, too)."""
    finetune_epochs: Annotated[int, Field(ge=1)] = 3
    """Variant ``purified``: the last so many epochs see the balanced subset only. Origin: ours."""
    finetune_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Variant ``purified``: learning rate of the fine-tuning, as a part of train.learning_rate.
    Origin: ours."""


def check(variant: str, options: Options, params: Params) -> None:
    """Refuse to split the scores of a fusion that is no sum, and a fine-tuning beyond a run."""
    if options.scores == "split":
        params.expect_additive("scores")
    shortest = min(params.train_of(name).epochs for name in params.datasets)
    left = shortest - params.warmup.epochs
    if variant == "purified" and 0 < left < options.finetune_epochs:
        raise ValueError(
            f"finetune_epochs: {options.finetune_epochs} is more than the {left} epochs that "
            "warmup.epochs leaves of train.epochs; lower it"
        )


METHOD = MethodInfo(
    summary="Per-sample loss by the posterior of a Gaussian mixture on the modality gap.",
    paper="Liu, Yu, Liu: Quantifying Multimodal Imbalance, arXiv 2510.21797 (our reading of the "
    "abstract)",
    variants=("adaptive", "purified"),
    options=Options,
    plugin="equipoise.methods.gmm.method:Gmm",
    modalities=(2, None),
    check=check,
    needs_warmup=True,
    state="the mixture",
    grade="experimental",
    optimizer="not established",
    assumes=(
        "two groups of samples that differ in the gap between modalities",
        "a warm-up that is long enough to see them",
    ),
)
