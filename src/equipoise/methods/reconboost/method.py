"""ReconBoost: alternating boosting of modalities; the prediction is the sum of their logits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.gap.scores import true_class_score
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.reconboost import Options
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.training.run import Run

HIDDEN = 256
"""Units of the shared head's first layer in the released code."""


@dataclass(frozen=True)
class Stage:
    """What an epoch is for."""

    modality: str
    """The modality of this stage."""
    previous: str | None
    """That of the stage before; None in the first."""
    members: list[str]
    """Modalities that have had their turn, the present one included."""
    joint: bool
    """The joint pass that ends the stage."""


def stage_of(finished: int, modalities: Sequence[str], boost: int, joint: int) -> Stage:
    """Return the stage of the epoch after ``finished`` epochs.

    A stage has ``boost`` epochs for one modality and ``joint`` for all members; the modalities
    take turns in the given order.

    >>> stage_of(5, ["audio", "video"], boost=2, joint=2)
    Stage(modality='video', previous='audio', members=['audio', 'video'], joint=False)
    """
    number, within = divmod(finished, boost + joint)
    count = len(modalities)
    return Stage(
        modality=modalities[number % count],
        previous=modalities[(number - 1) % count] if number else None,
        members=list(modalities[: number + 1]),
        joint=within >= boost,
    )


def ensemble(logits: Mapping[str, Tensor], members: Sequence[str]) -> Tensor:
    """Return the sum of the members' logits (B, C); zeros, a uniform guess, without members.

    >>> logits = {"audio": torch.ones(1, 2), "video": torch.ones(1, 2)}
    >>> ensemble(logits, ["audio", "video"])
    tensor([[2., 2.]])
    """
    if not members:
        return torch.zeros_like(next(iter(logits.values())))
    return torch.stack([logits[m] for m in members]).sum(dim=0)


def boosting_loss(
    logits: Tensor,
    others: Tensor | None,
    labels: Tensor,
    label_weight: float,
    ensemble_weight: float,
) -> Tensor:
    """Return mean_i -(w1 - w2 p_ens,i[y_i]) log p_i[y_i] / C; the ensemble is a constant.

    Samples that the ensemble of the other modalities classifies with confidence weigh less. The
    released code takes the mean over classes, too, hence the division by their number C.

    Args:
        logits: Of the modality that learns (B, C).
        others: Logits of the ensemble of the others (B, C); None: p_ens = 1, what the released code
            has for an ensemble of nobody (a softmax over one column).
        labels: (B,).
        label_weight: w1.
        ensemble_weight: w2.

    >>> boosting_loss(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0]), 5.0, 1.0)
    tensor(1.5596)
    """
    each = functional.cross_entropy(logits, labels, reduction="none")
    known = torch.ones_like(each) if others is None else true_class_score(others.detach(), labels)
    return ((label_weight - ensemble_weight * known) * each).mean() / logits.shape[1]


def agreement_loss(logits: Tensor, previous: Tensor) -> Tensor:
    """Return the mean squared difference of two softmax outputs; ``previous`` is a constant.

    >>> agreement_loss(torch.zeros(1, 2), torch.tensor([[50.0, 0.0]]))
    tensor(0.2500)
    """
    return functional.mse_loss(logits.softmax(dim=1), previous.detach().softmax(dim=1))


class Reconboost(Method[Options]):
    """The plug-in.

    A modality that does not learn gets no gradient at all, so the optimiser leaves it alone. In
    ``released_code`` all modalities share one head of two layers, and the ensemble has a learnt
    factor; in ``paper`` each has its own linear head.
    """

    heads = "trained"

    def __init__(self, variant: str, options: Options) -> None:
        super().__init__(variant, options)
        self._as_released = variant == "released_code"

    def fusion(self, default: str) -> str:
        """Return the fusion without parameters; :meth:`predict` puts the sum in its place."""
        return "late"

    def attach(self, model: MultimodalClassifier, structure: Mapping[str, Any]) -> None:
        """Take the model; ``structure`` names the members of the ensemble."""
        super().attach(model, structure)
        self._members: list[str] = structure.get("members", model.modalities)
        if self._as_released:
            like = next(model.heads.parameters())
            layers = nn.Linear(model.width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, like.shape[0])
            model.extras["head"] = nn.Sequential(*layers).to(like.device)
            model.extras["rate"] = nn.ParameterList([torch.ones((), device=like.device)])

    def setup(self, run: Run) -> None:
        """Let the optimiser train the shared head and the factor."""
        super().setup(run)
        if self._as_released:
            run.add_parameters(self.model.extras.parameters())

    def _logits(self, output: Output) -> dict[str, Tensor]:
        """Return logits ``{m: (B, C)}`` of each modality that is there."""
        if not self._as_released:
            return output.modality_logits
        head = self.model.extras["head"]
        return {m: head(features) for m, features in output.features.items()}

    def _ensemble(self, logits: Mapping[str, Tensor], members: Sequence[str]) -> Tensor:
        total = ensemble(logits, members)
        return self._rate() * total if self._as_released else total

    def _rate(self) -> Tensor:
        rate: Tensor = next(self.model.extras["rate"].parameters())
        return rate

    def structure(self) -> dict[str, Any]:
        """Return the members."""
        return {"members": self._members}

    def on_epoch_start(self, epoch: int) -> Plan:
        """Find out whose turn it is."""
        self._enter(epoch)
        return Plan(phase="joint" if self._stage.joint else "boost")

    def _enter(self, epoch: int) -> None:
        finished, options = epoch - self.run.first_epoch, self.options
        self._epoch = epoch
        self._stage = stage_of(
            finished, self.model.modalities, options.boost_epochs, options.joint_epochs
        )
        self._members = self._stage.members

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropy of the ensemble in the joint pass, else that of one modality."""
        stage, options, logits = self._stage, self.options, self._logits(output)
        if stage.joint:
            return functional.cross_entropy(self._ensemble(logits, stage.members), batch.labels)
        own = logits[stage.modality]
        members = [m for m in stage.members if m != stage.modality]
        nobody = self._as_released and not members
        others = None if nobody else self._ensemble(logits, members)
        weights = options.label_weight, options.ensemble_weight
        loss = boosting_loss(own, others, batch.labels, *weights)
        if stage.previous is not None:
            # The released code detaches both sides: the term is reported, but teaches nothing.
            taught = own.detach() if self._as_released else own
            loss = loss + options.agreement * agreement_loss(taught, logits[stage.previous])
        return loss

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report whose turn it was and the size of the ensemble."""
        turn = {f"turn_{m}": float(m == self._stage.modality) for m in self.model.modalities}
        rate = {"rate": float(self._rate().detach())} if self._as_released else {}
        return {**turn, "members": float(len(self._members)), **rate}

    def predict(self, output: Output) -> Output:
        """Return the sum of the members' logits as the fused prediction."""
        logits = self._logits(output)
        if self._as_released:  # the share of each in the prediction
            logits = {m: self._rate() * z for m, z in logits.items()}
        members = [m for m in self._members if m in logits]
        return replace(output, modality_logits=logits, logits=ensemble(logits, members))

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch."""
        return {"epoch": self._epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._enter(state["epoch"])
