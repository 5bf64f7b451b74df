"""Frames of a video: prepared for an encoder."""

from __future__ import annotations

from equipoise.modalities.depth import DepthFeed
from equipoise.modalities.frames import Augment


class FramesFeed(DepthFeed[Augment]):
    """(B, F, H, W, C) to (B, F, C, H, W)."""
