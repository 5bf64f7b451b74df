"""Alignment losses between modalities."""

from collections.abc import Callable, Mapping
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional


def infonce(first: Tensor, second: Tensor, tau: float) -> Tensor:
    """Return the symmetric InfoNCE loss of paired features (B, D), cosine similarity over ``tau``.

    L_MM = -1/(2B) sum_i [log softmax_k s(x_i, x'_k)/tau at k=i + log softmax_k s(x_k, x'_i)/tau
    at k=i].

    >>> infonce(torch.eye(2), torch.eye(2), tau=1.0)
    tensor(0.3133)
    """
    similarity = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T / tau
    target = torch.arange(len(first), device=first.device)
    one_way = functional.cross_entropy(similarity, target)
    other_way = functional.cross_entropy(similarity.T, target)
    return 0.5 * (one_way + other_way)


def jensen_shannon(first: Tensor, second: Tensor, swapped: bool = False) -> Tensor:
    """Return the mean over samples of the divergence between the softmax of logits (B, C).

    With m = (p + q)/2: 1/2 KL(p || m) + 1/2 KL(q || m); ``swapped``: 1/2 KL(m || p) +
    1/2 KL(m || q), which the released code computes. All logarithms are taken of softmax outputs
    in closed form, so that none is infinite.

    >>> jensen_shannon(torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 9.0]]))
    tensor(0.6919)
    """
    logs = torch.stack([first.log_softmax(dim=1), second.log_softmax(dim=1)])
    middle = torch.logsumexp(logs, dim=0) - torch.log(logs.new_tensor(2.0))
    each = middle.exp() * (middle - logs) if swapped else logs.exp() * (logs - middle)
    return each.sum(dim=2).mean()


def matching_loss(
    values: Mapping[str, Tensor], divergence: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Return the mean of ``divergence`` over all pairs of modalities (for two: the paper's).

    >>> features = {"a": torch.eye(2), "b": torch.eye(2), "c": torch.eye(2)}
    >>> matching_loss(features, lambda x, y: infonce(x, y, tau=1.0))
    tensor(0.3133)
    """
    return torch.stack([divergence(a, b) for a, b in combinations(values.values(), 2)]).mean()
