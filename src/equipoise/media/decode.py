"""One media file to arrays: everything that modalities want of it, by one reading.

Decoded in the process, one thread, by the libraries inside the PyAV and Pillow wheels: the same
file gives the same bytes whatever is installed beside them. A damaged file is refused, never
shortened. A decoder that crashes takes its process with it: :mod:`equipoise.media.pool`.
"""

import struct
from collections.abc import Mapping
from pathlib import Path

from equipoise.media import clip as clips
from equipoise.media import look, stills
from equipoise.media.damage import Tolerance
from equipoise.media.errors import MediaError, MissingStreamError
from equipoise.media.wants import Found, Pictures, Sound, Still, Want

_ODD = (ArithmeticError, LookupError, OSError, ValueError, struct.error)

__all__ = ["MediaError", "MissingStreamError", "Tolerance", "decode"]


def decode(
    path: Path, wants: Mapping[str, Want], tolerance: Tolerance | None = None
) -> dict[str, Found]:
    """Decode a file.

    What no decoder can know passes: an MPEG transport stream cut between packets, zeros inside of
    plain PCM, a lost last packet of an MP3.

    Args:
        path: The file.
        wants: What is wanted of it, by the name of the modality.
        tolerance: How much may be missing; None: what :class:`Tolerance` says.

    Returns:
        What was found for each want.

    Raises:
        MediaError: Not a media file, damaged or truncated; the reason.
        MissingStreamError: It does not hold what is wanted.
    """
    first = look.head(path)
    moving = {n: want for n, want in wants.items() if isinstance(want, Pictures | Sound)}
    still = {n: want for n, want in wants.items() if isinstance(want, Still)}
    found: dict[str, Found] = {}
    try:
        if still:
            found |= stills.read(path, first, still)
        if moving:
            found |= clips.read(path, first, moving, tolerance or Tolerance())
    except _ODD as error:  # numbers in damaged files that no step of ours or of a library expects
        what = " ".join(str(error).split()) or "no reason given"
        raise MediaError(f"cannot be decoded ({type(error).__name__}: {what[:200]})") from error
    return {name: found[name] for name in wants}
