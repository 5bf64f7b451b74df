"""What a file holds for a player, by its packets; and what the decoders gave of it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from equipoise.media.timeline import Timeline, usual_step

Kind = Literal["video", "audio"]


@dataclass
class Track:
    """One stream: the packets that are shown, and a tally of its decoding."""

    stream: Any
    kind: Kind
    index: int
    times: list[int] = field(default_factory=list)
    """When each packet that is shown begins, in ticks of the file's clock, ascending."""
    last: int = 0
    """How long the last of them lasts."""
    total: int = 0
    """How long all of them last."""
    packets: int = 0
    skipped: int = 0
    """Ticks at the start that the file says are not played (the lead-in of a sound encoder)."""
    cut: list[int] = field(default_factory=list)
    """When packets are shown of which the end is missing, in ticks of the file's clock."""
    wanted: bool = False
    """Whether it is decoded."""
    count: int = 0
    """Frames decoded."""
    decoded: float = 0.0
    """Seconds decoded."""
    broken: float = 0.0
    """Seconds that should be shown and that the decoder refused, or marked as corrupt."""
    reason: str = ""
    first_broken: float = 0.0

    @property
    def name(self) -> str:
        """What the stream is called in messages."""
        return "picture" if self.kind == "video" else "sound"

    @property
    def unit_name(self) -> str:
        """What it consists of."""
        return "frame" if self.kind == "video" else "sample"

    @property
    def unit(self) -> Fraction:
        """Seconds in one tick."""
        return Fraction(self.stream.time_base)

    @property
    def start(self) -> int:
        """When the first frame is shown, in ticks of the file's clock."""
        if self.stream.start_time is not None:
            return int(self.stream.start_time)
        return self.times[0] + self.skipped if self.times else 0

    @property
    def end(self) -> int:
        """When the last one ends."""
        return self.times[-1] + self.last if self.times else 0

    @property
    def expected(self) -> float:
        """Seconds that should be decoded."""
        whole = self.total if self.kind == "audio" else self.end - self.start
        return float(max(0, whole) * self.unit)

    def seconds(self, packets: int) -> float:
        """Return how long so many packets usually last."""
        return float(max(0, packets) * usual_step(self.times) * self.unit)

    def timeline(self, origin: int) -> Timeline:
        """Return when its packets are shown, in ticks from ``origin``."""
        return Timeline(self.unit, [time - origin for time in self.times], self.end - origin)

    def reset(self) -> None:
        """Forget what was decoded."""
        self.wanted, self.count, self.decoded, self.broken = True, 0, 0.0, 0.0

    def lose(self, packet: Any, origin: int, reason: str) -> None:
        """Count a packet that the decoder refused.

        What is not shown does not count; neither does what comes before the first key frame of a
        recording that was switched on in the middle.
        """
        if packet.is_discard or packet.pts is None or not (self.count or packet.is_keyframe):
            return
        self.spoil(packet.pts - origin, packet.duration, reason)

    def spoil(self, time: int, length: int | None, reason: str = "corrupt") -> None:
        """Count something that should be shown as broken; in ticks."""
        if not self.broken:
            self.reason, self.first_broken = reason, float(time * self.unit)
        self.broken += float((length or usual_step(self.times)) * self.unit)


def listed(tracks: Iterable[Track], packets: Iterable[Any]) -> float:
    """Fill tracks in from all packets of a file.

    Returns:
        When the last packet of any stream ends, in seconds: by the clock of the file, or counted
        from its first packet where that is earlier than 0.
    """
    by_index: dict[int, tuple[Track, list[tuple[int, int]]]] = {
        track.index: (track, []) for track in tracks
    }
    ends: dict[int, tuple[int, int]] = {}
    units = {}
    for packet in packets:
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            continue
        index, length = packet.stream_index, packet.duration or 0
        low, high = ends.get(index, (time, time))
        ends[index] = min(low, time), max(high, time + length)
        units[index] = packet.time_base
        if index in by_index and packet.size:
            by_index[index][0].packets += 1
            if not packet.is_discard:
                by_index[index][1].append((time, length))
                if packet.is_corrupt:
                    by_index[index][0].cut.append(time)
                if by_index[index][0].packets == 1:
                    by_index[index][0].skipped = _skipped(packet)
    for track, shown in by_index.values():
        _fill(track, sorted(shown))
        if track.times:
            low, high = ends[track.index]
            ends[track.index] = low, max(high, track.end)
    first = min((float(low * units[i]) for i, (low, _) in ends.items()), default=0.0)
    last = max((float(high * units[i]) for i, (_, high) in ends.items()), default=0.0)
    return last - min(first, 0.0)


def _fill(track: Track, shown: list[tuple[int, int]]) -> None:
    track.times = [time for time, _ in shown]
    if shown:
        step = usual_step(track.times)
        track.last = shown[-1][1] or step
        track.total = sum(length or step for _, length in shown) - track.skipped


def _skipped(packet: Any) -> int:
    """Return the ticks at the start of a first packet that are decoded and not played."""
    if not packet.has_sidedata("skip_samples"):
        return 0
    samples = struct.unpack("<I", bytes(packet.get_sidedata("skip_samples"))[:4])[0]
    rate = packet.stream.codec_context.sample_rate or 1
    return int(samples / rate / packet.time_base)
