"""MMPareto: Pareto integration of the joint and the unimodal gradient of each encoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Method, Plan, head_loss
from equipoise.methods.mmpareto import Options
from equipoise.methods.modulation import Means, cosine, inner, set_gradient
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

Gradients = Sequence[Tensor]


def min_norm_weight(first: Gradients, second: Gradients) -> Tensor:
    """Return w in [0, 1] for which w first + (1 - w) second is shortest.

    w = <second - first, second> / |first - second|^2, clipped; 1/2 for two equal gradients.

    >>> min_norm_weight([torch.tensor([1.0])], [torch.tensor([-3.0])])
    tensor(0.7500)
    """
    both = inner(first, second)
    down = inner(first, first) - 2 * both + inner(second, second)
    weight = (inner(second, second) - both) / down.clamp_min(torch.finfo(down.dtype).tiny)
    return torch.where(down > 0, weight, torch.full_like(weight, 0.5)).clamp(0, 1)


def weights(joint: Gradients, unimodal: Gradients) -> tuple[Tensor, Tensor]:
    """Return the weight of the joint gradient and the cosine of both.

    1/2 when the cosine is not negative, else :func:`min_norm_weight`.

    >>> weights([torch.tensor([1.0])], [torch.tensor([2.0])])
    (tensor(0.5000), tensor(1.))
    """
    angle = cosine(joint, unimodal)
    half = torch.full_like(angle, 0.5)
    return torch.where(angle >= 0, half, min_norm_weight(joint, unimodal)), angle


def combine(joint: Tensor, unimodal: Tensor, weight: Tensor, gamma: float) -> Tensor:
    """Return the gradient of one parameter.

    g = 2 (w g_joint + (1 - w) g_uni), lengthened to |g_joint + g_uni| where that is longer, times
    gamma. A zero g stays zero.

    >>> combine(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor(0.5), gamma=1.5)
    tensor([1.5000, 1.5000])
    """
    mixed = 2 * (weight * joint + (1 - weight) * unimodal)
    length, plain = mixed.norm(), (joint + unimodal).norm()
    longer = torch.where(length > 0, plain / length, torch.ones_like(length)).clamp_min(1.0)
    combined: Tensor = gamma * longer * mixed
    return combined


class MmPareto(Method[Options]):
    """The plug-in."""

    heads = "trained"

    def setup(self, run: Run) -> None:
        """Name what is recorded."""
        super().setup(run)
        names = [f"{what}_{m}" for what in ("cosine", "conflict") for m in run.model.modalities]
        self._means = Means(names, run.device)

    def on_epoch_start(self, epoch: int) -> Plan:
        """Start the means of the epoch."""
        self._means.clear()
        return Plan()

    def train_step(self, batch: Batch) -> tuple[Output, Tensor]:
        """Do a step with combined gradients in the encoders and plain sums elsewhere."""
        run, model = self.run, self.run.model
        with run.autocast():
            output = model(batch.inputs)
        joint_loss = functional.cross_entropy(output.logits, batch.labels)
        unimodal_loss = head_loss(output, batch.labels)
        parameters = [p for p in model.parameters() if p.requires_grad]
        # A head reads its own encoder alone: the sum of the unimodal losses has in each encoder
        # the gradient of that modality's loss.
        joint = torch.autograd.grad(
            joint_loss, parameters, retain_graph=True, materialize_grads=True
        )
        unimodal = torch.autograd.grad(unimodal_loss, parameters, materialize_grads=True)
        for parameter, a, b in zip(parameters, joint, unimodal, strict=True):
            set_gradient(parameter, a + b)
        both = {p: (a, b) for p, a, b in zip(parameters, joint, unimodal, strict=True)}
        recorded: dict[str, Tensor] = {}
        for m, encoder in model.groups().encoders.items():
            pairs = [(p, *both[p]) for p in encoder if p in both]
            weight, angle = weights([a for _, a, _ in pairs], [b for _, _, b in pairs])
            for parameter, a, b in pairs:
                set_gradient(parameter, combine(a, b, weight, self.options.gamma))
            recorded |= {f"cosine_{m}": angle, f"conflict_{m}": (angle < 0).float()}
        self._means.add(recorded)
        run.optimizer.step()
        return output, (joint_loss + unimodal_loss).detach()

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report, by modality, the mean cosine and the part of the steps with a conflict."""
        return self._means.row("gradient")

    def state_dict(self) -> dict[str, Any]:
        """Return the means so far."""
        return self._means.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._means.load_state_dict(state)
