"""What a file holds for a player, by its packets; and what the decoders gave of it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from equipoise.media.timeline import Timeline, usual_step

#: ID3 and APE tags: concatenated MP3 files have some in the middle.
_REMARKS = (b"ID3", b"TAG", b"APE")

#: Seconds by which packets of one stream differ that are not all of one size.
_LITTLE = 0.1

Kind = Literal["video", "audio"]


@dataclass
class Track:
    """One stream: the packets that are shown, and a tally of its decoding."""

    stream: Any
    kind: Kind
    index: int
    among: int = 1
    """How many streams of its kind the file has."""
    times: list[int] = field(default_factory=list)
    """When each packet that is shown begins, in ticks of the file's clock, ascending."""
    last: int = 0
    """How long the last of them lasts."""
    total: int = 0
    """How long all of them last."""
    packets: int = 0
    skipped: int = 0
    """Ticks at the start that the file says are not played (the lead-in of a sound encoder)."""
    held: int = 0
    """Until when empty packets, which repeat a frame, hold the picture; in ticks of that clock."""
    cut: list[int] = field(default_factory=list)
    """When packets are shown of which the end is missing, in ticks of the file's clock."""
    open_start: bool = False
    """Whether the first packet can not be decoded by itself."""
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
        return max(self.times[-1] + self.last, self.held) if self.times else 0

    @property
    def expected(self) -> float:
        """Seconds that should be decoded."""
        # A picture that comes late in AVI is a row of empty packets, which nobody hears of.
        begin = max(self.start, self.times[0] if self.times else 0)
        whole = self.total if self.kind == "audio" else self.end - begin
        return float(max(0, whole) * self.unit)

    def seconds(self, packets: int) -> float:
        """Return how long so many packets usually last."""
        return float(max(0, packets) * usual_step(self.times) * self.unit)

    def share(self, packets: int, whole: int) -> float:
        """Return how long so many of all packets last, by the length that the header says."""
        seconds = float((self.stream.duration or 0) * self.unit)
        return seconds * packets / whole if seconds and packets > 0 else self.seconds(packets)

    def timeline(self, origin: int) -> Timeline:
        """Return when its packets are shown, in ticks from ``origin``."""
        return Timeline(self.unit, [time - origin for time in self.times], self.end - origin)

    def reset(self) -> None:
        """Forget what was decoded."""
        self.wanted, self.count, self.decoded, self.broken = True, 0, 0.0, 0.0

    def lose(self, packet: Any, origin: int, reason: str) -> None:
        """Count a packet that the decoder refused.

        What is not shown does not count; neither does what comes before the first key frame of a
        recording that was switched on in the middle, nor remarks between two pieces of music.
        """
        if bytes(packet)[:3] in _REMARKS:
            return
        if packet.is_discard or (self.open_start and not self.count and not packet.is_keyframe):
            return
        time = packet.pts if packet.pts is not None else packet.dts
        self.spoil((time or 0) - origin, packet.duration, reason)

    def spoil(self, time: int, length: int | None, reason: str = "corrupt") -> None:
        """Count something that should be shown as broken; in ticks."""
        if not self.broken:
            self.reason, self.first_broken = reason, float(time * self.unit)
        self.broken += float((length or usual_step(self.times)) * self.unit)


@dataclass
class _Listed:
    """The packets of one stream."""

    unit: Fraction
    shown: list[tuple[int, int]] = field(default_factory=list)
    """Begin and length of those that are shown, in ticks."""
    hidden: int = 0
    empty: int = 0
    held: int = 0
    cut: list[int] = field(default_factory=list)
    skipped: int = 0
    open_start: bool = False

    def add(self, packet: Any, time: int) -> None:
        if packet.is_discard:
            self.hidden += 1
            return
        if not packet.size:  # "as before": dropped frames in Ogg, MP4 and others
            self.empty += 1
            self.held = max(self.held, time + (packet.duration or 0))
            return
        if not self.shown and not self.hidden:
            self.skipped = _skipped(packet)
            self.open_start = not packet.is_keyframe
        self.shown.append((time, packet.duration or 0))
        if packet.is_corrupt:
            self.cut.append(time)


def listed(tracks: Iterable[Track], packets: Iterable[Any]) -> float:
    """Fill tracks in from all packets of a file.

    Returns:
        When the last packet of any stream ends, in seconds: by the clock of the file, or counted
        from its first packet where that is earlier than 0.
    """
    streams: dict[int, _Listed] = {}
    for packet in packets:
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            continue
        stream = streams.get(packet.stream_index)
        if stream is None:
            stream = streams[packet.stream_index] = _Listed(packet.time_base)
        stream.add(packet, time)
    for track in tracks:
        if track.index in streams:
            _fill(track, streams[track.index])
    spans = [_span(stream) for stream in streams.values() if stream.shown]
    first = min((begin for begin, _ in spans), default=0.0)
    return max((end for _, end in spans), default=0.0) - min(first, 0.0)


def _fill(track: Track, stream: _Listed) -> None:
    stream.shown.sort()
    track.times = [time for time, _ in stream.shown]
    track.packets = len(stream.shown) + stream.hidden + stream.empty
    track.held = stream.held
    track.cut, track.skipped, track.open_start = stream.cut, stream.skipped, stream.open_start
    if stream.shown:
        step = usual_step(track.times)
        track.last = stream.shown[-1][1] or step
        most = _most(track, step)
        counted = (length if 0 < length <= most else step for _, length in stream.shown)
        track.total = sum(counted) - track.skipped


def _most(track: Track, step: int) -> float:
    """Return how long a packet can last, in ticks; before a gap, MP4 lets one last until it ends.

    Codecs whose packets are all of one size tell it; of others, what is usual and a little more.
    """
    codec = track.stream.codec_context
    if track.kind == "audio" and codec.frame_size and codec.sample_rate:
        return max(step, float(codec.frame_size / codec.sample_rate / track.unit)) + 1
    return step + float(_LITTLE / track.unit)


def _span(stream: _Listed) -> tuple[float, float]:
    """Return the seconds at which a stream begins and ends."""
    last = stream.shown[-1][1] or usual_step([time for time, _ in stream.shown])
    end = max(max(time + length for time, length in stream.shown), stream.shown[-1][0] + last)
    return float(min(stream.shown)[0] * stream.unit), float(end * stream.unit)


def _skipped(packet: Any) -> int:
    """Return the ticks at the start of a first packet that are decoded and not played."""
    codec = packet.stream.codec_context
    if codec is None or not packet.has_sidedata("skip_samples"):
        return 0  # of a stream without a decoder nothing is played
    samples = struct.unpack("<I", bytes(packet.get_sidedata("skip_samples"))[:4])[0]
    return int(samples / (codec.sample_rate or 1) / packet.time_base)
