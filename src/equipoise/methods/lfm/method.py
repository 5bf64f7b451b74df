"""LFM: L = (1 - alpha) L_CLS + alpha L_MM (paper, Eq. 1)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equipoise.errors import UserError
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.lfm import Options
from equipoise.methods.lfm.alignment import infonce, jensen_shannon, matching_loss
from equipoise.methods.lfm.bilevel import (
    Product,
    Vector,
    conjugate_gradient,
    hyper_gradient,
    neumann_series,
    released_signal,
    twice_differentiable,
)
from equipoise.methods.lfm.schedules import alpha, fitted
from equipoise.models.multimodal import Output
from equipoise.training.data import Indices
from equipoise.training.run import Run
from equipoise.training.shares import unshared

LOWEST, HIGHEST = 0.05, 0.95
"""Limits of the weight in the released code."""
HALVED_EVERY = 20
"""Epochs after which the released code halves the step size of the weight."""


class Lfm(Method[Options]):
    """The plug-in.

    ``heuristic`` sets alpha by a schedule; ``learned`` descends the outer loss every
    ``inner_steps`` steps. ``released_code`` is the program ``Crema_epoch_learnable.py``, which
    moves alpha once an epoch by its shortcut, ``released_polynomial`` is ``Crema_epoch.py``.
    """

    def __init__(self, variant: str, options: Options) -> None:
        super().__init__(variant, options)
        self._as_released = variant.startswith("released")
        self._learns = variant in ("learned", "released_code")
        kind = options.alignment or ("js_swapped" if self._as_released else "infonce")
        self._divergence: Callable[[Tensor, Tensor], Tensor] = (
            partial(infonce, tau=options.tau)
            if kind == "infonce"
            else partial(jensen_shannon, swapped=kind == "js_swapped")
        )
        self._on_heads = kind != "infonce"
        self.heads = "trained" if self._on_heads else "probe"
        rate = 1e-4 if self._as_released else 0.05
        self._rate = rate if options.alpha_rate is None else options.alpha_rate

    def fusion(self, default: str) -> str:
        """Return ``late``, which has no weights, where the mean of the heads' logits predicts."""
        return "late" if self._on_heads else default

    def setup(self, run: Run) -> None:
        """Start with nothing aligned; hold training samples out for the outer loss.

        Raises:
            UserError: Fewer than two samples are left to train on.
        """
        super().setup(run)
        self._alpha: float | Tensor = self.options.alpha_start
        self._updates = self._since = 0
        self._inner, self._outer = None, run.data.splits["val"]
        if self._learns and self.options.outer == "held_out":
            self._inner, self._outer = self._hold_out(run)
        self._clear()

    def _hold_out(self, run: Run) -> tuple[Indices, Indices]:
        train = run.data.splits["train"]
        count = self.options.held_out or (16 if self._as_released else max(2, len(train) // 10))
        if len(train) - count < 2:
            raise UserError(
                f"lfm: held_out ({count}) leaves fewer than 2 of {len(train)} training samples; "
                "lower it or set outer: validation"
            )
        order = np.random.default_rng(run.seed).permutation(train)
        return np.sort(order[count:]), order[:count]

    def _clear(self) -> None:
        self._sum = torch.zeros((), dtype=torch.float64, device=self.run.device)
        self._steps = 0

    def on_epoch_start(self, epoch: int) -> Plan:
        """Set alpha of the epoch."""
        run, options = self.run, self.options
        t, epochs = epoch - run.first_epoch + 1, run.last_epoch - run.first_epoch + 1
        if not self._learns:
            scheduled = alpha(options.schedule, t, epochs, options.level)
            self._alpha = fitted(t) if self._as_released else scheduled
        elif self._as_released:
            # Its model is still in training mode when it is new, then in that of its evaluation.
            with self._new() if t == 1 else self._frozen_statistics():
                self._move_as_released(self._rate * 0.5 ** ((t - 1) // HALVED_EVERY))
        self._clear()
        return Plan(rows=self._inner)

    def _fused(self, output: Output) -> Tensor:
        """Return the logits (B, C) that classify: the fusion's, or the mean of the heads'."""
        if not self._on_heads:
            return output.logits
        return torch.stack(list(output.modality_logits.values())).mean(dim=0)

    def _classification(self, output: Output, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self._fused(output), labels)

    def _matching(self, output: Output) -> Tensor:
        values = output.modality_logits if self._on_heads else output.features
        return matching_loss(values, self._divergence)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return (1 - alpha) L_CLS + alpha L_MM; twice that in the released programs."""
        classification = self._classification(output, batch.labels)
        matching = self._matching(output)
        self._sum += matching.detach()
        self._steps += 1
        total = (1 - self._alpha) * classification + self._alpha * matching
        return 2 * total if self._as_released else total

    def train_step(self, batch: Batch) -> tuple[Output, Tensor]:
        """Do a step of the inner problem and, when it is time, one of alpha."""
        done = super().train_step(batch)
        if self.variant == "learned":
            self._since += 1
            if self._since >= self.options.inner_steps:
                self._since = 0
                self._learn(batch)
        return done

    def predict(self, output: Output) -> Output:
        """Return the output with the logits that classify."""
        return replace(output, logits=self._fused(output))

    @contextmanager
    def _frozen_statistics(self) -> Iterator[None]:
        """Evaluate without moving running statistics; training goes on as if nothing had been."""
        training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(training)

    def _outer_batch(self) -> Batch:
        """Return a batch of the outer samples, a function of seed and number of updates alone."""
        size = min(self.run.settings.batch_size, len(self._outer))
        draw = np.random.default_rng((self.run.seed, self._updates))
        rows = draw.choice(self._outer, size, replace=False)
        return next(self.run.data.ordered(rows, size))

    def _solve(self, product: Product, vector: Vector) -> Vector:
        options = self.options
        if options.solver == "cg":
            return conjugate_gradient(product, vector, options.solver_steps)
        steps = options.solver_steps if options.solver == "neumann" else 0
        return neumann_series(product, vector, steps, options.neumann_rate)

    def _learn(self, batch: Batch) -> None:
        """Set alpha <- clip(alpha - rate dL_CLS/dalpha, 0, 1), in full precision (Eq. 2, 3)."""
        outer, model = self._outer_batch(), self.model
        with self._frozen_statistics():
            with twice_differentiable(model):
                inside, outside = model(batch.inputs), model(outer.inputs)
            slope = hyper_gradient(
                self._classification(inside, batch.labels),
                self._matching(inside),
                self._classification(outside, outer.labels),
                self._alpha,
                model.trained(),
                self._solve,
                self.options.damping,
            )
        most = self.options.largest_step
        self._move((self._rate * slope).clamp(-most, most), 0.0, 1.0)

    @contextmanager
    def _new(self) -> Iterator[None]:
        """Use batch statistics, and move the running ones."""
        training = self.model.training
        self.model.train()
        try:
            with unshared(self.model.encoders):
                yield
        finally:
            self.model.train(training)

    def _move_as_released(self, rate: float) -> None:
        """Move alpha by the shortcut, on the first half of the outer samples."""
        rows = self._outer[: max(2, len(self._outer) // 2)]
        batch = next(self.run.data.ordered(rows, len(rows)))
        with twice_differentiable(self.model):
            output = self.model(batch.inputs)
        outer = self._classification(output, batch.labels)
        total = (1 - self._alpha) * outer + self._alpha * self._matching(output)
        slope = released_signal(total, outer, self.model.trained())
        self._move(rate * slope, LOWEST, HIGHEST)

    def _move(self, step: Tensor, lowest: float, highest: float) -> None:
        step = torch.where(step.isnan(), 0.0, step)  # the solver diverged: stay
        self._alpha = (self._alpha - step).clamp(lowest, highest)
        self._updates += 1

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report alpha and the mean of L_MM."""
        return {"alpha": float(self._alpha), "matching": float(self._sum) / max(self._steps, 1)}

    def state_dict(self) -> dict[str, Any]:
        """Return alpha, where it is in its steps, and the sums of the epoch."""
        return {
            "alpha": self._alpha.cpu() if isinstance(self._alpha, Tensor) else self._alpha,
            "updates": self._updates,
            "since": self._since,
            "sum": self._sum.cpu(),
            "steps": self._steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        found, device = state["alpha"], self.run.device
        self._alpha = found.to(device) if isinstance(found, Tensor) else found
        self._sum = state["sum"].to(device)
        self._updates, self._since, self._steps = (state[k] for k in ("updates", "since", "steps"))
