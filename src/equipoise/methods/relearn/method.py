"""Diagnosing & Re-learning: theta <- (1 - alpha) theta + alpha theta_initial for each encoder."""

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from equipoise.console import log
from equipoise.errors import UserError
from equipoise.methods.base import Method, Plan
from equipoise.methods.relearn import Options
from equipoise.training.run import Run


def purity(features: NDArray[np.float32], labels: NDArray[np.int64], clusters: int) -> float:
    """Return the share of samples that carry the commonest label of their cluster, in (0, 1].

    Every feature is scaled to [-1, 1] over the given samples; k-means finds the clusters.

    Args:
        features: (N, D), N at least ``clusters``.
        labels: (N,).
        clusters: How many to find.

    >>> features = np.array([[0, 0], [0, 1], [9, 9], [9, 8]], np.float32)
    >>> purity(features, np.array([0, 0, 1, 1]), clusters=2)
    1.0
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.preprocessing import MinMaxScaler

    scaled = MinMaxScaler((-1, 1)).fit_transform(features.astype(np.float64))
    with warnings.catch_warnings():
        # Fewer distinct points than clusters (an encoder that has died): purity is still defined.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(clusters, n_init=10, random_state=0).fit_predict(scaled)
    table = np.zeros((clusters, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(table, (found, labels), 1)
    return float(table.max(axis=1).sum()) / len(labels)


def strength_of(train: float, val: float, factor: float) -> float:
    """Return alpha = tanh(lambda |P_D - P_V|), in [0, 1].

    >>> round(strength_of(0.9, 0.7, factor=3.0), 3)
    0.537
    """
    return math.tanh(factor * abs(train - val))


def is_due(finished: int, every: int, times: int) -> bool:
    """Say whether encoders are re-initialised after so many finished epochs."""
    return finished > 0 and finished % every == 0 and finished // every <= times


@torch.no_grad()
def blend(current: Iterable[Tensor], initial: Iterable[Tensor], alpha: float) -> None:
    """Change ``current`` in place to (1 - alpha) current + alpha initial.

    >>> weight = torch.tensor([1.0])
    >>> blend([weight], [torch.tensor([3.0])], alpha=0.25)
    >>> weight
    tensor([1.5000])
    """
    for now, start in zip(current, initial, strict=True):
        now.lerp_(start, alpha)


class Relearn(Method[Options]):
    """The plug-in: plain joint training with a diagnosis between two epochs.

    The diagnosis stands at the start of an epoch, not at the end of the one before: the weights
    selected after an epoch are those that were evaluated.
    """

    def setup(self, run: Run) -> None:
        """Keep the initial weights.

        Raises:
            UserError: A split has fewer samples than there are classes.
        """
        super().setup(run)
        classes = len(run.data.classes)
        for subset in ("train", "val"):
            if len(run.data.splits[subset]) < classes:
                raise UserError(
                    f"relearn: split {subset!r} has {len(run.data.splits[subset])} samples for "
                    f"{classes} clusters, one for each class; change the split settings"
                )
        self._initial = {
            m: [value.detach().clone() for value in values] for m, values in self._values().items()
        }
        self._alphas = dict.fromkeys(run.data.modalities, 0.0)

    def _values(self) -> dict[str, list[Tensor]]:
        """Return what is re-initialised in each encoder: parameters, then statistics if wanted."""
        values: dict[str, list[Tensor]] = {}
        for m, parameters in self.model.groups().encoders.items():
            values[m] = list(parameters)
            if self.options.reset_bn_stats:
                values[m] += _statistics(self.model.encoders[m])
        return values

    def on_epoch_start(self, epoch: int) -> Plan:
        """Diagnose and re-initialise when it is time."""
        # The released code counts finished epochs from 0 and so acts one epoch later.
        finished = epoch - self.run.first_epoch - (self.variant == "released_code")
        self._alphas = dict.fromkeys(self._alphas, 0.0)
        if is_due(finished, self.options.every, self.options.times):
            self._alphas = self._diagnose()
            self._relearn()
        return Plan()

    def _diagnose(self) -> dict[str, float]:
        """Return alpha of each modality, from features in evaluation mode."""
        data = self.run.data
        purities: dict[str, list[float]] = {m: [] for m in data.modalities}
        for subset in ("train", "val"):
            rows = data.splits[subset]
            features = self.run.collect(rows).features
            for m, found in purities.items():
                found.append(purity(features[m], data.labels[rows], len(data.classes)))
        alphas = {}
        for m, (train, val) in purities.items():
            log.info("relearn: purity of %s: train %.3f, val %.3f", m, train, val)
            alphas[m] = strength_of(train, val, self.options.strength)
        return alphas

    def _relearn(self) -> None:
        for m, values in self._values().items():
            blend(values, self._initial[m], self._alphas[m])
        if self.options.reset_momentum:
            for parameters in self.model.groups().encoders.values():
                for parameter in parameters:
                    self.run.optimizer.state.pop(parameter, None)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report how far each encoder was pulled back before this epoch; 0: it was not."""
        return {f"alpha_{m}": alpha for m, alpha in self._alphas.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the initial weights and the strengths of this epoch."""
        initial = {m: [value.cpu() for value in values] for m, values in self._initial.items()}
        return {"initial": initial, "alphas": self._alphas}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._alphas = state["alphas"]
        self._initial = {
            m: [value.to(self.run.device) for value in values]
            for m, values in state["initial"].items()
        }


def _statistics(encoder: torch.nn.Module) -> list[Tensor]:
    """Return the running means and variances of an encoder."""
    found: list[Tensor] = []
    for module in encoder.modules():
        if isinstance(module, _BatchNorm):
            found += [v for v in (module.running_mean, module.running_var) if v is not None]
    return found
