"""SMV: phi_m,i by Shapley from v(S) = |S| 1[S predicts right]; low ones are trained on again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.coalitions import Coalition, coalitions, shapley
from equipoise.methods.base import Method, Plan
from equipoise.methods.smv import Options
from equipoise.training.data import Indices
from equipoise.training.run import Run

Mask = NDArray[np.bool_]
BOUNDS = (-0.1, 0.4, 1.0)
"""A value below one of them calls for one copy, below two for two."""


def values(right: Mapping[Coalition, Tensor]) -> dict[str, Tensor]:
    """Return phi_m,i, ``{m: (N,)}``; for each sample they add up to M when all together are right.

    >>> audio, video = frozenset({"audio"}), frozenset({"video"})
    >>> right = {audio: torch.tensor([True]), video: torch.tensor([False])}
    >>> values({**right, audio | video: torch.tensor([True])})
    {'audio': tensor([1.5000], dtype=torch.float64), 'video': tensor([0.5000], dtype=torch.float64)}

    Args:
        right: Each set of modalities to whether it predicts the sample right, (N,) bool.
    """
    found = shapley({names: len(names) * hit.double() for names, hit in right.items()})
    # Multiples of 1 / M!, from sums that are not: 0.9999999 is not below 1.
    return {m: phi.round(decimals=6) for m, phi in found.items()}


def copies(phi: Tensor) -> Tensor:
    """Return how often a sample comes again with this modality alone, (N,) int64.

    3 for phi < -0.1, 2 below 0.4, 1 below 1, else 0.

    >>> copies(torch.tensor([-0.5, 0.0, 0.5, 1.0, 1.5]))
    tensor([3, 2, 1, 0, 0])
    """
    return (phi[:, None] < phi.new_tensor(BOUNDS)).sum(dim=1)


def enlarged(rows: Indices, extra: Mapping[str, Indices]) -> tuple[Indices, dict[str, Mask]]:
    """Return ``rows`` and then the rows of ``extra``, and which modalities each entry keeps.

    >>> extra = {"audio": np.array([7]), "video": np.array([], dtype=int)}
    >>> enlarged(np.array([3, 7]), extra)[0]
    array([3, 7, 7])

    Args:
        rows: With all modalities.
        extra: Modality to the rows that keep it alone.
    """
    whole = np.full(len(rows), True)
    kept = {
        m: np.concatenate([whole, *(np.full(len(added), k == m) for k, added in extra.items())])
        for m in extra
    }
    return np.concatenate([rows, *extra.values()]), kept


def amount(means: Mapping[str, float], alpha: float, count: int) -> tuple[str, int]:
    """Return the modality of the least mean value, and how many of ``count`` samples to add.

    alpha 2/3 (largest - smallest mean) count, rounded down.

    >>> amount({"audio": 0.9, "video": 0.3}, alpha=1.0, count=1000)
    ('video', 400)
    """
    weakest = min(means, key=lambda m: means[m])
    share = alpha * 2 / 3 * (max(means.values()) - means[weakest])
    return weakest, int(share * count + 1e-6)


class Smv(Method[Options]):
    """The plug-in: joint training on more entries than there are samples."""

    def setup(self, run: Run) -> None:
        """Start without values."""
        super().setup(run)
        self._report = {f"copies_{m}": 0.0 for m in run.model.modalities}
        self._report |= {f"value_{m}": 1.0 for m in run.model.modalities}

    def on_epoch_start(self, epoch: int) -> Plan:
        """Value the training split, or a part of it, and plan the epoch's entries."""
        if epoch - self.run.first_epoch < self.options.warmup_epochs:
            return Plan()
        train = self.run.data.splits["train"]
        draw = np.random.default_rng((self.run.seed, epoch))
        level = self._by_sample if self.variant == "sample_level" else self._by_modality
        extra = level(train, draw)
        self._report |= {f"copies_{m}": float(len(rows)) for m, rows in extra.items()}
        rows, keep = enlarged(train, extra)
        return Plan(rows=rows, keep=keep)

    def _by_sample(self, train: Indices, _: np.random.Generator) -> dict[str, Indices]:
        """Return each modality's copies: as many of each sample as its value calls for."""
        found = self._value(train)
        return {m: np.repeat(train, copies(phi).numpy()) for m, phi in found.items()}

    def _by_modality(self, train: Indices, draw: np.random.Generator) -> dict[str, Indices]:
        """Return samples drawn at random for the modality of the least mean value."""
        part = draw.choice(train, max(1, int(self.options.part_ratio * len(train))))
        means = {m: float(phi.mean()) for m, phi in self._value(part).items()}
        weakest, count = amount(means, self.options.alpha, len(train))
        added = draw.choice(train, count)
        return {m: added if m == weakest else added[:0] for m in means}

    @torch.no_grad()
    def _value(self, rows: Indices) -> dict[str, Tensor]:
        """Return phi of ``rows`` in evaluation mode, without augmentation, on the CPU."""
        subsets = coalitions(self.model.modalities)
        pieces: dict[Coalition, list[Tensor]] = {names: [] for names in subsets}
        for output, labels in self.run.outputs(rows):
            for names in subsets:
                present = {m: output.features[m] for m in self.model.modalities if m in names}
                predicted = self.model.classify(present).logits.argmax(dim=1)
                pieces[names].append(predicted == labels)
        found = values({names: torch.cat(hits).cpu() for names, hits in pieces.items()})
        self._report |= {f"value_{m}": float(phi.mean()) for m, phi in found.items()}
        return found

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report each modality's number of copies and mean value; 0 and 1 before the first."""
        return self._report

    def state_dict(self) -> dict[str, Any]:
        """Return the report of this epoch; the loop saves its entries."""
        return {"report": self._report}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._report = state["report"]
