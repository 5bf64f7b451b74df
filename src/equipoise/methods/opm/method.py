"""OPM: the fusion sees h_m of a sample with probability 1 - q_m, q_m by the advantage of m."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.gap.scores import check_scores, true_class_scores, unimodal_logits
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.modulation import Means
from equipoise.methods.opm import Options
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

OptionsT = TypeVar("OptionsT", bound=Options)


def advantages(scores: Mapping[str, Tensor]) -> Tensor:
    """Return rho_m = 1/(M-1) sum over m' != m of S_m / S_m', (M,), in the order of ``scores``.

    >>> scores = {"audio": torch.tensor([0.9, 0.6]), "video": torch.tensor([0.2, 0.3])}
    >>> advantages(scores)
    tensor([3.0000, 0.3333])

    Args:
        scores: Modality to the positive scores of its samples (B,); S_m is their sum.
    """
    sums = torch.stack([value.sum() for value in scores.values()])
    ratios = sums[:, None] / sums.clamp_min(torch.finfo(sums.dtype).tiny)
    return (ratios.sum(dim=1) - 1) / (len(sums) - 1)  # each row holds S_m / S_m = 1


def drop_rates(ratios: Tensor, base: float, strength: float) -> Tensor:
    """Return q_m = base (1 + strength tanh(rho_m - 1)) where rho_m > 1, else 0; at most 1; (M,).

    >>> drop_rates(torch.tensor([2.0, 0.5]), base=0.5, strength=0.5)
    tensor([0.6904, 0.0000])
    """
    rates = base * (1 + strength * torch.tanh(ratios - 1))
    return torch.where(ratios > 1, rates, torch.zeros_like(rates)).clamp(0, 1)


def drawn(rates: Tensor, count: int) -> Tensor:
    """Return k (M, B) bool, true with probability 1 - q_m; from torch's generator of the device.

    >>> drawn(torch.tensor([1.0, 0.0]), count=2)
    tensor([[False, False],
            [ True,  True]])
    """
    return torch.rand(len(rates), count, device=rates.device) >= rates[:, None]


def rescale(rates: Tensor) -> Tensor:
    """Return 1 / (1 - theta), theta the mean of q over modalities of equal width; a scalar.

    >>> rescale(torch.tensor([0.6, 0.0]))
    tensor(1.4286)
    """
    return 1 / (1 - rates.mean()).clamp_min(torch.finfo(rates.dtype).tiny)


def mean_of_kept(losses: Tensor, keep: Tensor) -> Tensor:
    """Return the mean of the losses (B,) of samples that keep a modality; 0 when none does.

    >>> keep = torch.tensor([[True, False], [False, False]])
    >>> mean_of_kept(torch.tensor([1.0, 9.0]), keep)
    tensor(1.)

    Args:
        losses: One for each sample.
        keep: (M, B).
    """
    alive = keep.any(dim=0)
    return (losses * alive).sum() / alive.sum().clamp_min(1)


class Dropping(Method[OptionsT], Generic[OptionsT]):
    """What OPM and its control share: whole feature vectors are dropped before the fusion."""

    def setup(self, run: Run) -> None:
        """Start with nothing dropped.

        Raises:
            UserError: Scores ``split`` of a fusion that is not a sum over modalities.
        """
        super().setup(run)
        self.expect_scores()
        self._previous = torch.zeros(len(run.model.modalities), device=run.device)
        self._means = Means(run.model.modalities, run.device)
        self._active = False

    def on_epoch_start(self, epoch: int) -> Plan:
        """Find out whether this epoch has dropping."""
        self._active = epoch - self.run.first_epoch + 1 >= self.options.from_epoch
        self._means.clear()
        return Plan()

    def expect_scores(self) -> None:
        """Refuse scores that :meth:`rates` would read and the fusion does not give."""
        check_scores(self.run.model, self.options.scores, self.run.device)

    def rates(self, output: Output, labels: Tensor) -> Tensor:
        """Return the drop rates (M,) that this batch calls for."""
        logits = unimodal_logits(self.model, output.features, self.options.scores)
        ratios = advantages(true_class_scores(logits, labels))
        return drop_rates(ratios, self.options.q_base, self.options.lam)

    def _applied(self, found: Tensor) -> Tensor | None:
        """Return the rates of this batch: ``paper``: those of the one before; None: no dropping."""
        if self.variant != "released_code":
            applied, self._previous = self._previous, found
            return applied
        return found if float(torch.rand(())) < self.options.p_exe else None

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropy of what the fusion makes of the features that are left."""
        if not self._active:
            return functional.cross_entropy(output.logits, batch.labels)
        with torch.no_grad():
            rates = self._applied(self.rates(output, batch.labels))
        shown = torch.zeros_like(self._previous) if rates is None else rates
        self._means.add(dict(zip(self.model.modalities, shown, strict=True)))
        if rates is None:
            return functional.cross_entropy(output.logits, batch.labels)
        keep = drawn(rates, len(batch.labels))
        factors = keep * rescale(rates) if self.variant == "released_code" else keep
        pairs = zip(output.features.items(), factors, strict=True)
        with self.run.autocast():
            left = self.model.classify({m: h * factor[:, None] for (m, h), factor in pairs})
        losses = functional.cross_entropy(left.logits, batch.labels, reduction="none")
        return mean_of_kept(losses, keep)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean rate at which each modality was dropped; 0 before ``from_epoch``."""
        nothing = {f"rate_{m}": 0.0 for m in self.model.modalities}
        return nothing | self._means.row("rate")

    def state_dict(self) -> dict[str, Any]:
        """Return the rates of the last batch, the means, and whether the epoch has dropping."""
        means = self._means.state_dict()
        return {"previous": self._previous.cpu(), "means": means, "active": self._active}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._previous = state["previous"].to(self.run.device)
        self._active = state["active"]
        self._means.load_state_dict(state["means"])


class Opm(Dropping[Options]):
    """The plug-in."""
