"""GMM-guided adaptive loss and purification: our reading of the abstract of arXiv 2510.21797."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equipoise.console import log
from equipoise.errors import UserError
from equipoise.gap.mixture import Mixture, Posterior, fit_mixture, rising
from equipoise.gap.scores import check_modalities, gap, true_class_scores, unimodal_logits
from equipoise.methods.base import Batch, Method, Plan, head_loss
from equipoise.methods.gmm import Options
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


def posterior_imbalanced(gaps: Tensor, mixture: Mixture, kind: Posterior = "monotone") -> Tensor:
    """Return gamma_im (B,) by Bayes' rule; 0.5 when the mixture is not identifiable.

    Args:
        gaps: (B,).
        mixture: The fit.
        kind: ``monotone``: never falling as the gap grows; ``bayes``: of the gaps as they are; see
            :func:`equipoise.gap.mixture.posterior_imbalanced`.

    >>> mixture = Mixture((0.0, 0.5), (0.01, 0.01), (0.5, 0.5), identifiable=True)
    >>> posterior_imbalanced(torch.tensor([0.0, 0.25, 0.5]), mixture).round(decimals=3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if not mixture.identifiable:
        return torch.full_like(gaps, 0.5)
    if kind == "bayes":
        return _bayes(gaps, mixture)
    centre = mixture.means[mixture.balanced]
    least = _bayes(torch.full_like(gaps, centre), mixture)
    found = torch.maximum(_bayes(gaps.clamp(*rising(mixture)), mixture), least)
    return torch.where(gaps.abs() <= abs(centre), least, found)


def _bayes(gaps: Tensor, mixture: Mixture) -> Tensor:
    joint = torch.stack(
        [
            math.log(w) - 0.5 * (math.log(2 * math.pi * v) + (gaps - m) ** 2 / v)
            for m, v, w in zip(mixture.means, mixture.variances, mixture.weights, strict=True)
        ]
    )
    return joint.softmax(dim=0)[1 - mixture.balanced]


def penalty(gaps: Tensor, centre: float, kind: Literal["relu_sq", "sq"]) -> Tensor:
    """Return A_i (B,): relu(|g_i| - |mu_b|)^2 or g_i^2; zero where the gap is.

    >>> penalty(torch.tensor([0.1, 0.5]), 0.25, "relu_sq")
    tensor([0.0000, 0.0625])
    """
    if kind == "sq":
        return gaps**2
    return functional.relu(gaps.abs() - abs(centre)) ** 2


def adaptive_loss(
    classification: Tensor,
    gaps: Tensor,
    mixture: Mixture,
    options: Options,
    kind: Posterior = "monotone",
) -> Tensor:
    """Return mean_i [ (1 + beta gamma_b(g_i)) CE_i + lambda1 |g_i| + lambda2 gamma_im(g_i) A_i ].

    Posteriors and the balanced mean are constants; the gradient flows through g_i. A mixture that
    is not identifiable gives gamma_im = gamma_b = 0.5 and the balanced mean 0.

    Args:
        classification: CE_i, cross-entropy of the fused prediction (B,).
        gaps: g_i (B,).
        mixture: The fit.
        options: beta, lambda1, lambda2, penalty.
        kind: See :func:`posterior_imbalanced`.

    >>> mixture = Mixture((0.0, 0.5), (0.01, 0.01), (0.5, 0.5), identifiable=True)
    >>> each, gaps = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.5])
    >>> adaptive_loss(each, gaps, mixture, Options(beta=1.0))
    tensor(2.1500)
    """
    imbalanced = posterior_imbalanced(gaps.detach(), mixture, kind)
    centre = mixture.means[mixture.balanced] if mixture.identifiable else 0.0
    fused = (1 + options.beta * (1 - imbalanced)) * classification
    goals = options.lambda1 * gaps.abs()
    goals = goals + options.lambda2 * imbalanced * penalty(gaps, centre, options.penalty)
    return (fused + goals).mean()


class Gmm(Method[Options]):
    """The plug-in.

    ``adaptive`` refits the mixture and uses the loss above; ``purified`` ends with a fine-tuning
    by plain cross-entropy on the balanced subset of stage gap.
    """

    def __init__(self, variant: str, options: Options) -> None:
        super().__init__(variant, options)
        self.heads = options.heads

    def setup(self, run: Run) -> None:
        """Take the mixture of stage gap, if it was fitted on the same kind of gap.

        Raises:
            UserError: No warm-up, no gap defined for these modalities, too few epochs.
        """
        super().setup(run)
        found, options = run.gap, self.options
        if found is None:
            raise UserError("method 'gmm' reads the modality gaps; put it in methods.from_warmup")
        self._scores = options.scores or found.scores
        self._signed = found.signed if options.signed is None else options.signed
        self._kind = options.posterior or found.posterior
        check_modalities(run.data.modalities, self._signed)
        if not np.isin(found.subset, run.data.splits["train"]).all():
            raise UserError("subset.csv was made from another split; run stage gap again")
        self._tune_from = run.last_epoch + 1
        if self.variant == "purified":
            self._tune_from -= options.finetune_epochs
        if self._tune_from < run.first_epoch:
            raise UserError(
                f"gmm-purified: finetune_epochs ({options.finetune_epochs}) is more than the "
                f"{run.last_epoch - run.first_epoch + 1} epochs left after the warm-up; lower it"
            )
        same = (self._scores, self._signed) == (found.scores, found.signed)
        self._mixture = found.mixture if same else self._refit()
        self._adaptive = False

    def on_epoch_start(self, epoch: int) -> Plan:
        """Refit the mixture when it is time, or turn to fine-tuning."""
        run, options = self.run, self.options
        if epoch >= self._tune_from:
            self._adaptive = False
            assert run.gap is not None  # noqa: S101  checked in setup
            rate = options.finetune_factor * run.settings.learning_rate
            return Plan(rows=run.gap.subset, learning_rate=rate, phase="finetune")
        self._adaptive = self.variant == "adaptive" or options.loss == "adaptive"
        done = epoch - run.first_epoch
        if self._adaptive and done and done % options.refit_every == 0:
            self._mixture = self._refit()
        # A purified model is one that was fine-tuned: no earlier epoch may be kept.
        return Plan(selectable=self.variant != "purified")

    def _refit(self) -> Mixture:
        """Fit the gaps of the whole training split in evaluation mode, without augmentation."""
        run = self.run
        gaps = []
        with torch.no_grad():
            for output, labels in run.outputs(run.data.splits["train"]):
                gaps.append(self._gaps(output, labels).cpu())
        assert run.gap is not None  # noqa: S101  checked in setup
        mixture = fit_mixture(torch.cat(gaps).double().numpy(), run.gap.settings)
        if not mixture.identifiable:
            log.warning("gmm: not identifiable (%s); posteriors are 0.5", mixture.reason)
        return mixture

    def _gaps(self, output: Output, labels: Tensor) -> Tensor:
        logits = unimodal_logits(self.model, output.features, self._scores)
        return gap(true_class_scores(logits, labels), self._signed)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the adaptive loss, or plain cross-entropy; plus that of ``trained`` heads."""
        labels = batch.labels
        if self._adaptive:
            each = functional.cross_entropy(output.logits, labels, reduction="none")
            gaps = self._gaps(output, labels)
            loss = adaptive_loss(each, gaps, self._mixture, self.options, self._kind)
        else:
            loss = functional.cross_entropy(output.logits, labels)
        return loss + head_loss(output, labels) if self.heads == "trained" else loss

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mixture; means and weight are left out while there is none."""
        m = self._mixture
        report = {"identifiable": float(m.identifiable)}
        if m.means:
            balanced = m.balanced
            report |= {
                "balanced_mean": m.means[balanced],
                "imbalanced_mean": m.means[1 - balanced],
                "imbalanced_weight": m.weights[1 - balanced],
            }
        return report

    def state_dict(self) -> dict[str, Any]:
        """Return the mixture and which loss the epoch has."""
        return {"mixture": asdict(self._mixture), "adaptive": self._adaptive}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._mixture, self._adaptive = Mixture(**state["mixture"]), state["adaptive"]
