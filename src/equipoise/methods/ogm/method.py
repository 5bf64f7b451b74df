"""OGM-GE: g_m <- k_m g_m + noise with k_m = 1 - tanh(alpha rho_m) for the dominant modality."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.gap.scores import check_scores, true_class_scores, unimodal_logits
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.modulation import Means, relative_scores, scale_gradients
from equipoise.methods.ogm import Options
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

DIMENSIONS = {"all": (0, None), "weights": (2, None), "conv": (4, 4)}
"""Option ``parameters`` to fewest and most dimensions of a parameter that is modulated."""


def coefficients(ratios: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Return k_m = 1 - tanh(alpha relu(rho_m)) where rho_m > 1, else 1; scalars in (0, 1].

    >>> ratios = {"audio": torch.tensor(2.0), "video": torch.tensor(0.5)}
    >>> coefficients(ratios, alpha=0.8)
    {'audio': tensor(0.0783), 'video': tensor(1.)}
    """
    return {
        m: torch.where(rho > 1, 1 - torch.tanh(alpha * rho.relu()), torch.ones_like(rho))
        for m, rho in ratios.items()
    }


def chosen(parameters: Iterable[nn.Parameter], which: str) -> list[nn.Parameter]:
    """Return the parameters that option ``parameters`` speaks of."""
    fewest, most = DIMENSIONS[which]
    return [p for p in parameters if fewest <= p.dim() and (most is None or p.dim() <= most)]


def deviations(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """Return the standard deviation of each gradient's elements, unbiased; 0 for one element.

    >>> weight = nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.tensor([1.0, 3.0])
    >>> deviations([weight])
    [tensor(1.4142)]
    """
    return [
        p.grad.std() if p.grad.numel() > 1 else torch.zeros_like(p.grad).sum()
        for p in parameters
        if p.grad is not None
    ]


def add_noise(parameters: Iterable[nn.Parameter], deviation: Iterable[Tensor]) -> None:
    """Add N(0, deviation^2) to each gradient, in place; from torch's generator of the device.

    >>> weight = nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.tensor([1.0, 3.0])
    >>> add_noise([weight], [torch.tensor(0.0)])
    >>> weight.grad
    tensor([1., 3.])
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    for gradient, std in zip(gradients, deviation, strict=True):
        gradient.addcmul_(torch.randn_like(gradient), std)


class Ogm(Method[Options]):
    """The plug-in; variant ``ogm_ge`` adds the noise, ``ogm`` does not."""

    def setup(self, run: Run) -> None:
        """Choose the parameters to modulate.

        Raises:
            UserError: Scores ``split`` of a fusion that is not a sum over modalities.
        """
        super().setup(run)
        check_scores(run.model, self.options.scores, run.device)
        encoders = run.model.groups().encoders
        self._chosen = {m: chosen(ps, self.options.parameters) for m, ps in encoders.items()}
        self._means = Means(run.model.modalities, run.device)
        self._active = False

    def on_epoch_start(self, epoch: int) -> Plan:
        """Find out whether this epoch has modulation."""
        t, last = epoch - self.run.first_epoch + 1, self.options.to_epoch
        self._active = self.options.from_epoch <= t and (last is None or t <= last)
        self._means.clear()
        return Plan()

    @torch.no_grad()
    def after_backward(self, output: Output, batch: Batch) -> None:
        """Scale the encoders' gradients and add the noise."""
        if not self._active:
            return
        logits = unimodal_logits(self.model, output.features, self.options.scores)
        ratios = relative_scores(true_class_scores(logits, batch.labels))
        factors = coefficients(ratios, self.options.alpha)
        for m, parameters in self._chosen.items():
            # The noise has the deviation of the gradient before it is scaled.
            noise = deviations(parameters) if self.variant == "ogm_ge" else None
            scale_gradients(parameters, factors[m])
            if noise is not None:
                add_noise(parameters, noise)
        self._means.add(factors)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean coefficient of each modality; 1 without modulation."""
        nothing = {f"coefficient_{m}": 1.0 for m in self.model.modalities}
        return nothing | self._means.row("coefficient")

    def state_dict(self) -> dict[str, Any]:
        """Return whether the epoch has modulation, and the means so far."""
        return {"active": self._active, "means": self._means.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._active = state["active"]
        self._means.load_state_dict(state["means"])
