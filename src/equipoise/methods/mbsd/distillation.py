"""The two terms that pull the predictions of two modalities together, and their weight."""

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional


def true_log_probability(logits: Tensor, labels: Tensor) -> Tensor:
    """Return log softmax(z_i)[y_i] (B,) from logits (B, C).

    >>> true_log_probability(torch.zeros(1, 2), torch.tensor([0]))
    tensor([-0.6931])
    """
    return logits.log_softmax(dim=1).gather(1, labels[:, None]).squeeze(1)


def pair_weights(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    """Return w (B,): |P_a,i - P_v,i| where one of both is right, else 0; it keeps its gradient.

    P is the probability of the true class, from logits (B, C).

    >>> sure, unsure = torch.tensor([[99.0, 0.0]]), torch.zeros(1, 2)
    >>> pair_weights(sure, unsure, torch.tensor([0]))
    tensor([0.5000])
    """
    gap = (
        true_log_probability(first, labels).exp() - true_log_probability(second, labels).exp()
    ).abs()
    right = (first.argmax(dim=1) == labels) | (second.argmax(dim=1) == labels)
    return gap * right


def squared_difference(first: Tensor, second: Tensor) -> Tensor:
    """Return RS_i = mean_c (z_a - z_v)_c^2 (B,), of logits or of probabilities (B, C).

    >>> squared_difference(torch.tensor([[1.0, 4.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([5.])
    """
    return (first - second).square().mean(dim=1)


def divergence(first: Tensor, second: Tensor, labels: Tensor, corrected: bool) -> Tensor:
    """Return KL_i (B,) of the true-class probabilities, p_w the smaller and p_s the larger one.

    p_w (log p_w - log p_s); as released p_w (log p_w - p_s), where the logarithm is missing.

    >>> sure, unsure = torch.tensor([[99.0, 0.0]]), torch.zeros(1, 2)
    >>> divergence(sure, unsure, torch.tensor([0]), corrected=True)  # 0.5 (log 0.5 - log 1)
    tensor([-0.3466])
    """
    pair = torch.stack([true_log_probability(z, labels) for z in (first, second)])
    weaker, stronger = pair.amin(dim=0), pair.amax(dim=0)
    given = stronger if corrected else stronger.exp()
    return functional.kl_div(given, weaker, reduction="none", log_target=True)


def distillation_loss(logits: Mapping[str, Tensor], labels: Tensor, corrected: bool) -> Tensor:
    """Return the mean over pairs and samples of w (RS + KL), a scalar.

    As released, RS is of logits for two modalities and of probabilities for more.

    >>> z = torch.tensor([[3.0, 0.0]])
    >>> distillation_loss({"audio": z, "video": z}, torch.tensor([0]), corrected=True)  # they agree
    tensor(0.)

    Args:
        logits: Of two modalities or more ``{m: (B, C)}``.
        labels: (B,).
        corrected: KL with its logarithm, RS always of logits.
    """
    on_logits = corrected or len(logits) == 2
    pairs = []
    for a, b in combinations(logits.values(), 2):
        x, y = (a, b) if on_logits else (a.softmax(dim=1), b.softmax(dim=1))
        terms = squared_difference(x, y) + divergence(a, b, labels, corrected)
        pairs.append((pair_weights(a, b, labels) * terms).mean())
    return torch.stack(pairs).mean()
