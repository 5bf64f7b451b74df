"""AUG: classifiers on one encoder, added to the weaker modality while training goes on."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.console import log
from equipoise.errors import UserError
from equipoise.methods.aug import Options
from equipoise.methods.aug.boosting import (
    boosting_loss,
    confidences,
    summed,
    weaker,
    weaker_by_ratio,
)
from equipoise.methods.base import Batch, Method, Plan
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.training.run import Run

AS_RELEASED = (0.4, 0.6)
"""Weights of audio and video in the prediction of the released code."""


class Aug(Method[Options]):
    """The plug-in.

    ``paper`` trains added layers like all others; ``released_code`` leaves them as they were drawn,
    steps one modality after the other and decides by a ratio seen during the epoch.
    """

    heads = "trained"

    def __init__(self, variant: str, options: Options) -> None:
        super().__init__(variant, options)
        self._as_released = variant == "released_code"
        shrinkage, most = (0.5, math.inf) if self._as_released else (0.33, 10)
        self._shrinkage = shrinkage if options.shrinkage is None else options.shrinkage
        self._most = options.max_classifiers or most

    def fusion(self, default: str) -> str:
        """Return ``late``, which has no weights: the classifiers of this method predict."""
        return "late"

    def attach(self, model: MultimodalClassifier, structure: Mapping[str, Any]) -> None:
        """Give the model the shared head and as many private layers as ``structure`` says.

        Raises:
            UserError: Option ``weights`` does not name exactly the modalities.
        """
        super().attach(model, structure)
        given = self.options.weights
        if given and (set(given) != set(model.modalities) or not any(given.values())):
            raise UserError(
                f"aug: weights must name {', '.join(model.modalities)}, not all of them 0; "
                f"got {given}"
            )
        released = self._as_released and len(model.modalities) == len(AS_RELEASED)
        usual = AS_RELEASED if released else (1.0,) * len(model.modalities)
        self._weights = given or dict(zip(model.modalities, usual, strict=True))
        device = next(model.parameters()).device
        classes = next(model.heads.parameters()).shape[0]
        counts = structure.get("classifiers", dict.fromkeys(model.modalities, 1))
        model.extras["head"] = _linear(self.options.width, classes, device)
        layers: dict[str, nn.Module] = {m: nn.ModuleList() for m in model.modalities}
        model.extras["layers"] = nn.ModuleDict(layers)
        for m in model.modalities:
            for _ in range(counts[m]):
                self._append(m)

    def _layers(self, modality: str) -> nn.ModuleList:
        layers: nn.ModuleList = self.model.extras["layers"][modality]  # type: ignore[index]
        return layers

    def _append(self, modality: str) -> nn.Linear:
        """Append a private layer; all but the first stay as drawn in ``released_code``."""
        layers, head = self._layers(modality), self.model.extras["head"]
        layer = _linear(self.model.width, self.options.width, next(head.parameters()).device)
        layer.requires_grad_(not (self._as_released and len(layers)))
        layers.append(layer)
        return layer

    def structure(self) -> dict[str, Any]:
        """Return how many classifiers each modality has."""
        return {"classifiers": {m: len(self._layers(m)) for m in self.model.modalities}}

    def setup(self, run: Run) -> None:
        """Let the optimiser train the first classifiers."""
        super().setup(run)
        # Two groups: the fused SGD refuses a group in which some parameters that have a gradient
        # have momentum and others have none yet, as head and layers in released_code.
        run.add_parameters(self.model.extras["head"].parameters())
        run.add_parameters(self.model.extras["layers"].parameters())
        epochs = run.last_epoch - run.first_epoch + 1
        self._every = self.options.every or max(1, epochs // 10)
        self._clear()

    def _clear(self) -> None:
        count = len(self.model.modalities)
        self._sums = torch.zeros(count, dtype=torch.float64, device=self.run.device)

    def classifier_logits(self, modality: str, features: Tensor) -> list[Tensor]:
        """Return the logits (B, C) of each classifier of a modality: head(relu(layer(u)))."""
        head = self.model.extras["head"]
        return [head(torch.relu(layer(features))) for layer in self._layers(modality)]

    def on_epoch_start(self, epoch: int) -> Plan:
        """Assign classifiers when it is time.

        Not at the end of an epoch: the weights selected there must be those that were evaluated.
        """
        done = epoch - self.run.first_epoch
        if done and (done % self._every == 0 or (self._as_released and done == 1)):
            self._assign()
        self._clear()
        return Plan()

    def _assign(self) -> None:
        if not self._as_released:
            self._measure()
        values = (self._sums / len(self.run.data.splits["train"])).tolist()
        scores = dict(zip(self.model.modalities, values, strict=True))
        test = weaker_by_ratio if self._as_released else weaker
        for m in test(scores, self.options.sigma, self.options.tolerance):
            if len(self._layers(m)) < self._most:
                layer = self._append(m)
                if layer.weight.requires_grad:
                    self.run.add_parameters(layer.parameters())
                log.debug("aug: classifier %d for %s (%s)", len(self._layers(m)), m, scores)

    def _measure(self) -> None:
        """Sum the confidences over the training split, in evaluation mode."""
        self._clear()
        with torch.no_grad():
            for output, labels in self.run.outputs(self.run.data.splits["train"]):
                self._sums += confidences(self.predict(output).modality_logits, labels)

    def _modality_loss(self, logits: list[Tensor], labels: Tensor) -> Tensor:
        return boosting_loss(logits, labels, self._shrinkage, joint=self._as_released)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the sum of L_SUB over modalities."""
        losses = [
            self._modality_loss(self.classifier_logits(m, u), batch.labels)
            for m, u in output.features.items()
        ]
        return torch.stack(losses).sum()

    def train_step(self, batch: Batch) -> tuple[Output, Tensor]:
        """Step on all modalities at once; ``released_code``: on one after the other."""
        if not self._as_released:
            return super().train_step(batch)
        run = self.run
        with run.autocast():
            output = run.model(batch.inputs)
        total = torch.zeros((), device=run.device)
        seen: dict[str, Tensor] = {}
        for m, features in output.features.items():
            # All encoders have run, but a head that the modalities before have moved.
            logits = self.classifier_logits(m, features)
            loss = self._modality_loss(logits, batch.labels)
            run.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            run.optimizer.step()
            total += loss.detach()
            seen[m] = summed(logits).detach()
        self._sums += confidences(seen, batch.labels)
        return output, total

    def predict(self, output: Output) -> Output:
        """Return the sum of each modality's classifiers, and their weighted sum as prediction.

        Zeros, a uniform guess, where every modality present has weight 0.
        """
        logits = {m: summed(self.classifier_logits(m, u)) for m, u in output.features.items()}
        given = self._weights
        total = sum(given[m] for m in logits) or 1.0
        fused = torch.stack([given[m] / total * z for m, z in logits.items()]).sum(dim=0)
        return replace(output, modality_logits=logits, logits=fused)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report how many classifiers each modality has."""
        return {f"classifiers_{m}": float(n) for m, n in self.structure()["classifiers"].items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the confidences of the epoch so far."""
        return {"sums": self._sums.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._sums = state["sums"].to(self.run.device)


def _linear(inputs: int, outputs: int, device: torch.device) -> nn.Linear:
    """Return a layer with Xavier-normal weights (as in the released code) and no bias at first.

    Drawn on the CPU: the same numbers on every device.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer.to(device)
