"""What becomes of the decoded frames of one stream: the array for each want."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from equipoise.media.picture import convert, cropped, narrowed
from equipoise.media.sound import SoundKeeper
from equipoise.media.timeline import Timeline, usual_step
from equipoise.media.tracks import Track
from equipoise.media.wants import Found, Pictures, Sound


class Reader(Protocol):
    """Takes the frames of one stream."""

    track: Track
    origin: int
    """Where the file starts, in ticks of the stream."""

    def begin(self) -> None:
        """Forget everything but the plan: the file is decoded from its start."""

    def take(self, frame: Any) -> None:
        """Receive the next frame."""

    def end(self) -> None:
        """Hear that there are no more, and plan again by what was there."""

    def complete(self) -> bool:
        """Say whether everything wanted was kept."""

    def found(self) -> dict[str, Found]:
        """Return what is wanted, by name."""


class PictureReader:
    """Keeps the frames that are wanted, converted; the plan says which, by their number."""

    def __init__(self, track: Track, wants: Mapping[str, Pictures], origin: Fraction) -> None:
        self.track = track
        self.origin = round(origin / track.unit)
        self._wants = wants
        self._aspect = Fraction(track.stream.sample_aspect_ratio or 1)
        self._plan = self._chosen(track.timeline(self.origin))
        self.begin()

    def _chosen(self, shown: Timeline) -> dict[str, list[int]]:
        if not shown.times:
            return {name: [] for name in self._wants}
        return {name: shown.choose(want.pick) for name, want in self._wants.items()}

    def begin(self) -> None:
        """See :class:`Reader`."""
        self._shown = Timeline(self.track.unit)
        self._kept: dict[tuple[str, int], NDArray[Any]] = {}
        self._narrowed = dict.fromkeys(self._wants, 0.0)
        self._cropped = dict.fromkeys(self._wants, 0.0)
        self._wanted = {name: frozenset(numbers) for name, numbers in self._plan.items()}
        self._last = 0
        self.track.reset()

    def take(self, frame: Any) -> None:
        """See :class:`Reader`."""
        times = self._shown.times
        time = frame.pts
        if time is None:
            time = self.origin + (times[-1] + (self._last or 1) if times else 0)
        times.append(time - self.origin)
        self._last = frame.duration
        if frame.is_corrupt:
            self.track.spoil(time - self.origin, frame.duration)
        for name, numbers in self._wanted.items():
            if len(times) - 1 in numbers:
                want = self._wants[name]
                self._kept[name, len(times) - 1] = convert(frame, want, None, self._aspect)
                self._narrowed[name] = max(self._narrowed[name], narrowed(frame, want))
                out = cropped(frame, want, None, self._aspect)
                self._cropped[name] = max(self._cropped[name], out)
        self.track.count += 1

    def end(self) -> None:
        """See :class:`Reader`."""
        times = self._shown.times
        # Decoders give frames in the order in which they are shown; packed B-frames (DivX in AVI)
        # and the frames before them have each other's times.
        times.sort()
        if times:
            end = times[-1] + (self._last or usual_step(times))
            self._shown.end = max(end, self.track.held - self.origin)
            self.track.decoded = float((self._shown.end - times[0]) * self.track.unit)
        self._plan = self._chosen(self._shown)

    def complete(self) -> bool:
        """See :class:`Reader`."""
        return all(
            (name, number) in self._kept
            for name, numbers in self._plan.items()
            for number in numbers
        )

    def found(self) -> dict[str, Found]:
        """See :class:`Reader`."""
        seconds, frames = self._shown.seconds, len(self._shown.times)
        return {
            name: Found(
                np.stack([self._kept[name, number] for number in numbers]),
                seconds,
                frames,
                self._narrowed[name],
                self._cropped[name],
                self.track.among,
            )
            for name, numbers in self._plan.items()
        }


class SoundReader:
    """Keeps the part of the sound that is wanted."""

    def __init__(self, track: Track, wants: Mapping[str, Sound], origin: Fraction) -> None:
        self.track = track
        self.origin = round(origin / track.unit)
        self._wants = wants
        self._seconds = track.timeline(self.origin).seconds
        self._unit = float(track.unit)
        self._exact = track.unit == Fraction(1, track.stream.codec_context.sample_rate or 1)
        self._longest = 0.0
        self.begin()

    @property
    def _end(self) -> float:
        return next(iter(self._keepers.values())).end

    def begin(self) -> None:
        """See :class:`Reader`."""
        self._keepers = {
            name: SoundKeeper(want, self._seconds) for name, want in self._wants.items()
        }
        self.track.reset()

    def take(self, frame: Any) -> None:
        """See :class:`Reader`."""
        time = None if frame.pts is None else (frame.pts - self.origin) * self._unit
        if frame.is_corrupt:
            self.track.spoil((frame.pts or 0) - self.origin, frame.duration)
        for keeper in self._keepers.values():
            keeper.take(frame, time)
        length = frame.samples / frame.sample_rate
        self._longest = max(self._longest, length)
        self.track.decoded += length
        self.track.count += 1

    def end(self) -> None:
        """See :class:`Reader`.

        The last packet of a stream may say that it is played in part; decoders do not hear of it.
        """
        spare = self._end - self._seconds
        if self._exact and 0 < spare < self._longest:
            for keeper in self._keepers.values():
                keeper.cut(self._seconds)
        self._seconds = self._end

    def complete(self) -> bool:
        """See :class:`Reader`."""
        return all(keeper.complete for keeper in self._keepers.values())

    def found(self) -> dict[str, Found]:
        """See :class:`Reader`."""
        return {
            name: Found(keeper.sound(), keeper.end, tracks=self.track.among)
            for name, keeper in self._keepers.items()
        }
