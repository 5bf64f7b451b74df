"""PMR: L = CE + alpha sum_m w_m PCE_m - mu sum_m v_m H_m, on distances to class prototypes."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from equipoise.gap.scores import true_class_scores
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.modulation import Means, entropies, relative_scores
from equipoise.methods.pmr import Options
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

ABSENT = -1e9
"""Logit of a class without prototype: its probability is exactly 0."""
RELEASED_EPOCHS = 101
"""Epochs with the term in the released code: 0 to 100."""


def class_sums(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the sum of the features (C, D) and the number of samples (C,) of each class.

    >>> class_sums(torch.eye(2), torch.tensor([1, 1]), classes=2)
    (tensor([[0., 0.],
            [1., 1.]]), tensor([0., 2.]))
    """
    members = functional.one_hot(labels, classes).to(features.dtype)
    return members.T @ features, members.sum(dim=0)


def moved(old: Tensor, new: Tensor, known: Tensor, found: Tensor, momentum: float) -> Tensor:
    """Return the prototypes (C, D) of this epoch.

    momentum old + (1 - momentum) new; a class seen for the first time takes the new one, a class
    that is not found now keeps the old one.

    Args:
        old: Prototypes so far (C, D).
        new: Means of the features by class (C, D); anything finite where there are none.
        known: Whether a class has an old prototype (C,).
        found: Whether a class has a new one (C,).
        momentum: Part of the old one.

    >>> yes = torch.tensor([True])
    >>> moved(torch.tensor([[1.0]]), torch.tensor([[2.0]]), yes, yes, momentum=0.2)
    tensor([[1.8000]])
    """
    mixed = momentum * old + (1 - momentum) * new
    fresh = torch.where(known[:, None], mixed, new)
    return torch.where(found[:, None], fresh, old)


def prototype_logits(features: Tensor, prototypes: Tensor, known: Tensor) -> Tensor:
    """Return -|h_i - c_k| (B, C), Euclidean; a class without prototype gets probability 0.

    >>> prototype_logits(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([True]))
    tensor([[-5.]])
    """
    away = features[:, None] - prototypes[None]
    distances: Tensor = torch.linalg.vector_norm(away, dim=2)
    return (-distances).masked_fill(~known, ABSENT)


def prototype_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy PCE, the mean over samples whose class has a prototype; 0 of none.

    A sample of a class without prototype has nowhere to go: it would only be driven away from the
    prototypes of others, at a loss without bound.

    >>> prototype_loss(torch.tensor([[0.0, 0.0, -1e9], [0.0, 0.0, -1e9]]), torch.tensor([0, 2]))
    tensor(0.6931)
    """
    known = logits.detach().gather(1, labels[:, None]).squeeze(1) > ABSENT
    target = torch.where(known, labels, -1)
    total = functional.cross_entropy(logits, target, ignore_index=-1, reduction="sum")
    return total / known.sum().clamp_min(1)


def mean_entropy(logits: Tensor) -> Tensor:
    """Return mean_i H(softmax(z_i)), a scalar, in nats.

    >>> mean_entropy(torch.zeros(3, 4))
    tensor(1.3863)
    """
    return entropies(logits).mean()


def grades(ratio: Tensor, graded: bool) -> tuple[Tensor, Tensor]:
    """Return the weights of cross-entropy and entropy for a modality with ratio rho, scalars.

    ``graded``: clip(1/rho - 1, 0, 1) and clip(rho - 1, 0, 1), so that a modality that is hardly
    weaker is hardly pulled (paper, Eq. 9 to 13 as a port cites them); else 1 where rho < 1 and 1
    where rho > 1 (released code, which has no entropy).

    >>> grades(torch.tensor(0.8), graded=True)
    (tensor(0.2500), tensor(0.))
    """
    if not graded:
        return (ratio < 1).to(ratio.dtype), (ratio > 1).to(ratio.dtype)
    return (1 / ratio - 1).clamp(0, 1), (ratio - 1).clamp(0, 1)


def rebalance_loss(
    logits: Mapping[str, Tensor], labels: Tensor, alpha: float, mu: float, graded: bool = True
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return alpha sum_m w_m CE(z_m, y) - mu sum_m v_m H(z_m), and rho_m.

    Args:
        logits: Prototype logits ``{m: (B, C)}``.
        labels: (B,).
        alpha: Weight of the cross-entropy of the weaker modalities.
        mu: Weight of the entropy of the stronger ones.
        graded: What w_m and v_m are, see :func:`grades`; they are constants.

    >>> logits = {"audio": torch.tensor([[2.0, 0.0]]), "video": torch.zeros(1, 2)}
    >>> loss, ratios = rebalance_loss(logits, torch.tensor([0]), alpha=1.0, mu=0.0)
    >>> loss, ratios
    (tensor(0.5279), {'audio': tensor(1.7616), 'video': tensor(0.5677)})
    """
    constants = {m: z.detach() for m, z in logits.items()}
    ratios = relative_scores(true_class_scores(constants, labels))
    parts = []
    for m, z in logits.items():
        pull, spread = grades(ratios[m], graded)
        parts.append(alpha * pull * prototype_loss(z, labels))
        parts.append(-mu * spread * mean_entropy(z))
    return torch.stack(parts).sum(), ratios


def sample_of_each_class(
    order: NDArray[np.int64], labels: NDArray[np.int64], fraction: float
) -> NDArray[np.int64]:
    """Return, sorted, the first ceil(fraction n_k) rows of each class k in ``order``.

    Args:
        order: Rows of the feature store.
        labels: Labels of all rows of the store.
        fraction: In (0, 1].
    """
    kept = []
    for label in np.unique(labels[order]):
        rows = order[labels[order] == label]
        kept.append(rows[: math.ceil(fraction * len(rows))])
    return np.sort(np.concatenate(kept))


def part_of_batches(
    order: NDArray[np.int64], batch_size: int, fraction: float
) -> NDArray[np.int64]:
    """Return, sorted, the rows of the first so many batches of ``order``, of one at least."""
    batches = math.ceil(len(order) / batch_size)
    count = max(1, math.floor(fraction * batches + 1e-9))
    return np.sort(order[: count * batch_size])


class Pmr(Method[Options]):
    """The plug-in.

    ``released_code`` has terms of full weight and no entropy, prototypes of a part of the batches,
    new ones in the first two epochs, and ends the term.
    """

    def __init__(self, variant: str, options: Options) -> None:
        super().__init__(variant, options)
        self._as_released = variant == "released_code"
        fraction, last = (0.1, RELEASED_EPOCHS) if self._as_released else (1.0, None)
        self._fraction = options.fraction or fraction
        self._last = options.to_epoch or last

    def setup(self, run: Run) -> None:
        """Start without prototypes."""
        super().setup(run)
        self._classes = len(run.data.classes)
        shape = (self._classes, run.model.width)
        modalities = run.model.modalities
        self._prototypes = {m: torch.zeros(shape, device=run.device) for m in modalities}
        self._known = torch.zeros(self._classes, dtype=torch.bool, device=run.device)
        self._alpha = self._mu = 0.0
        names = [f"{what}_{m}" for what in ("weaker", "prototype_score") for m in modalities]
        self._means = Means(names, run.device)

    def on_epoch_start(self, epoch: int) -> Plan:
        """Move the prototypes to where the classes are now."""
        run, options = self.run, self.options
        t = epoch - run.first_epoch + 1
        self._mu = 0.0 if self._as_released or t > options.entropy_epochs else options.mu
        self._alpha = options.alpha if self._last is None or t <= self._last else 0.0
        sums = {m: torch.zeros_like(old) for m, old in self._prototypes.items()}
        counts = torch.zeros(self._classes, device=run.device)
        for output, labels in run.outputs(self._rows(epoch)):
            for m, features in output.features.items():
                total, number = class_sums(features, labels, self._classes)
                sums[m] += total
            counts += number
        found = counts > 0
        # The released code takes them after an epoch, and after its first one anew.
        momentum = 0.0 if self._as_released and t == 2 else options.momentum
        for m, old in self._prototypes.items():
            new = sums[m] / counts.clamp_min(1)[:, None]
            self._prototypes[m] = moved(old, new, self._known, found, momentum)
        self._known = self._known | found
        self._means.clear()
        return Plan()

    def _rows(self, epoch: int) -> NDArray[np.int64]:
        """Return the training samples that the prototypes of this epoch are means of."""
        run = self.run
        train = run.data.splits["train"]
        if self._as_released:
            order = np.random.default_rng((run.seed, epoch)).permutation(train)
            return part_of_batches(order, run.settings.batch_size, self._fraction)
        order = run.data.order(train, (run.seed, epoch)).cpu().numpy()
        return sample_of_each_class(order, run.data.labels, self._fraction)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropy of the fusion plus the rebalancing terms."""
        logits = {
            m: prototype_logits(output.features[m], prototypes, self._known)
            for m, prototypes in self._prototypes.items()
        }
        graded = not self._as_released
        extra, ratios = rebalance_loss(logits, batch.labels, self._alpha, self._mu, graded)
        with torch.no_grad():
            scores = true_class_scores(logits, batch.labels)
            recorded = {f"weaker_{m}": (rho < 1).float() for m, rho in ratios.items()}
            recorded |= {f"prototype_score_{m}": s.mean() for m, s in scores.items()}
            self._means.add(recorded)
        return functional.cross_entropy(output.logits, batch.labels) + extra

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report how often each modality was the weaker one, and its mean prototype score."""
        return self._means.row("mean")

    def state_dict(self) -> dict[str, Any]:
        """Return prototypes, which of them exist, the weights of both terms, and the means."""
        return {
            "prototypes": {m: value.cpu() for m, value in self._prototypes.items()},
            "known": self._known.cpu(),
            "alpha": self._alpha,
            "mu": self._mu,
            "means": self._means.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        device = self.run.device
        self._prototypes = {m: value.to(device) for m, value in state["prototypes"].items()}
        self._known = state["known"].to(device)
        self._alpha, self._mu = state["alpha"], state["mu"]
        self._means.load_state_dict(state["means"])
