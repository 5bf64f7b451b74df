"""MIDAS: mixtures of features under soft labels; the weaker modality's part weighs alpha."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.gap.scores import true_class_score, true_class_scores
from equipoise.methods.midas import Options
from equipoise.methods.midas.mixing import Mixing, soft_loss
from equipoise.methods.modulation import Means
from equipoise.methods.pairing import partners, partners_of_other_class, repaired
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


@dataclass
class Mixtures:
    """A batch in which one modality of each sample comes from its partner.

    The mappings go from modality to (B,): the label of the sample that its features come from, and
    the confidence of its head in that label as a share of the confidences of all, c~ in the paper.
    """

    logits: Tensor
    """(B, C) of the fusion."""
    labels: dict[str, Tensor]
    shares: dict[str, Tensor]
    likeness: Tensor
    """(B,) in [-1, 1]: cosine of the replaced feature and the one in its place."""
    replaced: str


def shares(confidences: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return c_m / sum_m' c_m', ``{m: (B,)}``.

    >>> shares({"audio": torch.tensor([0.6]), "video": torch.tensor([0.2])})
    {'audio': tensor([0.7500]), 'video': tensor([0.2500])}
    """
    total = torch.stack(list(confidences.values())).sum(dim=0)
    total = total.clamp_min(torch.finfo(total.dtype).tiny)
    return {m: c / total for m, c in confidences.items()}


def mixtures_loss(mixtures: Sequence[Mixtures], weights: Mapping[str, Tensor]) -> Tensor:
    """Return (B,): the mean over sets of (1 + (likeness + 1)/2) sum_m w_m c~_m CE(z~, y_m).

    >>> one, two = torch.tensor([0]), torch.tensor([1])
    >>> half = {"audio": torch.tensor([0.5]), "video": torch.tensor([0.5])}
    >>> labels = {"audio": one, "video": two}
    >>> mix = Mixtures(torch.tensor([[0.0, 0.0]]), labels, half, torch.tensor([1.0]), "video")
    >>> mixtures_loss([mix], dict.fromkeys(labels, torch.tensor(1.0)))  # (1 + 1) log 2
    tensor([1.3863])

    Args:
        mixtures: One set for each modality that is replaced.
        weights: w, modality to a scalar.
    """
    sets = []
    for mix in mixtures:
        scaled = {m: weights[m] * share for m, share in mix.shares.items()}
        sets.append((1 + (mix.likeness + 1) / 2) * soft_loss(mix.logits, mix.labels, scaled))
    return torch.stack(sets).mean(dim=0)


def under_use(mixtures: Sequence[Mixtures], weak: Tensor, valid: Tensor) -> Tensor:
    """Return Delta = E[c~_w] - E[p~_y(w) / (p~_y(own) + p~_y(partner))], a scalar.

    How far the fused model is from giving the label of the weak modality's part its share. With
    more than two modalities c~_w is the sum over those from the same sample as the weak one's.

    >>> one, two = torch.tensor([0]), torch.tensor([1])
    >>> half = {"audio": torch.tensor([0.5]), "video": torch.tensor([0.5])}
    >>> labels = {"audio": one, "video": two}
    >>> mix = Mixtures(torch.tensor([[1.0, 0.0]]), labels, half, torch.tensor([1.0]), "video")
    >>> under_use([mix], torch.tensor(1), torch.tensor([True]))  # 1/2 - 1 / (1 + e)
    tensor(0.2311)

    Args:
        mixtures: The sets.
        weak: Place of the weak modality, a scalar.
        valid: (B,) bool, the samples with a partner of another class; none at all gives 0.
    """
    gaps = []
    for mix in mixtures:
        names = list(mix.labels)
        swapped = weak == names.index(mix.replaced)
        partner = mix.shares[mix.replaced]
        share = torch.where(swapped, partner, 1 - partner)
        own = next(m for m in names if m != mix.replaced)
        z = [mix.logits.gather(1, mix.labels[m][:, None]) for m in (own, mix.replaced)]
        # p_b / (p_a + p_b), also where the softmax of both is 0.
        ahead = (z[1] - z[0]).squeeze(1).sigmoid()
        gaps.append(share - torch.where(swapped, ahead, 1 - ahead))
    return (torch.stack(gaps).mean(dim=0) * valid).sum() / valid.sum().clamp_min(1)


def ratio_of_use(mixtures: Sequence[Mixtures], first: Tensor, second: Tensor) -> Tensor:
    """Return the mean over sets of mean(p~[y of first]) / mean(p~[y of second]), a scalar.

    >>> one, two = torch.tensor([0]), torch.tensor([1])
    >>> half = {"audio": torch.tensor([0.5]), "video": torch.tensor([0.5])}
    >>> labels = {"audio": one, "video": two}
    >>> mix = Mixtures(torch.tensor([[1.0, 0.0]]), labels, half, torch.tensor([1.0]), "video")
    >>> ratio_of_use([mix], torch.tensor(0), torch.tensor(1))
    tensor(2.7183)

    Args:
        mixtures: The sets.
        first: Place of a modality, a scalar.
        second: Place of another.
    """
    ratios = []
    for mix in mixtures:
        means = torch.stack([true_class_score(mix.logits, y).mean() for y in mix.labels.values()])
        ratios.append(_at(means, first) / _at(means, second))
    return torch.stack(ratios).mean()


def falls_behind(mixtures: Sequence[Mixtures], confidences: Tensor) -> Tensor:
    """Return whether the fused model under-uses the weak modality, as the released code asks.

    Its ratio of use exceeds the ratio of the mean confidences (M,) to the other's side. With more
    than two modalities the weakest is compared with the strongest.

    >>> one, two = torch.tensor([0]), torch.tensor([1])
    >>> half = {"audio": torch.tensor([0.5]), "video": torch.tensor([0.5])}
    >>> labels = {"audio": one, "video": two}
    >>> mix = Mixtures(torch.tensor([[1.0, 0.0]]), labels, half, torch.tensor([1.0]), "video")
    >>> falls_behind([mix], torch.tensor([0.6, 0.4]))  # e is more than 0.6 / 0.4
    tensor(True)
    """
    weak, strong = confidences.argmin(), len(confidences) - 1 - confidences.flip(0).argmax()
    first, second = torch.minimum(weak, strong), torch.maximum(weak, strong)
    ratio = ratio_of_use(mixtures, first, second)
    alone = _at(confidences, first) / _at(confidences, second)
    return torch.where(weak == second, ratio > alone, ratio < alone)


class Midas(Mixing[Options]):
    """The plug-in."""

    def setup(self, run: Run) -> None:
        """Start with equal weights."""
        super().setup(run)
        names = run.model.modalities
        self._alpha = torch.ones(len(names), device=run.device)
        self._means = Means([*(f"weak_{m}" for m in names), "alpha"], run.device)
        if self.variant == "released_code":
            self.head_weight = 1 / len(names)

    def mixed_loss(self, output: Output, labels: Tensor) -> Tensor:
        """Return L_mis, and move the weight of the weak modality for the next batch."""
        if self.variant == "paper":
            partner, valid = partners_of_other_class(labels)
        else:
            partner = partners(len(labels), labels.device)
            valid = torch.ones_like(labels, dtype=torch.bool)
        with torch.no_grad():
            confidences = true_class_scores(output.modality_logits, labels)
        sets = [self._mixtures(m, output, labels, confidences, partner) for m in confidences]
        weak = self._weakest(sets, confidences, valid)
        chosen = torch.arange(len(self._alpha), device=weak.device) == weak
        weights = torch.where(chosen, self._alpha, torch.ones_like(self._alpha))
        loss = mixtures_loss(sets, dict(zip(confidences, weights, strict=True)))
        recorded = {f"weak_{m}": c.float() for m, c in zip(confidences, chosen, strict=True)}
        self._means.add({**recorded, "alpha": _at(self._alpha, weak)})
        with torch.no_grad():
            self._move(sets, confidences, valid, chosen)
        return (loss * valid).mean()

    def _mixtures(
        self,
        replaced: str,
        output: Output,
        labels: Tensor,
        confidences: Mapping[str, Tensor],
        partner: Tensor,
    ) -> Mixtures:
        """Return the samples with one modality of their partners."""
        features = repaired(output.features, partner, [replaced])
        with self.run.autocast():
            logits = self.model.classify(features).logits
        own, other = output.features[replaced].detach(), features[replaced].detach()
        return Mixtures(
            logits=logits,
            labels=repaired(dict.fromkeys(confidences, labels), partner, [replaced]),
            shares=shares(repaired(confidences, partner, [replaced])),
            likeness=functional.cosine_similarity(own, other, dim=1),
            replaced=replaced,
        )

    def _weakest(
        self, sets: Sequence[Mixtures], confidences: Mapping[str, Tensor], valid: Tensor
    ) -> Tensor:
        """Return the place of the weak modality; ``paper``: by c~, else by confidence."""
        if self.variant != "paper":
            return torch.stack([c.mean() for c in confidences.values()]).argmin()
        means = [torch.stack([(mix.shares[m] * valid).sum() for mix in sets]) for m in confidences]
        return torch.stack(means).sum(dim=1).argmin()

    def _move(
        self,
        sets: Sequence[Mixtures],
        confidences: Mapping[str, Tensor],
        valid: Tensor,
        chosen: Tensor,
    ) -> None:
        """Move alpha, of the weak modality (``paper``) or the one that all share; at least 1."""
        if self.variant == "paper":
            step = chosen * under_use(sets, chosen.float().argmax(), valid)
        else:
            means = torch.stack([c.mean() for c in confidences.values()])
            step = 2.0 * falls_behind(sets, means) - 1.0
        self._alpha = (self._alpha + self.options.eta * step).clamp_min(1.0)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report how often each modality was the weak one, and the mean of its alpha."""
        nothing = {f"mean_{name}": 0.0 for name in self._means.names}
        report = nothing | self._means.row("mean")
        self._means.clear()
        return report

    def state_dict(self) -> dict[str, Any]:
        """Return the weights and the means so far."""
        means = self._means.state_dict()
        return {**super().state_dict(), "alpha": self._alpha.cpu(), "means": means}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._alpha = state["alpha"].to(self.run.device)
        self._means.load_state_dict(state["means"])


def _at(values: Tensor, place: Tensor) -> Tensor:
    """Return ``values[place]`` of (M,), a scalar, without waiting for the device."""
    return values.gather(0, place[None]).squeeze(0)
