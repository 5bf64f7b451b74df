"""MLA: alternating unimodal steps through one shared head, whose gradient is projected by P."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.errors import UserError
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.mla import Options
from equipoise.methods.modulation import entropies
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.training.order import cut
from equipoise.training.run import Run, make_optimizer, parameter_groups

AS_RUN = (0.55, 0.45)
"""Weights of audio and video with which the authors' program runs itself."""


def updated(projection: Tensor, feature: Tensor, a: float) -> Tensor:
    """Return P - P r r^T P / (a + r^T P r) for symmetric P (D, D) and r (D,).

    Started at the identity and with constant a, this is (I + R^T R / a)^-1 for the rows R seen so
    far; as a goes to 0, the projection onto what is orthogonal to all of them.

    >>> updated(torch.eye(2), torch.tensor([1.0, 0.0]), a=1.0)
    tensor([[0.5000, 0.0000],
            [0.0000, 1.0000]])
    """
    gain = projection @ feature
    return projection - torch.outer(gain, gain) / (a + feature @ gain)


def updated_elementwise(projection: Tensor, feature: Tensor, a: float) -> Tensor:
    """Return P - (P r)(P r)^T / (a + (P r) r^T), divided element by element.

    What the released code computes: its denominator is a matrix where the scalar r^T P r is meant.
    The result is no projection, and in general not symmetric.

    >>> updated_elementwise(torch.eye(2), torch.tensor([1.0, 1.0]), a=1.0)
    tensor([[ 0.5000, -0.5000],
            [-0.5000,  0.5000]])
    """
    gain = projection @ feature
    return projection - torch.outer(gain, gain) / (a + torch.outer(gain, feature))


def regulariser(base: float, step: int, steps: int) -> float:
    """Return a = base^(1 + step / steps), ``step`` counted from 0 within the epoch.

    >>> regulariser(0.1, step=0, steps=4)
    0.1
    """
    return float(base ** (1 + step / steps))


def entropy_weights(logits: Tensor) -> Tensor:
    """Return the weights of the modalities (M, B): proportional to exp(H_max - H_m), sum 1.

    Args:
        logits: (M, B, C); H_m is the entropy of the softmax output of modality m for each sample.

    >>> entropy_weights(torch.tensor([[[50.0, 0.0]], [[0.0, 0.0]]]))
    tensor([[0.6667],
            [0.3333]])
    """
    return torch.softmax(-entropies(logits), dim=0)  # exp(H_max) cancels


def fused(logits: Mapping[str, Tensor], weights: Mapping[str, float] | None) -> Tensor:
    """Return the weighted sum of logits (B, C).

    Args:
        logits: Modality to logits (B, C).
        weights: Modality to its weight, made to sum to 1 over the modalities that are there (all 0:
            a uniform guess); None: by entropy.

    >>> logits = {"audio": torch.ones(1, 2), "video": torch.zeros(1, 2)}
    >>> fused(logits, {"audio": 0.55, "video": 0.45})
    tensor([[0.5500, 0.5500]])
    """
    stacked = torch.stack(list(logits.values()))
    if weights is None:
        return (entropy_weights(stacked)[:, :, None] * stacked).sum(dim=0)
    total = sum(weights[m] for m in logits) or 1.0
    return torch.stack([weights[m] / total * z for m, z in logits.items()]).sum(dim=0)


class Mla(Method[Options]):
    """The plug-in. The head of the first modality becomes the head of all.

    ``released_code`` projects nothing, as the authors' program at HEAD; ``released_projection`` is
    that program with the projection of its first commit.
    """

    heads = "trained"

    _weights: Mapping[str, float] | None

    def __init__(self, variant: str, options: Options) -> None:
        super().__init__(variant, options)
        self._as_released = variant.startswith("released")
        self._projects = variant != "released_code"

    def fusion(self, default: str) -> str:
        """Return the fusion without parameters; :meth:`predict` puts the weighted sum there."""
        return "late"

    def attach(self, model: MultimodalClassifier, structure: Mapping[str, Any]) -> None:
        """Take the model and give its modalities one head.

        Raises:
            UserError: Option ``weights`` does not name exactly the modalities.
        """
        super().attach(model, structure)
        self._weights = self._fixed_weights(model.modalities)
        shared = model.heads[model.modalities[0]]
        for m in model.modalities:
            model.heads[m] = shared

    def _fixed_weights(self, modalities: list[str]) -> dict[str, float] | None:
        given, dynamic = self.options.weights, self.options.dynamic
        if given and (set(given) != set(modalities) or not any(given.values())):
            raise UserError(
                f"mla: weights must name {', '.join(modalities)}, not all of them 0; got {given}"
            )
        if dynamic or (dynamic is None and not self._as_released):
            return None
        if self._as_released and not given and len(modalities) == len(AS_RUN):
            return dict(zip(modalities, AS_RUN, strict=True))
        return given or dict.fromkeys(modalities, 1.0)

    def setup(self, run: Run) -> None:
        """Start with nothing to remember; the optimiser forgets the heads that are gone."""
        super().setup(run)
        run.optimizer = make_optimizer(parameter_groups(run.model), run.settings)
        self._projection = torch.eye(self.model.width, device=run.device)
        self._step = 0
        self._first = True
        rows = torch.arange(len(run.data.splits["train"]))
        self._steps = len(cut(rows, run.settings.batch_size))

    def on_epoch_start(self, epoch: int) -> Plan:
        """Count steps from 0 again."""
        self._step = 0
        return Plan()

    def train_step(self, batch: Batch) -> tuple[Output, Tensor]:
        """Do one optimisation step for each modality in turn, by its own cross-entropy."""
        a = regulariser(self.options.base, self._step, self._steps)
        features: dict[str, Tensor] = {}
        logits: dict[str, Tensor] = {}
        losses = []
        for m in self.model.modalities:
            features[m], logits[m], loss = self._unimodal_step(m, batch, a)
            losses.append(loss)
        self._step += 1
        output = Output(features, logits, fused(logits, self._weights))
        return output, torch.stack(losses).mean()

    def _unimodal_step(
        self, modality: str, batch: Batch, a: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, logits and loss of one modality, detached, after its step.

        Other encoders get no gradient, so the optimiser leaves them alone.
        """
        run = self.run
        with run.autocast():
            encoded = self.model.encoders[modality](batch.inputs[modality])
            scores = self.model.heads[modality](encoded)
        encoded, scores = encoded.float(), scores.float()
        loss = functional.cross_entropy(scores, batch.labels)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._projects:
            self._project(encoded.detach().mean(dim=0), a)
        run.optimizer.step()
        return encoded.detach(), scores.detach(), loss.detach()

    @torch.no_grad()
    def _project(self, feature: Tensor, a: float) -> None:
        """Take in the mean feature and multiply the gradient of the head's weight by P."""
        if self._first:  # there is nothing yet that the head could forget
            self._first = False
            return
        update = updated_elementwise if self._as_released else updated
        projection = update(self._projection, feature, a)
        if self.options.normalise:
            projection = projection / torch.linalg.matrix_norm(projection)
        self._projection = projection
        weight = self.model.groups().heads[self.model.modalities[0]][0]
        assert weight.grad is not None  # noqa: S101  set by backward
        weight.grad = weight.grad @ projection.T

    def predict(self, output: Output) -> Output:
        """Return the logits of the modalities, weighted, as the fused prediction."""
        return replace(output, logits=fused(output.modality_logits, self._weights))

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report how much of P is left: trace / (Frobenius norm sqrt(D)).

        1 for the identity, sqrt(k / D) for a projection onto k directions.
        """
        norm = torch.linalg.matrix_norm(self._projection)
        return {"free": float(self._projection.trace() / norm) / self.model.width**0.5}

    def state_dict(self) -> dict[str, Any]:
        """Return P and the position in the epoch."""
        return {"projection": self._projection.cpu(), "step": self._step, "first": self._first}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._projection = state["projection"].to(self.run.device)
        self._step, self._first = state["step"], state["first"]
