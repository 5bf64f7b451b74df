"""AGM: g_m <- g_m exp(alpha min(r*_m - r_m, cap)), from Shapley-style unimodal outputs."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

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
    """Return s = mean_i log max(softmax(phi_i)[y_i], 1e-8), a scalar: the higher, the better."""
    picked = logits.log_softmax(dim=1).gather(1, labels[:, None])
    return picked.clamp_min(LEAST).mean()


def discrepancies(scores: Tensor) -> Tensor:
    """Return r_m = exp(M / (M - 1) (s_m - mean s)), from scores (M,); for two, exp(s_a - s_v)."""
    count = len(scores)
    return torch.exp(count / (count - 1) * (scores - scores.mean()))


def coefficients(ratio: Tensor, target: Tensor, alpha: float, cap: float) -> Tensor:
    """Return exp(alpha min(r* - r, cap)) (M,): below 1 for a modality ahead of its target."""
    return torch.exp(alpha * (target - ratio).clamp_max(cap))


class Agm(Method[Options]):
    """The plug-in."""

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

    def on_epoch_start(self, epoch: int) -> Plan:
        """Start the means of the epoch; the target goes on."""
        self._means.clear()
        return Plan()

    @torch.no_grad()
    def after_backward(self, output: Output, batch: Batch) -> None:
        """Scale the encoders' gradients, then limit the length of all."""
        modalities = self.model.modalities
        shares = shapley(coalition_logits(self.model, output.features))
        scores = torch.stack([mean_log_probability(shares[m], batch.labels) for m in modalities])
        target = discrepancies(self._target)  # of the steps before; 1 at the first
        self._steps += 1
        self._target = self._target + (scores - self._target) / self._steps
        factors = coefficients(discrepancies(scores), target, self.options.alpha, self.options.cap)
        for m, factor in zip(modalities, factors, strict=True):
            scale_gradients(self.model.groups().encoders[m], factor)
        if self.options.clip is not None:
            nn.utils.clip_grad_norm_(self._clipped, self.options.clip)
        recorded = {f"coefficient_{m}": k for m, k in zip(modalities, factors, strict=True)}
        recorded |= {f"score_{m}": s for m, s in zip(modalities, scores, strict=True)}
        self._means.add(recorded)

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
