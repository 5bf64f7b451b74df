"""SMP: g_m <- kappa_m g_m for the encoder of modality m; kappa by stage and teacher."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from equipoise.errors import UserError
from equipoise.gap.scores import true_class_scores
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.modulation import Means, scale_gradients
from equipoise.methods.smp import Options
from equipoise.methods.smp.stages import convolutions, factors, solo_epochs, stage
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

AnyOptions = TypeVar("AnyOptions", bound=Options)


class Prioritised(Method[AnyOptions]):
    """Stages in which one encoder trains alone: what smp and g2d share."""

    def setup(self, run: Run) -> None:
        """Fix the stages and, with ``ranking: run``, the order.

        Raises:
            UserError: The solo stages leave no epoch to train all encoders.
        """
        super().setup(run)
        self._count, epochs = len(run.model.modalities), run.last_epoch - run.first_epoch + 1
        given = self.options.solo_epochs
        self._solo = solo_epochs(epochs, self._count) if given is None else given
        if self._solo * (self._count - 1) >= epochs:
            raise UserError(
                f"solo_epochs ({self._solo}) for {self._count} modalities leaves none of {epochs} "
                "epochs to train all encoders; lower it"
            )
        whole = self.variant == "paper"
        encoders = run.model.groups().encoders
        self._chosen = {m: ps if whole else convolutions(ps) for m, ps in encoders.items()}
        self._ranked = self._confidences() if self.options.ranking == "run" else None
        self._means = Means(run.model.modalities, run.device)
        self._stage = self._count - 1

    def _confidences(self) -> dict[str, Tensor]:
        """Return the sum over the training split of the scores behind rho_m, on the CPU."""
        nothing = torch.zeros((), dtype=torch.float64)
        sums = dict.fromkeys(self.run.model.modalities, nothing)
        for output, labels in self.run.taught_rows(self.run.data.splits["train"]):
            for m, scores in true_class_scores(output.modality_logits, labels).items():
                sums[m] = sums[m] + scores.double().sum().cpu()
        return sums

    @property
    def alone(self) -> bool:
        """Whether one encoder trains alone in this epoch."""
        return self._stage < self._count - 1

    def on_epoch_start(self, epoch: int) -> Plan:
        """Find the stage of the epoch."""
        self._stage = stage(epoch - self.run.first_epoch + 1, self._solo, self._count)
        self._means.clear()
        return Plan(phase=f"solo{self._stage + 1}" if self.alone else None)

    def prioritise(self, taught: Output | None, batch: Batch) -> None:
        """Let one encoder alone keep its gradient.

        With the order of the ``run``, which is known, the others have no gradient at all. With
        that of the batch they are multiplied by 0, which costs no look at the device.

        Args:
            taught: What the teacher says of the batch; None: ask it, if need be.
            batch: The batch.
        """
        if self._ranked is not None:
            kappa = factors(self._ranked, self._stage)
            for m, parameters in self._chosen.items():
                for parameter in parameters if kappa[m] == 0 else ():
                    parameter.grad = None
        else:
            taught = taught or self.run.taught(batch)
            scores = true_class_scores(taught.modality_logits, batch.labels)
            kappa = factors({m: score.mean() for m, score in scores.items()}, self._stage)
            for m, parameters in self._chosen.items():
                scale_gradients(parameters, kappa[m])
        self._means.add({m: value.to(self.run.device) for m, value in kappa.items()})

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean factor of each encoder; 1 where all trained."""
        together = {f"kappa_{m}": 1.0 for m in self.run.model.modalities}
        return together | self._means.row("kappa")

    def state_dict(self) -> dict[str, Any]:
        """Return the stage and the means so far."""
        return {"stage": self._stage, "means": self._means.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._stage = state["stage"]
        self._means.load_state_dict(state["means"])


class Smp(Prioritised[Options]):
    """The plug-in: joint training in stages."""

    def after_backward(self, output: Output, batch: Batch) -> None:
        """Take the gradients of the encoders that do not lead."""
        if self.alone:
            self.prioritise(None, batch)
