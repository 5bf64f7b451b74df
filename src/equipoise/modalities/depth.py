"""Feeding an encoder with pictures of 8 or 16 bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equipoise.modalities.base import Reader
from equipoise.modalities.views import PicturesFeed, ViewsT


class DepthFeed(PicturesFeed[ViewsT]):
    """Pictures whose settings have ``bits`` and ``range``."""

    def __init__(self, reader: Reader[Any], augment: ViewsT) -> None:
        super().__init__(reader, augment)
        self._range = reader.settings.range
        self.white = 1.0 if self._range else float(2**reader.settings.bits - 1)

    def pixels(self, stored: Tensor) -> Tensor:
        """Return 8 bits as they are; 16 bits as float32, with a range scaled from it to 0 ... 1."""
        if stored.dtype == torch.uint8:
            return stored
        values = stored.float()
        if self._range is None:
            return values
        low, high = self._range
        return values.clamp_(low, high).sub_(low).div_(high - low)
