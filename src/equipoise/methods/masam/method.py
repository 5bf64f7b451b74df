"""MASAM: a sharpness-aware step (SAM) for the encoder of the modality that leads at the moment."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.masam import Options
from equipoise.methods.masam.perturbation import (
    cosines,
    decay,
    moved_average,
    perturbation,
    released_perturbation,
    score,
)
from equipoise.methods.modulation import Means, cosine, set_gradient
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

ByEncoder = dict[str, list[Tensor]]


@contextmanager
def moved(module: nn.Module, by: Mapping[nn.Parameter, Tensor]) -> Iterator[None]:
    """Move parameters of ``module``; afterwards every bit of it is as before.

    So are its buffers, such as the running statistics of a batch normalisation.
    """
    with torch.no_grad():
        before = [(x, x.clone()) for x in [*by, *module.buffers()]]
        for parameter, step in by.items():
            parameter.add_(step)
    yield
    with torch.no_grad():
        for value, kept in before:
            value.copy_(kept)


class Masam(Method[Options]):
    """The plug-in; the variants differ in the perturbation and in what is made of it."""

    heads = "trained"

    def setup(self, run: Run) -> None:
        """Start with no loss seen."""
        super().setup(run)
        names = run.model.modalities
        self._average = self._last = torch.full((len(names),), torch.nan, device=run.device)
        recorded = [f"{what}_{m}" for what in ("alignment", "dominant") for m in names]
        self._means = Means(recorded, run.device)

    def on_epoch_start(self, epoch: int) -> Plan:
        """Start the means of the epoch."""
        self._means.clear()
        return Plan()

    def train_step(self, batch: Batch) -> tuple[Output, Tensor]:
        """Do a step with the gradients at two points; encoders run twice."""
        run, model, options = self.run, self.run.model, self.options
        output, fused, unimodal = self._losses(batch)
        parameters = _trained(model.parameters())
        joint = torch.autograd.grad(fused, parameters, retain_graph=True, materialize_grads=True)
        # A head reads its own encoder alone: the sum of the losses has in each encoder that of
        # its modality.
        alone = torch.autograd.grad(unimodal.sum(), parameters, materialize_grads=True)
        place = {p: i for i, p in enumerate(parameters)}
        encoders = {m: _trained(ps) for m, ps in model.groups().encoders.items()}
        g = {m: [joint[place[p]] for p in ps] for m, ps in encoders.items()}
        u = {m: [alone[place[p]] for p in ps] for m, ps in encoders.items()}
        chosen = self._dominant(unimodal.detach(), g, u)
        second = self._at_perturbed(batch, encoders, g, u, chosen)
        weight = options.unimodal_weight
        for parameter, a, b in zip(parameters, joint, alone, strict=True):
            set_gradient(parameter, a + weight * b)
        for (m, ps), leads in zip(encoders.items(), chosen, strict=True):
            for parameter, a, own in zip(ps, g[m], u[m], strict=True):
                there = second[parameter]
                if self.variant == "paper":
                    there = torch.where(leads > 0, there, a) + weight * own
                set_gradient(parameter, there)
        run.optimizer.step()
        return output, (fused + weight * unimodal.sum()).detach()

    def _losses(self, batch: Batch) -> tuple[Output, Tensor, Tensor]:
        """Return the output, the fused loss and those of the heads (M,)."""
        with self.run.autocast():
            output = self.run.model(batch.inputs)
        heads = [functional.cross_entropy(z, batch.labels) for z in output.modality_logits.values()]
        return output, functional.cross_entropy(output.logits, batch.labels), torch.stack(heads)

    def _dominant(self, losses: Tensor, joint: ByEncoder, unimodal: ByEncoder) -> Tensor:
        """Return 1 for each encoder to perturb, 0 for the others, (M,)."""
        options, paper = self.options, self.variant == "paper"
        alignment = torch.stack(
            [cosine(g, u) if paper else cosines(g, u).mean() for g, u in _pairs(joint, unimodal)]
        )
        seen = self._average.isfinite()
        average = moved_average(self._average, losses, options.beta)
        self._average = torch.where(seen, average, losses)
        falling = torch.where(seen, decay(self._last, self._average), torch.zeros_like(losses))
        self._last = losses
        best = score(falling, alignment, options.decay_share).argmax()
        chosen = (torch.arange(len(losses), device=losses.device) == best).to(losses.dtype)
        if options.every_encoder:
            chosen = torch.ones_like(chosen)
        values = torch.cat([alignment, chosen])
        self._means.add(dict(zip(self._means.names, values, strict=True)))
        return chosen

    def _at_perturbed(
        self,
        batch: Batch,
        encoders: Mapping[str, list[nn.Parameter]],
        joint: ByEncoder,
        unimodal: ByEncoder,
        chosen: Tensor,
    ) -> dict[nn.Parameter, Tensor]:
        """Return the gradient of each parameter of the encoders at the perturbed point.

        Of the fused loss; in the released code of the whole loss.
        """
        paper = self.variant == "paper"
        step = perturbation if paper else released_perturbation
        by: dict[nn.Parameter, Tensor] = {}
        for (m, parameters), leads in zip(encoders.items(), chosen, strict=True):
            steps = step(joint[m], unimodal[m], self.options.rho)
            by |= {p: leads * eps for p, eps in zip(parameters, steps, strict=True)}
        with moved(self.run.model.encoders, by):
            _, fused, heads = self._losses(batch)
            loss = fused if paper else fused + self.options.unimodal_weight * heads.sum()
            gradients = torch.autograd.grad(loss, list(by), materialize_grads=True)
        return dict(zip(by, gradients, strict=True))

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report each modality's mean cosine, and the part of the steps with its encoder moved."""
        return self._means.row("sharpness")

    def state_dict(self) -> dict[str, Any]:
        """Return the losses seen, and the means so far."""
        return {
            "average": self._average.cpu(),
            "last": self._last.cpu(),
            "means": self._means.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._average = state["average"].to(self.run.device)
        self._last = state["last"].to(self.run.device)
        self._means.load_state_dict(state["means"])


def _trained(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [p for p in parameters if p.requires_grad]


def _pairs(joint: ByEncoder, unimodal: ByEncoder) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    for m, gradients in joint.items():
        yield gradients, unimodal[m]
