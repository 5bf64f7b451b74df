"""Gradient Blending: L = sum_k w_k L_k over the modalities and the fusion, w_k ~ G_k / O_k^2."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.console import log
from equipoise.errors import UserError
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.gblending import Options
from equipoise.models.multimodal import Output
from equipoise.training.data import Indices
from equipoise.training.run import Run, make_optimizer, parameter_groups, set_rate
from equipoise.training.schedule import learning_rate

Losses = dict[str, float]
FUSED = "fused"
"""What the fusion is called in option ``weights`` and in history.csv."""


def blend_weights(
    train: tuple[Losses, Losses],
    val: tuple[Losses, Losses],
    min_overfitting: float,
    negative: Literal["zero", "absolute"] = "zero",
) -> Losses:
    """Return w_k = (G_k / O_k^2) / Z, adding up to 1.

    G_k = L_V(before) - L_V(after) is the gain on the validation split and O_k the change of the
    overfitting L_V - L_T over the same epochs (paper, section 3). When no loss has a weight, all
    get the same.

    Args:
        train: Losses on the training split before and after the epochs in question.
        val: Losses on the validation split, likewise.
        min_overfitting: Least |O_k|.
        negative: What a loss with G_k < 0 gets: no weight, or that of |G_k|.

    >>> before, train, val = {"a": 1.0, "": 1.0}, {"a": 0.5, "": 0.2}, {"a": 0.7, "": 0.4}
    >>> blend_weights((before, train), (before, val), 0.01)
    {'a': 0.33333333333333354, '': 0.6666666666666665}
    """
    ratios: Losses = {}
    for k in train[0]:
        gain = val[0][k] - val[1][k]
        gain = abs(gain) if negative == "absolute" else max(gain, 0.0)
        overfitting = (val[1][k] - train[1][k]) - (val[0][k] - train[0][k])
        ratios[k] = gain / max(abs(overfitting), min_overfitting) ** 2
    total = sum(ratios.values())
    if total <= 0:
        return dict.fromkeys(ratios, 1 / len(ratios))
    return {k: ratio / total for k, ratio in ratios.items()}


def losses_of(output: Output, labels: Tensor) -> dict[str, Tensor]:
    """Return the mean cross-entropy of each modality's head and, under "", of the fusion."""
    logits = {**output.modality_logits, "": output.logits}
    return {k: functional.cross_entropy(z, labels) for k, z in logits.items()}


class Gblending(Method[Options]):
    """The plug-in: weights are estimated at the start of a super-epoch.

    ``online``: from what the run itself did in the last one; ``separate``: by training each loss
    alone through the coming one, from the present weights, to which the model then returns.
    """

    heads = "trained"

    _weights: Losses
    _measured: dict[str, Losses]

    def setup(self, run: Run) -> None:
        """Take fixed weights.

        Raises:
            UserError: Option ``weights`` does not name exactly the modalities and ``fused``.
        """
        super().setup(run)
        self._weights, self._measured = {}, {}
        given, names = self.options.weights, [*run.data.modalities, FUSED]
        if given and (set(given) != set(names) or not any(given.values())):
            raise UserError(
                f"gblending: weights must name {', '.join(names)}, not all of them 0; got {given}"
            )
        if given:
            self._weights = {"" if k == FUSED else k: w for k, w in given.items()}

    def on_epoch_start(self, epoch: int) -> Plan:
        """Estimate the weights when a super-epoch begins."""
        finished = epoch - self.run.first_epoch
        if self.options.weights or finished % self.options.super_epoch:
            return Plan()
        now = self._measure_all()
        if self.variant == "separate":
            self._weights = self._blend(now, self._alone(list(now["train"]), epoch))
        elif finished == 0:
            self._weights = dict.fromkeys(now["train"], 1 / len(now["train"]))
        else:
            self._weights = self._blend(self._measured, now)
        log.info("gblending: weights %s (last: fusion)", list(self._weights.values()))
        self._measured = now
        return Plan()

    def _blend(self, before: dict[str, Losses], after: dict[str, Losses]) -> Losses:
        train, val = ((before[name], after[name]) for name in ("train", "val"))
        return blend_weights(train, val, self.options.min_overfitting, self.options.negative)

    def _alone(self, names: list[str], epoch: int) -> dict[str, Losses]:
        """Return what each loss becomes when it alone is trained for a super-epoch."""
        model = self.run.model
        kept = {name: value.detach().clone() for name, value in model.state_dict().items()}
        after: dict[str, Losses] = {"train": {}, "val": {}}
        for k in names:
            self._train_alone(k, epoch)
            for split, losses in self._measure_all().items():
                after[split][k] = losses[k]
            model.load_state_dict(kept)
        return after

    def _train_alone(self, name: str, epoch: int) -> None:
        run, settings = self.run, self.run.settings
        optimizer = make_optimizer(parameter_groups(run.model), settings)
        rows = run.data.splits["train"]
        run.model.train()
        for e in range(epoch, min(epoch + self.options.super_epoch, run.last_epoch + 1)):
            set_rate(optimizer, learning_rate(settings, e))
            for batch in run.data.shuffled(rows, settings.batch_size, (run.seed, e)):
                with run.autocast():
                    output = run.model(batch.inputs)
                optimizer.zero_grad(set_to_none=True)
                losses_of(output, batch.labels)[name].backward()  # type: ignore[no-untyped-call]
                optimizer.step()

    def _measure_all(self) -> dict[str, Losses]:
        return {name: self._measure(self.run.data.splits[name]) for name in ("train", "val")}

    @torch.no_grad()
    def _measure(self, rows: Indices) -> Losses:
        """Return the mean losses of a split in evaluation mode, without augmentation."""
        sums: dict[str, Tensor] = {}
        count = 0
        for output, labels in self.run.outputs(rows):
            for k, loss in losses_of(output, labels).items():
                part = loss.double() * len(labels)
                sums[k] = sums[k] + part if k in sums else part
            count += len(labels)
        return {k: float(total) / count for k, total in sums.items()}

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return sum_k w_k L_k."""
        losses = losses_of(output, batch.labels)
        return torch.stack([self._weights[k] * loss for k, loss in losses.items()]).sum()

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the weights."""
        return {f"weight_{k or FUSED}": w for k, w in self._weights.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the weights and the losses they are estimated from."""
        return {"weights": self._weights, "measured": self._measured}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._weights, self._measured = state["weights"], state["measured"]
