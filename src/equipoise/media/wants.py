"""What a modality wants of a media file, and what was found there: the face of this room.

One call of :func:`equipoise.media.decode.decode` reads a file once for all modalities that want
something of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray


@dataclass(frozen=True)
class Pick:
    """Which frames of a clip are kept, by the times at which they are shown."""

    how: Literal["even", "every", "first"]
    """``even``: those on screen in the middle of ``count`` equal parts of the clip, from the start
    of the file to the end of the picture; ``every``: those on screen at 0, t, 2t, ... seconds;
    ``first``: the first ones. Too few: the last is repeated (``even`` repeats each)."""
    count: int
    """Frames that are returned, always."""
    seconds: float = 0.0
    """t of ``every``."""


@dataclass(frozen=True)
class Pictures:
    """Frames of the moving picture."""

    pick: Pick
    height: int
    width: int
    fit: Literal["stretch", "crop"] = "stretch"
    """``stretch``: scaled to height x width; ``crop``: scaled until it covers them, centre kept."""
    channels: Literal[1, 3] = 3
    """3: RGB; 1: grey."""
    bits: Literal[8, 16] = 8
    """16: grey with its full depth, as stored in the file (depth cameras)."""


@dataclass(frozen=True)
class Sound:
    """The sound, mixed to mono (equal channels give equal loudness) and resampled."""

    rate: int
    """Hz."""
    seconds: float
    """At most so much is returned."""
    place: Literal["start", "centre"] = "start"
    """Which part of a longer recording is returned."""


@dataclass(frozen=True)
class Still:
    """A still picture, or the first one of an animated picture; its orientation applied."""

    height: int
    width: int
    fit: Literal["stretch", "crop"] = "stretch"
    channels: Literal[1, 3] = 3
    bits: Literal[8, 16] = 8


Want = Pictures | Sound | Still


@dataclass(frozen=True)
class Found:
    """What a file gave for one want."""

    array: NDArray[Any]
    """Pictures: uint8 or uint16 (frames, height, width, channels); Sound: float32 (samples,), not
    padded, silence where the recording has a gap or begins later than the picture; Still: uint8 or
    uint16 (height, width, channels)."""
    seconds: float = 0.0
    """Length of the stream as a player shows it."""
    frames: int = 0
    """Pictures: frames that a player shows."""
    narrowed: float = 0.0
    """Grey pictures of more than 8 bits of which 8 are wanted: share of their different values that
    are no longer different (the worst of the frames)."""
    cropped: float = 0.0
    """Pictures, Still: share of the picture's area that ``fit: crop`` leaves out (the worst)."""
    tracks: int = 1
    """Pictures, Sound: how many such tracks the file has, of which one was read."""


def left_out(sides: Sequence[float], size: tuple[int, int], fit: str) -> float:
    """Return the share of a picture's area that is left out when it is fitted into ``size``.

    Args:
        sides: Height and width of the picture, upright, in any unit.
        size: Height and width of what is kept.
        fit: See :class:`Pictures`.
    """
    if fit != "crop":
        return 0.0
    height, width = sides
    scale = min(height / size[0], width / size[1])
    return round(1 - size[0] * size[1] * scale**2 / (height * width), 9)
