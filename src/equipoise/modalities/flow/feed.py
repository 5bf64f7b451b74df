"""Optical flow: prepared for an encoder."""

from __future__ import annotations

import torch
from torch import Tensor

from equipoise.modalities.flow import Augment
from equipoise.modalities.views import PicturesFeed


class FlowFeed(PicturesFeed[Augment]):
    """(B, F, H, W, 2) to (B, F, 2, H, W)."""

    white = 127.0

    def mirrored(self, values: Tensor, flip: Tensor) -> Tensor:
        """Turn right into left."""
        sign = torch.ones(len(values), 1, 1, 1, 2, dtype=values.dtype, device=values.device)
        sign[..., 0].masked_fill_(flip[:, None, None, None], -1)
        return values * sign
