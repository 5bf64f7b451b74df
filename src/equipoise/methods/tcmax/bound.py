"""The bound of the total correlation, negated: a loss whose least value is -TC."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def additive_loss(shares: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    """Return the loss over all B^M tuples of samples, for s = sum_m f_m.

    L = -(1/B) sum_i sum_m f_m[i, y_i] + LSE_c(sum_m LSE_j f_m[j, c]) - M log B - log C, the
    Donsker-Varadhan bound with the logit as critic (Yu et al., 2026). O(M B C): a sum over tuples
    of a product is the product of sums.

    >>> shares = {"audio": torch.zeros(2, 4), "video": torch.zeros(2, 4)}
    >>> additive_loss(shares, torch.tensor([0, 3]))  # nothing is known: the bound is 0
    tensor(0.)

    Args:
        shares: Modality to its share f_m of the fused logits (B, C), in full precision.
        labels: (B,).

    Returns:
        A scalar; it may be negative.
    """
    stacked = torch.stack(list(shares.values()))
    modalities, count, classes = stacked.shape
    fitted = stacked.sum(dim=0).gather(1, labels[:, None]).mean()
    negatives = stacked.logsumexp(dim=1).sum(dim=0).logsumexp(dim=0)
    return negatives - fitted - modalities * math.log(count) - math.log(classes)


def sampled_loss(logits: Tensor, negatives: Tensor, labels: Tensor) -> Tensor:
    """Return the loss over N tuples drawn from the product of the marginals, for any fusion.

    L = -(1/B) sum_i s(i, y_i) + log (1/(N C)) sum_n,c exp s(n, c).

    >>> sampled_loss(torch.tensor([[2.0, 0.0]]), torch.zeros(3, 2), torch.tensor([0]))
    tensor(-2.)

    Args:
        logits: Of the true tuples (B, C).
        negatives: Of the drawn tuples (N, C).
        labels: (B,).
    """
    fitted = logits.gather(1, labels[:, None]).mean()
    return negatives.flatten().logsumexp(dim=0) - math.log(negatives.numel()) - fitted


def drawn_tuples(features: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Return features ``{m: (count, D)}`` whose samples are drawn for each modality on its own.

    Uniform, with replacement, from torch's generator of the device; ``features`` are (B, D).

    >>> drawn = drawn_tuples({"audio": torch.ones(2, 5), "video": torch.zeros(2, 3)}, count=4)
    >>> {m: tuple(h.shape) for m, h in drawn.items()}
    {'audio': (4, 5), 'video': (4, 3)}
    """
    return {m: h[torch.randint(len(h), (count,), device=h.device)] for m, h in features.items()}
