"""MMCosine: cross-entropy on z = s sum_m cos(W_m, h_m); the formula is the fusion ``cosine``."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Method
from equipoise.methods.mmcosine import Options
from equipoise.methods.modulation import Means
from equipoise.models.fusion import Cosine
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.training.run import Run


def true_class_cosines(
    shares: Mapping[str, Tensor], labels: Tensor, scale: Tensor
) -> dict[str, Tensor]:
    """Return the batch mean of cos(W_m,y, h_m), ``{m: scalar}``, from shares s cos (B, C).

    >>> shares = {"audio": torch.tensor([[15.0, 0.0], [0.0, 7.5]])}
    >>> true_class_cosines(shares, torch.tensor([0, 1]), torch.tensor(15.0))
    {'audio': tensor(0.7500)}
    """
    return {m: share.gather(1, labels[:, None]).mean() / scale for m, share in shares.items()}


class MmCosine(Method[Options]):
    """The plug-in."""

    def fusion(self, default: str) -> str:
        """Return the cosine fusion."""
        return Cosine.name

    def attach(self, model: MultimodalClassifier, structure: Mapping[str, Any]) -> None:
        """Set the scale; weights that are loaded later bring the same one."""
        super().attach(model, structure)
        assert isinstance(model.fusion, Cosine)  # noqa: S101  see fusion
        model.fusion.scale.fill_(self.options.scale)

    def setup(self, run: Run) -> None:
        """Start with nothing recorded."""
        super().setup(run)
        self._means = Means(run.model.modalities, run.device)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean cosine of the features and their true class, by modality."""
        report = self._means.row("cosine")
        self._means.clear()
        return report

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropy of the cosine logits."""
        with torch.no_grad():
            fusion = self.model.fusion
            assert isinstance(fusion, Cosine)  # noqa: S101  see fusion
            shares = fusion.split(output.features)
            self._means.add(true_class_cosines(shares, batch.labels, fusion.scale))
        return functional.cross_entropy(output.logits, batch.labels)

    def state_dict(self) -> dict[str, Any]:
        """Return the means so far."""
        return self._means.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._means.load_state_dict(state)
