"""BSS: s_i = sim_i - l_i, both scaled to [0, 1]; agreement of the modalities minus loss."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.bss import Options
from equipoise.models.multimodal import Output
from equipoise.training.data import Indices
from equipoise.training.run import Run

Scores = NDArray[np.float64]


def agreement(logits: Mapping[str, Tensor]) -> Tensor:
    """Return sim_i (B,), the mean over pairs of modalities of the cosine of their softmax.

    >>> same, other = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 9.0]])
    >>> agreement({"audio": same, "video": same}), agreement({"audio": same, "video": other})
    (tensor([1.]), tensor([0.0002]))
    """
    probabilities = [z.softmax(dim=1) for z in logits.values()]
    pairs = [functional.cosine_similarity(p, q, dim=1) for p, q in combinations(probabilities, 2)]
    return torch.stack(pairs).mean(dim=0)


def losses(output: Output, labels: Tensor, fused: float, head: float) -> Tensor:
    """Return l_i = fused CE(z_i, y_i) + head sum_m CE(z_m,i, y_i), (B,)."""
    total = fused * functional.cross_entropy(output.logits, labels, reduction="none")
    for z in output.modality_logits.values():
        total = total + head * functional.cross_entropy(z, labels, reduction="none")
    return total


def scaled(values: Scores) -> Scores:
    """Return (x - min) / (max - min), (N,); 0 where all are equal.

    >>> scaled(np.array([1.0, 2.0, 5.0]))
    array([0.  , 0.25, 1.  ])
    """
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def scores(similarity: Scores, loss: Scores) -> Scores:
    """Return s_i in [-1, 1], (N,): high for a balanced and easy sample.

    >>> scores(np.array([0.9, 0.5]), np.array([0.2, 1.0]))
    array([ 1., -1.])
    """
    return scaled(similarity) - scaled(loss)


def share(t: int, start: float, grow: int) -> float:
    """Return lambda(t) = min(1, sqrt((1 - start^2) t / grow + start^2)), epochs t from 1.

    >>> [round(share(t, start=0.1, grow=40), 3) for t in (1, 10, 40)]
    [0.186, 0.507, 1.0]
    """
    return min(1.0, math.sqrt((1 - start**2) * t / grow + start**2))


def smoothed(old: Scores | None, new: Scores, beta: float) -> Scores:
    """Return (1 - beta) old + beta new; the first score is taken as it is.

    >>> smoothed(np.array([2.0]), np.array([6.0]), beta=0.25)
    array([3.])
    """
    return new if old is None else (1 - beta) * old + beta * new


def probabilities(score: Scores) -> Scores:
    """Return p_i = exp(s_i) / sum_j exp(s_j), (N,).

    >>> probabilities(np.array([0.0, np.log(3.0)]))
    array([0.25, 0.75])
    """
    weights = np.exp(score - score.max())
    return np.asarray(weights / weights.sum())


def weighted_order(weights: Scores, draw: np.random.Generator) -> Indices:
    """Return all places in the order in which they are drawn by weight, without replacement.

    The smallest of independent exponentials with rates w_i is i with probability w_i / sum w, and
    so on for the others (Efraimidis and Spirakis, 2006).

    >>> weighted_order(np.array([1e-9, 1e9]), np.random.default_rng(0))
    array([1, 0])
    """
    return np.argsort(draw.exponential(size=len(weights)) / weights)


class Bss(Method[Options]):
    """The plug-in: fusion and heads trained together, on samples in a chosen order."""

    heads = "trained"

    def setup(self, run: Run) -> None:
        """Start without scores."""
        super().setup(run)
        self._scores: Scores | None = None

    def on_epoch_start(self, epoch: int) -> Plan:
        """Score the training split when it is time, and choose the epoch's rows."""
        done, options = epoch - self.run.first_epoch, self.options
        train = self.run.data.splits["train"]
        draw = np.random.default_rng((self.run.seed, epoch))
        if self.variant == "heuristic":
            return self._easiest(train, done)
        if self.variant == "released_code":
            self._scores = self._score(train)
            order = weighted_order(self._scores + 1.01, draw)
            return Plan(rows=train[order], ordered=True)
        if done % options.every == 0:
            self._scores = smoothed(self._scores, self._score(train), options.beta)
        assert self._scores is not None  # noqa: S101  epoch 1 is always scored
        return Plan(rows=draw.choice(train, len(train), p=probabilities(self._scores)))

    def _easiest(self, train: Indices, done: int) -> Plan:
        """Return the plan of ``heuristic`` after so many epochs: the most balanced samples."""
        if done < self.options.rank_after:
            return Plan()
        if self._scores is None:
            self._scores = self._score(train)
        t = done - self.options.rank_after + 1
        part = share(t, self.options.start_share, self.options.grow_epochs)
        count = max(2, int(part * len(train)))
        return Plan(rows=train[np.argsort(-self._scores, kind="stable")[:count]])

    @torch.no_grad()
    def _score(self, train: Indices) -> Scores:
        """Return s of the training split in evaluation mode, without augmentation."""
        weights, pieces = (self.options.fused_weight, self.options.head_weight), []
        for output, labels in self.run.outputs(train):
            pair = agreement(output.modality_logits), losses(output, labels, *weights)
            pieces.append(torch.stack(pair))
        similarity, loss = torch.cat(pieces, dim=1).double().cpu().numpy()
        return scores(similarity, loss)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the batch mean of l_i."""
        weights = self.options.fused_weight, self.options.head_weight
        return losses(output, batch.labels, *weights).mean()

    def predict(self, output: Output) -> Output:
        """Return the sum of logits that option ``prediction`` speaks of."""
        parts = {
            "all": [output.logits, *output.modality_logits.values()],
            "heads": [*output.modality_logits.values()],
            "fused": [output.logits],
        }[self.options.prediction]
        return replace(output, logits=torch.stack(parts).sum(dim=0))

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean score of the training split; 0 while there is none."""
        return {"score": 0.0 if self._scores is None else float(self._scores.mean())}

    def state_dict(self) -> dict[str, Any]:
        """Return the scores, in the order of the training split."""
        return {"scores": None if self._scores is None else torch.from_numpy(self._scores)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._scores = None if state["scores"] is None else state["scores"].numpy()
