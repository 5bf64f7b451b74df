"""Which frames of a clip are stored."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from equipoise.media.errors import MediaError
from equipoise.media.wants import Pick
from equipoise.section import Positive, Section


class PickSettings(Section):
    """Which frames of a clip are stored: one of ``even``, ``every``, ``first``."""

    even: Positive | None = None
    """So many, those on screen in the middle of as many equal parts of the clip."""
    every: Annotated[float, Field(gt=0)] | None = None
    """One each so many seconds, from the start, ``count`` of them; the last is repeated."""
    first: Positive | None = None
    """The first so many; the last is repeated."""
    count: Positive | None = None
    """Frames of ``every``."""

    @model_validator(mode="after")
    def _one(self) -> PickSettings:
        given = [name for name in ("even", "every", "first") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("say one of even, every, first, such as {even: 4}")
        if (self.count is not None) != (given == ["every"]):
            raise ValueError("count belongs to every: {every: 1.0, count: 3}")
        return self

    @property
    def frames(self) -> int:
        """Frames of one sample."""
        return self.even or self.first or self.count or 0


def media_pick(pick: PickSettings, more: int = 0) -> Pick:
    """Return how the decoder of media picks, and ``more`` frames after these."""
    if pick.every is not None:
        return Pick("every", pick.frames + more, pick.every)
    return Pick("even" if pick.even else "first", pick.frames + more)


def array_pick(pick: PickSettings, frames: int, rate: float | None) -> list[int]:
    """Return the indices of picked frames where ``frames`` are equally long.

    Raises:
        MediaError: ``every`` and no rate.
    """
    count = range(pick.frames)
    if pick.even:
        return [int((k + 0.5) * frames / pick.even) for k in count]
    if pick.every is None:
        return [min(k, frames - 1) for k in count]
    if rate is None:
        raise MediaError("an array has no times, so pick: {every: ...} needs rate: FRAMES A SECOND")
    return [min(int(k * pick.every * rate + 1e-6), frames - 1) for k in count]


def unseen(pick: PickSettings, frames: int, seconds: float | None) -> float:
    """Return the share of a clip behind the part that the stored frames stand for.

    That part is all of it for ``even``, ``count`` times so many seconds for ``every``, and the
    frames themselves for ``first``.

    Args:
        pick: Which frames are stored.
        frames: How many the clip has.
        seconds: How long it is; None: not known.
    """
    if pick.every is not None:
        return max(0.0, 1 - pick.frames * pick.every / seconds) if seconds else 0.0
    return max(0.0, 1 - pick.first / frames) if pick.first and frames else 0.0


def repeated(frames: int, pick: PickSettings) -> float:
    """Return the share of the stored frames that stand there for want of others."""
    return max(0.0, 1 - frames / pick.frames) if frames else 0.0
