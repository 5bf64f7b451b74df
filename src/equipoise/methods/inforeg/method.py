"""InfoReg: g_m += alpha_m (theta_m - theta_m at the start of the epoch), within a window."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.alone import own_logits
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.inforeg import Options
from equipoise.methods.inforeg.regulation import (
    batch_score,
    growth,
    leads,
    mean_squares,
    pull,
    smoothed_growth,
    squared_length,
)
from equipoise.methods.modulation import Means
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


class Inforeg(Method[Options]):
    """The plug-in."""

    _open: dict[str, bool]
    _anchors: dict[str, list[Tensor]]

    def setup(self, run: Run) -> None:
        """Start without traces."""
        super().setup(run)
        self._as_released = self.variant == "released_code"
        default = 0.05 if self._as_released else 0.04
        given = self.options.threshold
        self._threshold = default if given is None else given
        self._traces: dict[str, list[float]] = {m: [] for m in run.model.modalities}
        self._means = Means(run.model.modalities, run.device)
        self._clear()

    def _clear(self) -> None:
        count = len(self.model.modalities)
        self._squares = torch.zeros(count, dtype=torch.float64, device=self.run.device)
        self._steps = 0
        self._means.clear()

    def on_epoch_start(self, epoch: int) -> Plan:
        """Remember the encoders as they are now and decide whose window is open."""
        encoders = self.model.groups().encoders
        self._anchors = {m: [p.detach().clone() for p in ps] for m, ps in encoders.items()}
        self._open = {m: self._window(m) for m in encoders}
        self._clear()
        return Plan()

    def _window(self, modality: str) -> bool:
        if self._as_released:  # the traces of its audio stand for both modalities
            return smoothed_growth(self._traces[self.model.modalities[0]]) > self._threshold
        traces = self._traces[modality]
        return len(traces) > 1 and growth(traces) > self._threshold

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the joint loss, with the unimodal ones where they are asked for."""
        loss = functional.cross_entropy(output.logits, batch.labels)
        if self.options.unimodal_loss or self._as_released:
            alone = own_logits(self.model, output.features)
            losses = [functional.cross_entropy(z, batch.labels) for z in alone.values()]
            loss = loss + torch.stack(losses).sum()
        return loss

    @torch.no_grad()
    def after_backward(self, output: Output, batch: Batch) -> None:
        """Hold leading encoders back; add this step to the traces."""
        encoders = self.model.groups().encoders
        if not self._as_released:
            self._squares += torch.stack([squared_length(ps) for ps in encoders.values()])
        strengths = self._strengths(output, batch)
        for m, parameters in encoders.items():
            if self._open[m]:
                pull(parameters, self._anchors[m], strengths[m])
        if self._as_released:  # the pull included
            self._squares += torch.stack([mean_squares(ps) for ps in encoders.values()])
        self._steps += 1
        self._means.add({m: s * float(self._open[m]) for m, s in strengths.items()})

    def _strengths(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return alpha_m, ``{m: scalar}``; 0 for a modality that is ahead of none."""
        score = "total_probability" if self._as_released else self.options.score
        logits = own_logits(self.model, output.features)
        ahead = leads({m: batch_score(z, batch.labels, score) for m, z in logits.items()})
        first, options = self.model.modalities[0], self.options
        found = {}
        for m, lead in ahead.items():
            if self._as_released:
                factor = options.first_strength if m == first else options.other_strength
                strength = factor * torch.exp(torch.tanh(lead))
            else:
                strength = torch.exp(options.beta * torch.tanh(lead))
            found[m] = torch.where(lead > 0, strength, torch.zeros_like(strength))
        return found

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the trace and the mean strength of each modality; keep the trace."""
        divisor = 1 if self._as_released else self._steps
        traces = (self._squares / divisor).tolist()
        report = self._means.row("strength")
        for m, trace in zip(self.model.modalities, traces, strict=True):
            self._traces[m].append(trace)
            report[f"trace_{m}"] = trace
        return report

    def state_dict(self) -> dict[str, Any]:
        """Return anchors, windows and traces, and what the epoch has summed so far."""
        return {
            "anchors": {m: [a.cpu() for a in anchors] for m, anchors in self._anchors.items()},
            "open": self._open,
            "traces": self._traces,
            "squares": self._squares.cpu(),
            "steps": self._steps,
            "means": self._means.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        device = self.run.device
        self._anchors = {m: [a.to(device) for a in ps] for m, ps in state["anchors"].items()}
        self._open, self._traces = state["open"], state["traces"]
        self._squares, self._steps = state["squares"].to(device), state["steps"]
        self._means.load_state_dict(state["means"])
