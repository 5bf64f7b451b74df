"""Information rates of a batch, and the share of each modality's units that may move."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.modulation import entropies


def label_frequencies(labels: Tensor, classes: int) -> Tensor:
    """Return the share of each class (C,) among labels (B,).

    >>> label_frequencies(torch.tensor([0, 0, 0, 1]), classes=2)
    tensor([0.7500, 0.2500])
    """
    return functional.one_hot(labels, classes).float().mean(dim=0)


def label_entropy(frequencies: Tensor) -> Tensor:
    """Return H(Y) = -sum f log f in nats, a scalar.

    >>> label_entropy(torch.tensor([0.5, 0.5]))  # log 2
    tensor(0.6931)
    """
    entropy: Tensor = torch.special.entr(frequencies).sum()
    return entropy


def released_label_entropy(frequencies: Tensor) -> Tensor:
    """Return -sum f log softmax(f): what the released code takes for the entropy.

    >>> released_label_entropy(torch.tensor([1.0, 0.0]))  # log(1 + 1/e); the entropy is 0
    tensor(0.3133)
    """
    return -(frequencies * frequencies.log_softmax(dim=0)).sum()


def feature_entropy(features: Tensor) -> Tensor:
    """Return the mean over samples of the entropy of softmax(h_i) over the D entries; a scalar.

    >>> feature_entropy(torch.zeros(3, 4))  # log 4
    tensor(1.3863)
    """
    return entropies(features).mean()


def information(
    logits: Mapping[str, Tensor], features: Mapping[str, Tensor], labels: Tensor, released: bool
) -> tuple[Tensor, Tensor]:
    """Return I (M,) and u = I / H (M,) in nats.

    I_m = H(Y) - CE(z_m, y), in the released code with its own H(Y) and 0.5 more.

    >>> z, h = {"audio": torch.tensor([[99.0, 0.0], [0.0, 99.0]])}, {"audio": torch.zeros(2, 4)}
    >>> gains, rates = information(z, h, torch.tensor([0, 1]), released=False)
    >>> gains, rates  # H(Y) = log 2, H = log 4
    (tensor([0.6931]), tensor([0.5000]))

    Args:
        logits: Of each modality alone ``{m: (B, C)}``.
        features: ``{m: (B, D)}``, for H_m.
        labels: (B,).
        released: As in the released code.
    """
    frequencies = label_frequencies(labels, next(iter(logits.values())).shape[1])
    entropy = released_label_entropy(frequencies) + 0.5 if released else label_entropy(frequencies)
    gains = torch.stack([entropy - functional.cross_entropy(z, labels) for z in logits.values()])
    sizes = torch.stack([feature_entropy(features[m]) for m in logits])
    # An entropy below the resolution is none: a quotient of it need not be finite.
    return gains, gains / sizes.clamp_min(torch.finfo(sizes.dtype).eps)


def moving_shares(rates: Tensor, temperature: float) -> Tensor:
    """Return rho = 1 - softmax(u / tau) (M,), adding up to M - 1: the more informed, the less.

    >>> moving_shares(torch.tensor([0.3, 0.3, 0.3]), temperature=1.0)
    tensor([0.6667, 0.6667, 0.6667])
    """
    return 1 - torch.softmax(rates / temperature, dim=0)


def released_shares(gains: Tensor, rates: Tensor, temperature: float) -> Tensor:
    """Return rho within [0.1, 0.9]; the same for all where a modality has no information.

    The same share is 1 - 1/M: the 0.5 of the released code, for any M.

    >>> rates = torch.tensor([9.0, 0.0])
    >>> released_shares(torch.tensor([0.5, 0.5]), rates, temperature=1.0)
    tensor([0.1000, 0.9000])
    """
    same = torch.full_like(rates, 1 - 1 / len(rates))
    shares = moving_shares(rates, temperature).clamp(0.1, 0.9)
    return torch.where((gains > 0).all() & shares.isfinite().all(), shares, same)
