"""Texts: prepared for an encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equipoise.modalities.base import Reader
from equipoise.modalities.draws import Dice, hashed
from equipoise.modalities.feed import Drawn, Feed
from equipoise.modalities.text import Augment


class TextFeed(Feed[Augment]):
    """(B, 2, length), int64: ids, and 1 where there is a token."""

    channels = "none"

    def __init__(self, reader: Reader[Any], augment: Augment) -> None:
        super().__init__(reader, augment)
        self._special = torch.zeros(0, dtype=torch.int64)

    def draw(self, dice: Dice) -> dict[str, Tensor]:
        """Draw a seed for each text."""
        return {"dropout": dice.uniform("dropout")} if self.augment.dropout else {}

    def prepare(self, stored: Tensor, drawn: Drawn) -> Tensor:
        """Hide some tokens."""
        inputs = stored.long()
        if "dropout" not in drawn:
            return inputs
        chosen = hashed(drawn["dropout"], inputs.shape[-1]) < self.augment.dropout
        return self._hide(inputs, chosen)

    def corrupt(self, inputs: Tensor, severity: float, generator: torch.Generator) -> Tensor:
        """Hide each token with probability ``severity``; how many there are stays."""
        size = (len(inputs), inputs.shape[-1])
        chosen = torch.rand(size, generator=generator).to(inputs.device) < severity
        return self._hide(inputs, chosen)

    def _hide(self, inputs: Tensor, chosen: Tensor) -> Tensor:
        """Put the mask token where ``chosen`` (B, length), but not in place of special tokens."""
        tokens = self.reader.tokens  # type: ignore[attr-defined]
        if self._special.device != inputs.device or not len(self._special):
            kept = [number for number in tokens.special if number != tokens.hidden]
            self._special = torch.tensor(kept, device=inputs.device)
        ids, there = inputs.unbind(1)
        special = torch.isin(ids, self._special) | (there == 0)
        return torch.stack([ids.masked_fill(chosen & ~special, tokens.hidden), there], dim=1)
