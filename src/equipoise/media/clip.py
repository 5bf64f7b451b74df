"""Moving picture and sound of one file: one reading for everything that is wanted of it.

The packets are listed first: they tell what a player shows and when, so that it is known before the
first frame is decoded which frames will be kept. Every frame is decoded (a fault shows in no other
way), only those kept are scaled. What was decoded has the last word: where a codec gives other
frames than there were packets, the choice is made again and the file is decoded a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.media import container, damage
from equipoise.media.damage import Tolerance
from equipoise.media.errors import MediaError, MissingStreamError
from equipoise.media.readers import PictureReader, Reader, SoundReader
from equipoise.media.tracks import Kind, Track, listed
from equipoise.media.wants import Found, Pictures, Sound

if TYPE_CHECKING:
    from equipoise.media.container import File

#: Files up to this size (bytes) are read once; of longer ones the packets are not kept.
_IN_MEMORY = 32 << 20
KINDS: Mapping[Kind, type[Pictures] | type[Sound]] = {"video": Pictures, "audio": Sound}


def read(
    path: Path, first: bytes, wants: Mapping[str, Pictures | Sound], allowed: Tolerance
) -> dict[str, Found]:
    """Decode a file.

    Args:
        path: The file.
        first: Its first bytes.
        wants: What is wanted, by name.
        allowed: How much may be missing.

    Returns:
        What was found, by name.

    Raises:
        MediaError: Not media, damaged or truncated; the reason.
        MissingStreamError: It does not hold a stream that is wanted.
    """
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP" and b"ANIM" in first[12:64]:
        raise MediaError("animated WebP: not read as a clip; convert it to PNG, GIF or MP4")
    with container.opened(path) as file:
        tracks = _tracks(file, wants)
        packets = list(file.packets()) if path.stat().st_size <= _IN_MEMORY else file.packets()
        ends = listed(tracks.values(), packets)
        origin = min((t.start * t.unit for t in tracks.values() if t.times), default=Fraction(0))
        readers = [
            reader for kind, track in tracks.items() if (reader := _reader(track, wants, origin))
        ]
        _decode(readers, packets if isinstance(packets, list) else file.packets())
        damage.judge(file, first, tracks.values(), ends, allowed)
        if not all(reader.complete() for reader in readers):
            _decode(readers, file.packets())
        return {name: found for reader in readers for name, found in reader.found().items()}


def _tracks(file: File, wants: Mapping[str, Pictures | Sound]) -> dict[Kind, Track]:
    """Return the tracks that are shown: also one that is not wanted tells when the file starts."""
    tracks: dict[Kind, Track] = {}
    for kind in KINDS:
        names = [name for name, want in wants.items() if isinstance(want, KINDS[kind])]
        try:
            stream = file.track(kind)
        except MediaError:
            if names:
                raise
            continue
        if stream is not None:
            tracks[kind] = Track(stream, kind, stream.index, len(file.streams(kind)))
        elif names:
            raise MissingStreamError(names[0])
    return tracks


def _reader(track: Track, wants: Mapping[str, Pictures | Sound], origin: Fraction) -> Reader | None:
    pictures = {name: want for name, want in wants.items() if isinstance(want, Pictures)}
    sounds = {name: want for name, want in wants.items() if isinstance(want, Sound)}
    if track.kind == "video":
        return PictureReader(track, pictures, origin) if pictures else None
    return SoundReader(track, sounds, origin) if sounds else None


def _decode(readers: list[Reader], packets: Iterable[Any]) -> None:
    """Decode all packets, each frame into the hands of its reader."""
    import av

    by_index = {reader.track.index: reader for reader in readers}
    for reader in readers:
        reader.begin()
    for packet in packets:
        index = packet.stream_index if packet.size else packet.stream.index
        repeated = not packet.size and packet.pts is not None  # without a time: the end
        if index not in by_index or repeated:
            continue
        reader = by_index[index]
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError) as error:
            reader.track.lose(packet, reader.origin, str(error.args[-1]))
            continue
        for frame in frames:
            reader.take(frame)
    for reader in readers:
        reader.end()
