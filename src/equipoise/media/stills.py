"""Still pictures, by what is in them and not by their names."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media import container, picture
from equipoise.media.errors import MediaError, MissingStreamError
from equipoise.media.wants import Found, Still

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "PCX", "JPEG2000", "AVIF")
#: Recognised by the end of its name alone: it has no mark at its start.
_TARGA = (".tga", ".icb", ".vda", ".vst")
#: Larger pictures are refused (Pillow's own limit against decompression bombs): 179 million pixels.
LIMIT = 178_956_970
#: Formats that are no pictures for Pillow, by what they start with.
_NAMED = {"OpenEXR": (0, b"v/1\x01"), "JPEG XL": (0, b"\xff\x0a"), "Photoshop": (0, b"8BPS")}
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_ORIENTATION = 0x0112
#: Marks in a JPEG without a part of their own: stuffing, filling, restarts.
_LENGTHLESS = (0x00, 0x01, 0xFF, *range(0xD0, 0xD9))
#: Parts of a JPEG that hold no picture; APP0 and APP14 say how its colours are stored.
_REMARKS = (*range(0xE1, 0xEE), 0xEF, 0xFE)


def read(path: Path, first: bytes, wants: Mapping[str, Still]) -> dict[str, Found]:
    """Decode a still picture, the first one of an animation, a cover, or the first of a clip.

    Transparency is left out, as ffmpeg does; colour profiles are not applied.

    Args:
        path: The file.
        first: Its first bytes.
        wants: What is wanted, by name.

    Returns:
        What was found, by name.

    Raises:
        MediaError: Not a picture, damaged, truncated or too large; the reason.
        MissingStreamError: Media without any picture.
    """
    _refuse_by_name(first)
    import av
    from PIL import Image, UnidentifiedImageError

    Image.init()
    expected = ("TGA",) if path.suffix.lower() in _TARGA else _FORMATS
    formats = tuple(name for name in expected if name in Image.OPEN)  # AVIF depends on the wheel
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as image:
                return _wanted(path, image, wants)
    except UnidentifiedImageError:
        return _from_clip(path, wants)
    except Image.DecompressionBombError:
        raise MediaError(f"more than {LIMIT:,} pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError, av.error.FFmpegError) as error:
        raise MediaError(f"damaged: {error}") from None


def _refuse_by_name(first: bytes) -> None:
    for name, (at, mark) in _NAMED.items():
        if first[at : at + len(mark)] == mark:
            raise MediaError(f"{name} picture: not read here; convert it to PNG or TIFF")
    if first[4:8] == b"ftyp" and first[8:12] in _HEIF:
        raise MediaError("HEIC picture: not read here; convert it to PNG or JPEG")


def _wanted(path: Path, image: Image.Image, wants: Mapping[str, Still]) -> dict[str, Found]:
    import av

    if image.width * image.height > LIMIT:
        raise MediaError(f"{image.width} x {image.height}: more than {LIMIT:,} pixels")
    image.load()
    if image.format == "JPEG":
        _check_jpeg(path.read_bytes())
    turn = picture.EXIF.get(_orientation(image), picture.Turn())
    found = {}
    for name, want in wants.items():
        pixels: NDArray[Any]
        if want.bits == 16:
            pixels, layout = _depth(image), "gray16le"
        elif want.channels == 1 and image.mode in ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L"):
            pixels, layout = _bytes(image, "L"), "gray"
        else:
            pixels, layout = _bytes(image, "RGB"), "rgb24"
        frame = av.VideoFrame.from_ndarray(pixels, format=layout)
        cut = image.mode.startswith("I") and want.bits == 8
        lost = picture.lost_values(_depth(image)) if cut else 0.0
        out = picture.cropped(frame, want, turn)
        found[name] = Found(picture.convert(frame, want, turn), narrowed=lost, cropped=out)
    return found


def _orientation(image: Image.Image) -> Any:
    """Return what EXIF says; broken EXIF says nothing, and the picture is whole all the same."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, struct.error):
        return 1


def is_deep(path: Path) -> bool:
    """Return whether this is a grey picture of 16 bits."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "TIFF", "PPM")) as image:
            return image.mode.startswith("I")
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return False  # said elsewhere


def _check_jpeg(data: bytes) -> None:
    """Refuse a JPEG of which a part was overwritten: Pillow's decoder mends it without a word.

    The decoder of ffmpeg reads it once more and is asked for errors. What it cannot read at all
    (some layouts of CMYK) it does not judge.
    """
    import av

    container.listen()
    with av.logging.Capture() as log:
        decoder = av.CodecContext.create("mjpeg", "r")
        decoder.thread_count = 1
        try:
            frames = decoder.decode(av.Packet(_without_remarks(data))) + decoder.decode(None)
        except av.error.PatchWelcomeError:
            return
        except av.error.FFmpegError as error:
            raise MediaError(f"damaged: {error.strerror}") from None
    said = next((text.strip() for level, _, text in log if level <= av.logging.ERROR), "")
    if said or any(frame.is_corrupt for frame in frames):
        raise MediaError(f"damaged: {said or 'corrupt'}")


def _without_remarks(data: bytes) -> bytes:
    """Return the parts of a JPEG that its picture is made of, up to its end.

    They are walked by their lengths: a small picture among the remarks has an end of its own.
    Remarks (EXIF, profiles, comments) may be broken: the picture is whole all the same.
    """
    parts: list[bytes] = []
    at, begin = 2, 0
    while (mark := data.find(b"\xff", at)) >= 0 and mark + 4 <= len(data):
        kind = data[mark + 1]
        if kind == 0xD9:
            return b"".join(parts) + data[begin : mark + 2]
        if kind in _LENGTHLESS:
            at = mark + (1 if kind == 0xFF else 2)
            continue
        at = mark + 2 + int.from_bytes(data[mark + 2 : mark + 4], "big")
        if kind in _REMARKS:
            parts.append(data[begin:mark])
            begin = at
    return b"".join(parts) + data[begin:]


def _bytes(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    """Return 8 bits a channel; of 16 bits the upper 8, as the range asks for."""
    from PIL import Image

    if image.mode == "F":
        raise MediaError("its pixels are floating-point numbers without a range; store whole ones")
    if image.mode.startswith("I"):
        image = Image.fromarray((_depth(image) >> 8).astype(np.uint8))
    return np.asarray(image if image.mode == mode else image.convert(mode))


def _depth(image: Image.Image) -> NDArray[np.uint16]:
    """Return a grey picture with all its bits."""
    if image.mode not in ("1", "L", "I", "I;16", "I;16B", "I;16L"):
        raise MediaError(f"no depth of 16 bits: its pixels are {image.mode}")
    values: NDArray[Any] = np.asarray(image)
    if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise MediaError(f"values of {values.min()} to {values.max()}; 16 bits hold 0 to 65535")
    return np.ascontiguousarray(values.astype("<u2"))


def _from_clip(path: Path, wants: Mapping[str, Still]) -> dict[str, Found]:
    """Return the cover of a piece of music, or the first frame of a clip."""
    import av

    with container.opened(path) as file:
        streams = [s for s in file.container.streams.video if s.codec_context is not None]
        if not streams:
            raise MissingStreamError(next(iter(wants)))
        stream = max(streams, key=lambda s: (bool(s.disposition & 1), s.width * s.height))
        try:
            for packet in file.container.demux(stream):
                for frame in packet.decode():
                    if frame.is_corrupt:
                        raise MediaError("damaged: its first frame is corrupt")
                    return {
                        name: Found(picture.convert(frame, w), cropped=picture.cropped(frame, w))
                        for name, w in wants.items()
                    }
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(f"damaged: {error.args[-1]}") from None
    raise MediaError("no picture in it")
