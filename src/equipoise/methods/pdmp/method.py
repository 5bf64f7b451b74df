"""PDMP: g_m <- gamma_p g_m for the modality that is best alone, gamma_r g_m for the others."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from equipoise.methods.base import Batch, Method
from equipoise.methods.modulation import scale_gradients
from equipoise.methods.pdmp import Options
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


def accuracies(outputs: Iterable[tuple[Mapping[str, Tensor], Tensor]]) -> dict[str, float]:
    """Return the accuracy of each modality.

    >>> logits = {"audio": torch.tensor([[1.0, 0.0], [1.0, 0.0]])}
    >>> accuracies([(logits, torch.tensor([0, 1]))])
    {'audio': 0.5}

    Args:
        outputs: Batches of logits ``{m: (B, C)}`` and labels (B,).
    """
    right: dict[str, int] = {}
    count = 0
    for logits, labels in outputs:
        count += len(labels)
        for m, z in logits.items():
            right[m] = right.get(m, 0) + int((z.argmax(dim=1) == labels).sum())
    return {m: value / count for m, value in right.items()}


def coefficients(accuracy: Mapping[str, float], dominant: float, others: float) -> dict[str, float]:
    """Return gamma_m: ``dominant`` for the highest accuracy, of equals the first; else ``others``.

    1 where there is one modality: it has none to lead (ours).

    >>> coefficients({"audio": 0.9, "video": 0.6}, dominant=2.0, others=0.5)
    {'audio': 2.0, 'video': 0.5}
    """
    if len(accuracy) == 1:
        return dict.fromkeys(accuracy, 1.0)
    best = max(accuracy, key=lambda m: accuracy[m])
    return {m: dominant if m == best else others for m in accuracy}


class Pdmp(Method[Options]):
    """The plug-in."""

    def setup(self, run: Run) -> None:
        """Rank the modalities by the teacher's accuracy on the validation split."""
        super().setup(run)
        outputs = run.taught_rows(run.data.splits["val"])
        self._accuracy = accuracies((out.modality_logits, labels) for out, labels in outputs)
        self._factors = coefficients(self._accuracy, self.options.dominant, self.options.others)

    def after_backward(self, output: Output, batch: Batch) -> None:
        """Scale the gradients of the encoders."""
        for m, parameters in self.model.groups().encoders.items():
            scale_gradients(parameters, torch.tensor(self._factors[m]))

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report each encoder's factor, and the accuracy that it comes from."""
        factors = {f"coefficient_{m}": value for m, value in self._factors.items()}
        return factors | {f"alone_{m}": value for m, value in self._accuracy.items()}
