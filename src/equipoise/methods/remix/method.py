"""Data Remixing: keep modality argmin_m u_m,i, u the divergence from the uniform distribution."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Method, Plan, head_loss
from equipoise.methods.remix import Options
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


def information(logits: Tensor) -> Tensor:
    """Return u_i = sum_c p_i,c log2(C p_i,c) >= 0 (B,), in bits; p = softmax, at least 1e-9.

    >>> information(torch.tensor([[0.0, 0.0], [99.0, 0.0]])).round()
    tensor([0., 1.])
    """
    p = logits.softmax(dim=1).clamp(1e-9, 1.0)
    return (p * torch.log2(p.shape[1] * p)).sum(dim=1)


def assigned(found: Mapping[str, Tensor]) -> Tensor:
    """Return the place (B,) of the modality with the least information; of equals the last.

    >>> assigned({"audio": torch.tensor([0.4, 0.1]), "video": torch.tensor([0.1, 0.4])})
    tensor([1, 0])
    """
    backwards = torch.stack(list(found.values())[::-1])
    places: Tensor = len(found) - 1 - backwards.argmin(dim=0)
    return places


def kept_loss(logits: Mapping[str, Tensor], keep: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    """Return the batch mean of the cross-entropy of the heads of kept modalities; a scalar.

    >>> logits = {"audio": torch.zeros(2, 2), "video": torch.zeros(2, 2)}
    >>> keep = {"audio": torch.tensor([True, False]), "video": torch.tensor([False, True])}
    >>> kept_loss(logits, keep, torch.tensor([0, 1]))  # log 2 for each sample
    tensor(0.6931)

    Args:
        logits: Modality to (B, C).
        keep: Modality to (B,) bool.
        labels: (B,).
    """
    losses = [
        functional.cross_entropy(z, labels, reduction="none") * keep[m] for m, z in logits.items()
    ]
    return torch.stack(losses).sum(dim=0).mean()


class Remix(Method[Options]):
    """The plug-in; variants differ in the order of the batches within an epoch."""

    heads = "trained"

    def setup(self, run: Run) -> None:
        """Start with whole samples."""
        super().setup(run)
        self._shares: dict[str, float] = {}

    def on_epoch_start(self, epoch: int) -> Plan:
        """Give every training sample to one modality, once the warm-up is over."""
        if epoch - self.run.first_epoch < self.options.warmup_epochs:
            return Plan(phase="warm-up")
        train, modalities = self.run.data.splits["train"], self.model.modalities
        kept = self._assign()
        keep = {m: kept == place for place, m in enumerate(modalities)}
        self._shares = {m: float(mask.mean()) for m, mask in keep.items()}
        # The last modality first: in the released code video comes before audio.
        groups = len(modalities) - 1 - kept
        return Plan(rows=train, keep=keep, groups=groups, alternate=self.variant == "paper")

    @torch.no_grad()
    def _assign(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the place of the modality that each training sample keeps (N,)."""
        pieces = []
        for output, _ in self.run.outputs(self.run.data.splits["train"]):
            logits = output.modality_logits
            pieces.append(assigned({m: information(z) for m, z in logits.items()}))
        kept: np.ndarray[Any, np.dtype[np.int64]] = torch.cat(pieces).cpu().numpy()
        return kept

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the fused loss of what is kept, and that of the heads that take part."""
        fused = functional.cross_entropy(output.logits, batch.labels)
        if batch.keep is None:
            return fused + self.options.head_weight * head_loss(output, batch.labels)
        kept = kept_loss(output.modality_logits, batch.keep, batch.labels)
        return fused + self.options.kept_weight * kept

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the share of the samples that keep each modality; 1 in the warm-up."""
        shares = self._shares or dict.fromkeys(self.model.modalities, 1.0)
        return {f"share_{m}": share for m, share in shares.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the shares; the loop saves who keeps what."""
        return {"shares": self._shares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._shares = state["shares"]
