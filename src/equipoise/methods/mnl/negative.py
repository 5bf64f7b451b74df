"""Who guides whom in each sample, and what the guided modality is told."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.gap.scores import true_class_score


def mean_logits(logits: Sequence[Tensor]) -> Tensor:
    """Return the mean of logits (B, C): late fusion on logits.

    >>> mean_logits([torch.tensor([[1.0, 3.0]]), torch.tensor([[3.0, 5.0]])])
    tensor([[2., 4.]])
    """
    return torch.stack(list(logits)).mean(dim=0)


def margins(logits: Tensor, rivals: Tensor, labels: Tensor) -> Tensor:
    """Return xi_i = z_i[y_i] - z_i[j_i] (B,), j (B,) the rival of the true class.

    >>> margins(torch.tensor([[5.0, 2.0, 0.0]]), torch.tensor([1]), torch.tensor([0]))
    tensor([3.])
    """
    picked = logits.gather(1, torch.stack([labels, rivals], dim=1))
    return picked[:, 0] - picked[:, 1]


def guides(logits: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """Return for each modality in which samples it guides all others, ``{m: (B,)}`` of bool.

    It does where both its margin and its probability of the true class are the largest; where the
    two disagree nobody guides. The rival j_i is the wrong class that the fused logits favour most.
    Of modalities that are equal in both the last one guides, as in the authors' code for two.

    >>> z = {"audio": torch.tensor([[3.0, 0.0], [0.0, 0.0]])}
    >>> z["video"] = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    >>> guides(z, torch.tensor([0, 0]))
    {'audio': tensor([ True, False]), 'video': tensor([False,  True])}

    Args:
        logits: ``{m: (B, C)}``; no gradient is needed.
        labels: (B,).
    """
    fused = mean_logits(list(logits.values()))
    rivals = fused.scatter(1, labels[:, None], -torch.inf).argmax(dim=1)
    margin = [margins(z, rivals, labels) for z in logits.values()]
    sure = [true_class_score(z, labels) for z in logits.values()]
    found = {}
    for i, m in enumerate(logits):
        best = torch.ones_like(labels, dtype=torch.bool)
        for k in range(len(margin)):
            if i < k:
                best &= (margin[i] > margin[k]) & (sure[i] > sure[k])
            elif i > k:
                best &= (margin[i] >= margin[k]) & (sure[i] >= sure[k])
        found[m] = best
    return found


def negative_terms(guided: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Return -p_t,c log p_g,c (B, C), 0 for the true class; the teacher is a constant.

    >>> z = torch.zeros(1, 4)
    >>> negative_terms(z, z, torch.tensor([0]))  # log(4) / 4
    tensor([[0.0000, 0.3466, 0.3466, 0.3466]])

    Args:
        guided: Logits of the guided modality (B, C).
        teacher: Logits of its guide (B, C).
        labels: (B,).
    """
    terms = -teacher.detach().softmax(dim=1) * guided.log_softmax(dim=1)
    return terms.scatter(1, labels[:, None], 0.0)


def target_terms(guided: Tensor, labels: Tensor) -> Tensor:
    """Return -log p_g[y_i] (B, C) at the true class, 0 at the others.

    >>> target_terms(torch.zeros(1, 2), torch.tensor([1]))
    tensor([[0.0000, 0.6931]])
    """
    every = -guided.log_softmax(dim=1)
    return torch.zeros_like(every).scatter(1, labels[:, None], every.gather(1, labels[:, None]))


def teaching_loss(
    logits: Mapping[str, Tensor],
    chosen: Mapping[str, Tensor],
    labels: Tensor,
    weight: float,
    released: bool,
) -> Tensor:
    """Return what all guides teach, a scalar.

    The sum over directions of: weight times the mean over the batch of the sum over classes of
    :func:`negative_terms`; as released the mean over batch and classes of that and of
    :func:`target_terms`. Samples in which nobody guides count in the mean as 0.

    >>> z, labels = {"audio": torch.zeros(2, 4), "video": torch.zeros(2, 4)}, torch.tensor([0, 1])
    >>> chosen = {"audio": torch.tensor([True, False]), "video": torch.tensor([False, False])}
    >>> teaching_loss(z, chosen, labels, weight=1.0, released=False)  # 3 log(4)/4 of 2 samples
    tensor(0.5199)

    Args:
        logits: ``{m: (B, C)}``.
        chosen: What :func:`guides` returned for them.
        labels: (B,).
        weight: Of the classes that are not the true one.
        released: As in the released code.
    """
    total = next(iter(logits.values())).new_zeros(())
    for teacher, where in chosen.items():
        for guided in (m for m in logits if m != teacher):
            terms = weight * negative_terms(logits[guided], logits[teacher], labels)
            if released:
                terms = terms + target_terms(logits[guided], labels)
            each = terms.mean(dim=1) if released else terms.sum(dim=1)
            total = total + (where * each).mean()
    return total
