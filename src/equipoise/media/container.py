"""A media file, opened by the libraries inside the PyAV wheel: its tracks and its packets.

What these libraries can read does not depend on the ffmpeg that is on PATH. Only formats that hold
their media themselves are opened (no playlists, no series of pictures, no descriptions of streams),
and no other file: the demuxer is chosen and compared with the list before it reads anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from equipoise.media import look
from equipoise.media.errors import MediaError

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer

#: Demuxers by the first of their names.
_FORMATS = (
    "3g2,3gp,aac,ac3,aiff,amr,amrnb,amrwb,ape,apng,asf,au,av1,avi,bmp_pipe,caf,dnxhd,dts,dv,eac3,"
    "flac,flv,gif,gif_pipe,h261,h263,h264,hevc,ivf,jpeg_pipe,live_flv,m4a,m4v,matroska,mjpeg,"
    "mlp,mov,mp3,mp4,mpc,mpc8,mpeg,mpegts,mpegvideo,mxf,nistsphere,nut,obu,ogg,png_pipe,rm,sox,tak,tiff_pipe,truehd,tta,"
    "vivo,voc,w64,wav,webm,webp_pipe,wsaud,wsvqa,wtv,wv,y4m,yuv4mpegpipe"
)
_OPTIONS = {"protocol_whitelist": "fd", "format_whitelist": _FORMATS}
_STOPPED = "cannot be read to its end"
#: What the demuxers of the pinned libraries say, at level error, of a file that is cut or
#: overwritten, and tell in no other way.
_DAMAGE = (
    "File ended prematurely",
    "invalid as first byte of an EBML",
    "CRC mismatch",
    "Packet mismatch",
    "exceeds containing master element",
    "decode_frame() failed",  # FLAC: its decoder goes on as if nothing was
    _STOPPED,
)
#: Said of MPEG streams before their packets are cut into frames, which do not remember it.
_CORRUPT = "Packet corrupt"
_ESTIMATED = "Estimating duration from bitrate"
#: Jumps of a clock that are no gap (seconds), where the format allows a clock to start again.
_FORWARD, _BACK = 10.0, 0.1


@dataclass
class File:
    """An opened file."""

    path: Path
    container: InputContainer
    log: list[tuple[int, str, str]]

    def __post_init__(self) -> None:
        self._unread: InputContainer | None = self.container

    @property
    def format(self) -> str:
        """First name of the demuxer."""
        return self.container.format.name.partition(",")[0]

    @property
    def claim(self) -> float | None:
        """Seconds that the file says it lasts; None if it was worked out from its packets."""
        claims = ("matroska", "flv", "avi", "asf", "flac", "mp3", "aiff", "au", "caf", "wv", "tta")
        estimated = any(_ESTIMATED in text for _, _, text in self.log)
        if self.format not in (*claims, "ape", "w64", "nut") or estimated:
            return None
        return self.container.duration / 1e6 if self.container.duration else None

    @property
    def damage(self) -> str:
        """What the demuxer said of a file that is cut or overwritten; empty if nothing."""
        words = (*_DAMAGE, _CORRUPT) if self.format.startswith("mpeg") else _DAMAGE
        said = (text.strip() for _, _, text in self.log if any(word in text for word in words))
        return next(said, "")

    def streams(self, kind: Literal["video", "audio"]) -> list[Any]:
        """Return the streams of a kind: the cover of a piece of music is no moving picture."""
        cover = 0x400 | 0x800  # attached picture, thumbnails at times
        return [s for s in getattr(self.container.streams, kind) if not s.disposition & cover]

    def track(self, kind: Literal["video", "audio"]) -> Any:
        """Return the stream that ffmpeg itself and players take; None if there is none.

        That is one marked as default, of these the largest picture or the most channels, and of
        equal ones the first.

        Raises:
            MediaError: There are streams, but no decoder for any.
        """
        streams = self.streams(kind)
        known = [s for s in streams if s.codec_context is not None]
        if streams and not known:
            raise MediaError(f"no decoder for its {kind}")

        def rank(stream: Any) -> tuple[bool, int]:
            codec = stream.codec_context
            size = codec.width * codec.height if kind == "video" else codec.channels
            return bool(stream.disposition & 1), size

        return max(known, key=rank) if known else None

    def packets(self) -> Iterator[Packet[Any]]:
        """Yield all packets in the order of the file; the last of each stream is empty.

        Where the format allows it (Ogg, MPEG streams), a clock that starts again goes on instead.
        Can be called again: the file is then opened once more.
        """
        import av

        source, self._unread = self._unread or _open(self.path), None
        clock = _Clock(source)
        try:
            for packet in source.demux():
                if clock.restarts:
                    clock.mend(packet)
                yield packet
        except IndexError:  # PyAV's end of a file in which a stream appeared late: all was read
            return
        except av.error.PatchWelcomeError as error:
            raise MediaError(_reason(error, self.log)) from None
        except av.error.FFmpegError as error:
            self.log.append((av.logging.ERROR, self.format, f"{_STOPPED}: {error.strerror}"))
        finally:
            if source is not self.container:  # streams of that one are still asked
                source.close()


@dataclass
class _Clock:
    """Joins the pieces of a chained or spliced stream, as ffmpeg does."""

    container: InputContainer
    _shift: float = 0.0
    _next: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restarts = bool(self.container.format.flags & 0x0200)  # AVFMT_TS_DISCONT

    def mend(self, packet: Packet[Any]) -> None:
        if packet.dts is None or packet.stream.type not in ("audio", "video"):
            return
        unit = float(packet.time_base)
        time = packet.dts * unit + self._shift
        expected = self._next.get(packet.stream_index, time)
        if time - expected > _FORWARD or expected - time > _BACK:
            self._shift += expected - time
            time = expected
        self._next[packet.stream_index] = time + (packet.duration or 0) * unit
        if self._shift:
            ticks = round(self._shift / unit)
            packet.dts += ticks
            if packet.pts is not None:
                packet.pts += ticks


def _open(path: Path) -> InputContainer:
    import av

    handle = os.open(path, os.O_RDONLY)
    try:  # by its number: a name such as f%d.png means more to these libraries
        options = {**_OPTIONS, "fd": str(handle)}
        first = os.pread(handle, 12, 0)
        if first[:4] == b"RF64" and look.claimed_size(path, first) is None:
            options["ignore_length"] = "1"  # from a pipe: it says that it is of length 0
        made = av.open("fd:", container_options=options, metadata_errors="replace")
    finally:
        os.close(handle)  # they have one of their own
    for stream in made.streams:
        if stream.codec_context is not None:
            stream.codec_context.thread_count = 1
            _forget_places(stream)
    return made


def _forget_places(stream: Any) -> None:
    """Let channels be in no known place: all are mixed alike.

    PyAV frees a list of places, as AIFF, CAF and MOV may have one, each time it is asked for the
    number of channels, and with each frame. Decoders that know the places themselves say so again.
    """
    if stream.type != "audio":
        return
    codec = stream.codec_context
    channels = codec.channels  # asked once: the list is gone then, until another one replaces it
    if channels > 2 or codec.name.startswith("pcm_"):
        codec.layout = f"{channels}C"


def listen() -> None:
    """Let what the libraries say be captured; it is heard in captures only."""
    import av

    av.logging.set_level(av.logging.WARNING)
    av.logging.set_skip_repeated(False)  # what was said of one file may be said of the next


@contextmanager
def opened(path: Path) -> Iterator[File]:
    """Open a file that :func:`equipoise.media.look.head` has seen.

    Raises:
        MediaError: No format of the list, or its header cannot be read.
    """
    import av

    listen()
    with av.logging.Capture() as log:
        try:
            file = File(path, _open(path), log)
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(look.lengthless(path) or _reason(error, log)) from None
        try:
            yield file
        finally:
            file.container.close()


def _reason(error: Exception, log: list[tuple[int, str, str]]) -> str:
    """Say in words of this project why a file could not be opened."""
    if any("not on whitelist" in text.lower() for _, _, text in log):
        return "no media format that is read here (playlists and lists of files are not)"
    said = next((text.strip() for level, _, text in log if level <= 16), "")
    what = said or getattr(error, "strerror", None) or str(error)
    if type(error).__name__ == "PatchWelcomeError":
        return f"a kind of file that is not read here ({what.partition(',')[0]})"
    return f"its header cannot be read: {what}"
