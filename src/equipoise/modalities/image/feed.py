"""Still pictures: prepared for an encoder."""

from __future__ import annotations

from equipoise.modalities.depth import DepthFeed
from equipoise.modalities.image import Augment


class ImageFeed(DepthFeed[Augment]):
    """(B, H, W, C) to (B, 1, C, H, W)."""
