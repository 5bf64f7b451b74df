"""A decoded frame to the array that is wanted: turned, scaled or cropped, in its colours.

One scaler for moving and still pictures, on every machine: swscale of the libraries inside the
PyAV wheel, bicubic, with accurate rounding and full chroma (the ``scale`` filter of ffmpeg with
``flags=bicubic+accurate_rnd+full_chroma_int+bitexact``). Pictures of 16 bits are not interpolated:
a distance between two measured ones was never measured.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.errors import MediaError
from equipoise.media.wants import Pictures, Still, left_out

if TYPE_CHECKING:
    from av import VideoFrame

#: SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND | SWS_BITEXACT
_FLAGS = 0x4 | 0x2000 | 0x40000 | 0x80000


SQUARE = Fraction(1)


@dataclass(frozen=True)
class Turn:
    """How a picture is turned to stand upright: first the axes swap, then they are reversed."""

    swap: bool = False
    left: bool = False
    """Left and right change places."""
    over: bool = False
    """Top and bottom change places."""

    def __call__(self, image: NDArray[Any]) -> NDArray[Any]:
        """Turn (height, width, channels)."""
        image = image.transpose(1, 0, 2) if self.swap else image
        return image[:: -1 if self.over else 1, :: -1 if self.left else 1]


#: By the number that EXIF gives to an orientation.
EXIF: Mapping[int, Turn] = {
    2: Turn(left=True),
    3: Turn(left=True, over=True),
    4: Turn(over=True),
    5: Turn(swap=True),
    6: Turn(swap=True, left=True),
    7: Turn(swap=True, left=True, over=True),
    8: Turn(swap=True, over=True),
}


@cache
def _name_everything() -> None:
    """Give side data of a kind that PyAV has no name for one: EXIF (31) hides the matrix beside it.

    Pictures of cameras in a clip, TIFF and WebP read as clips have it.
    """
    from av.sidedata import sidedata

    def nameless(kind: Any, value: int) -> Any:
        member = object.__new__(kind)
        member._name_, member._value_ = f"KIND_{value}", value
        return member

    names: Any = sidedata.Type
    names._missing_ = classmethod(nameless)


def turn_of(frame: VideoFrame) -> Turn:
    """Return the turn that a container asks for by its display matrix."""
    _name_everything()
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Turn()
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(matrix))  # x' = a x + c y, y' = b x + d y
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(swap=True, left=c < 0, over=b < 0)
    return Turn(left=a < 0, over=d < 0)


def convert(
    frame: VideoFrame, want: Pictures | Still, turn: Turn | None = None, aspect: Fraction = SQUARE
) -> NDArray[Any]:
    """Return a frame as it is wanted.

    Args:
        frame: As decoded.
        want: Size, fit, channels and bits.
        turn: How to turn it; None: as the frame itself says.
        aspect: Width of one pixel divided by its height (before it is turned).

    Returns:
        uint8, or uint16 for 16 bits, (height, width, channels).

    Raises:
        MediaError: Depth is wanted of a picture that has none.
    """
    turn = turn_of(frame) if turn is None else turn
    height, width = _cover(frame.width * aspect, frame.height, want, turn)
    size = (width, height) if turn.swap else (height, width)
    image: NDArray[Any] = (
        _deep(frame, *size) if want.bits == 16 else _scaled(frame, *size, want.channels)
    )
    image = turn(image)
    top, left = (height - want.height) // 2, (width - want.width) // 2
    image = image[top : top + want.height, left : left + want.width]
    if want.channels == 3 and image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image)


def _cover(shown: Fraction, high: int, want: Pictures | Still, turn: Turn) -> tuple[int, int]:
    """Return height and width, upright, of the scaled picture before its centre is cut out."""
    if want.fit == "stretch":
        return want.height, want.width
    sides = (shown, Fraction(high)) if turn.swap else (Fraction(high), shown)
    scale = max(want.height / sides[0], want.width / sides[1])
    return max(want.height, round(sides[0] * scale)), max(want.width, round(sides[1] * scale))


def cropped(
    frame: VideoFrame, want: Pictures | Still, turn: Turn | None = None, aspect: Fraction = SQUARE
) -> float:
    """Return the share of a frame's area that is not in what :func:`convert` returns."""
    turn = turn_of(frame) if turn is None else turn
    sides = (float(frame.height), float(frame.width * aspect))
    sides = sides[::-1] if turn.swap else sides
    return left_out(sides, (want.height, want.width), want.fit)


def _scaled(frame: VideoFrame, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    name = "gray" if channels == 1 else "rgb24"
    scaled = frame.reformat(width, height, name, interpolation=_FLAGS, threads=1)
    image: NDArray[Any] = scaled.to_ndarray()
    return image.reshape(height, width, channels)


def _deep(frame: VideoFrame, height: int, width: int) -> NDArray[np.uint16]:
    """Return grey as stored, the nearest values."""
    if not frame.format.name.startswith("gray") or "f" in frame.format.name:
        raise MediaError(f"no depth of 16 bits: its pixels are {frame.format.name}")
    return nearest(frame.to_ndarray(), height, width)


def narrowed(frame: VideoFrame, want: Pictures | Still) -> float:
    """Return the share of a grey picture's different values that 8 bits make equal (see Found)."""
    name = frame.format.name
    deep = name.startswith("gray") and "f" not in name and frame.format.components[0].bits > 8
    if want.bits != 8 or not deep:
        return 0.0
    return lost_values(frame.to_ndarray(), frame.format.components[0].bits - 8)


def lost_values(image: NDArray[Any], shift: int = 8) -> float:
    """Return which share of the different values is lost with the lowest ``shift`` bits."""
    values = np.unique(image)
    return 1 - len(np.unique(values >> shift)) / len(values)


def nearest(image: NDArray[Any], height: int, width: int) -> NDArray[np.uint16]:
    """Return the nearest values of a grey picture (rows, columns), as uint16 (height, width, 1)."""
    rows = (2 * np.arange(height) + 1) * image.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * image.shape[1] // (2 * width)
    return image[np.ix_(rows, columns)].astype(np.uint16)[..., None]
