"""AGM: g_m <- g_m exp(alpha min(r*_m - r_m, cap)), from Shapley-style unimodal outputs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.coalitions import Coalition, coalitions, shapley
from equipoise.methods.agm import Options
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.modulation import Means, scale_gradients
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.training.run import Run

LEAST = math.log(1e-8)
"""A log-probability counts as no lower than this, so that r stays finite."""


def coalition_logits(
    model: MultimodalClassifier, features: Mapping[str, Tensor]
) -> dict[Coalition, Tensor]:
    """Return F(S) (B, C) of each subset S: the fused logits with other features set to zero."""
    found = {}
    for present in coalitions(list(features)):
        kept = {m: h if m in present else torch.zeros_like(h) for m, h in features.items()}
        found[present] = model.classify(kept).logits
    return found


def mean_log_probability(logits: Tensor, labels: Tensor) -> Tensor:
    """Return s = mean_i log max(softmax(phi_i)[y_i], 1e-8), a scalar: the higher, the better.

    >>> mean_log_probability(torch.zeros(3, 2), torch.tensor([0, 1, 0]))
    tensor(-0.6931)
    """
    picked = logits.log_softmax(dim=1).gather(1, labels[:, None])
    return picked.clamp_min(LEAST).mean()


def discrepancies(scores: Tensor) -> Tensor:
    """Return r_m = exp(M / (M - 1) (s_m - mean s)), from scores (M,); for two, exp(s_a - s_v).

    >>> discrepancies(torch.tensor([-0.5, -1.5]))
    tensor([2.7183, 0.3679])
    """
    count = len(scores)
    return torch.exp(count / (count - 1) * (scores - scores.mean()))


def coefficients(ratio: Tensor, target: Tensor, alpha: float, cap: float) -> Tensor:
    """Return exp(alpha min(r* - r, cap)) (M,): below 1 for a modality ahead of its target.

    >>> coefficients(torch.tensor([1.5, 0.5]), torch.ones(2), alpha=1.0, cap=7.0)
    tensor([0.6065, 1.6487])
    """
    return torch.exp(alpha * (target - ratio).clamp_max(cap))


def scaled_sum(shares: Mapping[str, Tensor], factors: Tensor) -> Tensor:
    """Return sum_m phi_m (B, C), whose gradient reaches phi_m multiplied by factor m of (M,).

    >>> shares = {"audio": torch.ones(1, 2, requires_grad=True), "video": torch.ones(1, 2)}
    >>> scaled_sum(shares, torch.tensor([0.5, 2.0])).sum().backward()
    >>> shares["audio"].grad
    tensor([[0.5000, 0.5000]])
    """
    parts = [
        k * share + (1 - k) * share.detach()
        for share, k in zip(shares.values(), factors, strict=True)
    ]
    return torch.stack(parts).sum(dim=0)


def clip_where_large(parameters: Sequence[Tensor], judged: Sequence[Tensor], most: float) -> None:
    """Shorten all gradients together to ``most`` if an element of those judged is larger than it.

    In place, without waiting for the device.
    """
    large = torch.stack([p.grad.abs().amax() for p in judged if p.grad is not None]).amax() > most
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    factor = torch.where(large, (most / (norm + 1e-6)).clamp_max(1.0), torch.ones_like(norm))
    for gradient in gradients:
        gradient.mul_(factor)


class Agm(Method[Options]):
    """The plug-in.

    ``shapley`` scales the gradient of each encoder; ``output`` that of each share of the output, as
    the authors' program does, so that the fusion's part in a modality is scaled with its encoder.
    """

    def __init__(self, variant: str, options: Options) -> None:
        super().__init__(variant, options)
        self._on_output = variant == "output"
        most = 1.0 if self._on_output else 5.0
        self._most = most if options.clip is None else options.clip

    def setup(self, run: Run) -> None:
        """Start without a target."""
        super().setup(run)
        modalities = run.model.modalities
        self._target = torch.zeros(len(modalities), device=run.device)
        self._steps = 0
        names = [f"{what}_{m}" for what in ("coefficient", "score") for m in modalities]
        self._means = Means(names, run.device)
        groups = run.model.groups()
        encoders = [p for ps in groups.encoders.values() for p in ps]
        self._clipped = [*encoders, *groups.fusion]
        self._judged = [p for p in groups.fusion if p.dim() > 1]

    def on_epoch_start(self, epoch: int) -> Plan:
        """Start the means of the epoch; the target goes on."""
        self._means.clear()
        return Plan()

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropy of the fusion; ``output``: with its shares' gradients scaled."""
        if not self._on_output:
            return super().loss(output, batch)
        shares = shapley(coalition_logits(self.model, output.features))
        factors = self._factors(shares, batch.labels)
        ordered = {m: shares[m] for m in self.model.modalities}
        return functional.cross_entropy(scaled_sum(ordered, factors), batch.labels)

    @torch.no_grad()
    def _factors(self, shares: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Return the coefficients (M,) of this step, and move the target."""
        modalities = self.model.modalities
        scores = torch.stack([mean_log_probability(shares[m], labels) for m in modalities])
        target = discrepancies(self._target)  # of the steps before; 1 at the first
        self._steps += 1
        self._target = self._target + (scores - self._target) / self._steps
        factors = coefficients(discrepancies(scores), target, self.options.alpha, self.options.cap)
        recorded = {f"coefficient_{m}": k for m, k in zip(modalities, factors, strict=True)}
        recorded |= {f"score_{m}": s for m, s in zip(modalities, scores, strict=True)}
        self._means.add(recorded)
        return factors

    @torch.no_grad()
    def after_backward(self, output: Output, batch: Batch) -> None:
        """Scale the encoders' gradients, unless the loss has, then limit the length of all."""
        if not self._on_output:
            shares = shapley(coalition_logits(self.model, output.features))
            factors = self._factors(shares, batch.labels)
            for m, factor in zip(self.model.modalities, factors, strict=True):
                scale_gradients(self.model.groups().encoders[m], factor)
        if not self._most:
            return
        if not self._on_output:
            nn.utils.clip_grad_norm_(self._clipped, self._most)
        elif self._judged:
            clip_where_large(self._clipped, self._judged, self._most)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean coefficient and the mean score of each modality."""
        return self._means.row("mean")

    def state_dict(self) -> dict[str, Any]:
        """Return the running scores with their number of steps, and the means of the epoch."""
        means = self._means.state_dict()
        return {"target": self._target.cpu(), "steps": self._steps, "means": means}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._target, self._steps = state["target"].to(self.run.device), state["steps"]
        self._means.load_state_dict(state["means"])
