"""Still pictures: prepared for an encoder."""

from __future__ import annotations

from torch import Tensor

from equipoise.modalities import views
from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import Drawn, Feed
from equipoise.modalities.image import Augment


class ImageFeed(Feed[Augment]):
    """(B, H, W, C) to (B, 1, C, H, W)."""

    def draw(self, dice: Dice) -> dict[str, Tensor]:
        """Draw the random view."""
        return views.draw(self.augment, dice)

    def prepare(self, stored: Tensor, drawn: Drawn) -> Tensor:
        """Take the random view, normalise, put channels first."""
        return views.channels_first(self.normalised(views.view(stored, self.augment, drawn)))
