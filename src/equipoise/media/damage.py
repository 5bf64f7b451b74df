"""When a file is refused for damage: only when something that should be shown is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from equipoise.media import look
from equipoise.media.errors import MediaError
from equipoise.section import Section

if TYPE_CHECKING:
    from equipoise.media.container import File
    from equipoise.media.tracks import Track

#: Headers round to milliseconds, or to the hundredth of a second.
_ROUNDING = 0.011
#: Formats of which :func:`look.claimed_size` tells where the media end; of others, where the file
#: does (an index may be cut off).
_CONTENT = ("wav", "aiff", "caf", "matroska", "mp3")
#: Formats with an index of all packets.
_INDEXED = ("mov", "avi")


class Tolerance(Section):
    """How much of a media file may be missing."""

    seconds: Annotated[float, Field(ge=0)] = 0.5
    """A file may be so much shorter than its header says (headers of FLV are up to 0.4 s too long),
    and decoders may stay silent about so much, ..."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.02
    """... or so large a share of the whole, whichever is more."""
    broken: Annotated[float, Field(ge=0)] = 0.0
    """Seconds that are known to be lost: cut off, or refused by a decoder. By default none."""

    def short(self, whole: float) -> float:
        """Return how many of ``whole`` seconds may be missing."""
        return max(self.seconds, self.share * whole)


def judge(
    file: File, first: bytes, tracks: Iterable[Track], ends: float, allowed: Tolerance
) -> None:
    """Refuse a file of which something is missing.

    Args:
        file: Read to its end.
        first: Its first bytes.
        tracks: What is shown; of what is wanted, after the last frame was decoded.
        ends: When the last packet of all streams ends, in seconds by the clock of the file.
        allowed: How much may be missing.

    Raises:
        MediaError: Which stream, what was expected, what was there.
    """
    _check_whole(file, first, ends, allowed)
    size = look.claimed_size(file.path, first)
    for track in tracks:
        _check_packets(file, track, size, allowed)
        if track.wanted:
            _check_decoded(track, allowed)


def _check_decoded(track: Track, allowed: Tolerance) -> None:
    """Compare what the decoder gave with what the packets promise."""
    whole, there = track.expected, track.decoded
    if not track.count:
        raise MediaError(f"damaged: no {track.unit_name} of the {track.name} can be decoded")
    if track.broken > allowed.broken:
        raise MediaError(
            f"damaged {track.name}: {track.broken:.2f} s of {whole:.2f} s cannot be decoded"
            f" ({track.reason}, first at {track.first_broken:.2f} s)"
        )
    if whole - there > allowed.short(whole):
        raise MediaError(f"damaged {track.name}: {there:.2f} s of {whole:.2f} s were decoded")


def _check_whole(file: File, first: bytes, ends: float, allowed: Tolerance) -> None:
    """Compare with what the header says: how many bytes, how many seconds."""
    claim = file.claim or 0.0
    short = claim - ends if claim else 0.0
    size, wanted = file.path.stat().st_size, look.claimed_size(file.path, first) or 0
    lost, why = 0.0, file.damage
    if size < wanted:
        estimate = ends * (wanted - size) / size
        lost = max(short, estimate) if file.format in _CONTENT or not claim else short - _ROUNDING
        why = f"{size:,} of {wanted:,} bytes"
    elif why:
        lost = max(short, _ROUNDING)
    if why and lost > allowed.broken and size >= wanted and short <= _ROUNDING:
        raise MediaError(f"damaged: {why}")
    if lost > allowed.broken or short > allowed.short(claim):
        raise MediaError(
            f"truncated: {ends:.2f} s of the {max(claim, ends + lost):.2f} s that its header claims"
            + (f" ({why})" if why else "")
        )
    look.check_ogg(file.path, first)


def _check_packets(file: File, track: Track, size: int | None, allowed: Tolerance) -> None:
    """Look for packets that are cut, or missing from a format that lists all of them."""
    listed = len(track.stream.index_entries) if file.format in _INDEXED else 0
    if (lost := track.share(listed - track.packets, listed)) > allowed.broken:
        raise MediaError(
            f"truncated {track.name}: {track.packets} of the {listed} packets in its index"
            f" ({lost:.2f} s are missing)"
        )
    # A recording of unknown length may end anywhere.
    cut = [] if file.format in ("wav", "caf") and size is None else track.cut
    if (lost := track.seconds(len(cut))) > allowed.broken:
        raise MediaError(
            f"truncated {track.name}: {len(cut)} of {track.packets} packets are cut short"
            f" ({lost:.2f} s of {track.expected:.2f} s)"
        )
