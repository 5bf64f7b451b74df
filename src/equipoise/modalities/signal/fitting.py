"""A signal (T, C) of any length to one of a fixed length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.media.errors import MediaError

Floats = NDArray[np.float64]


def filled(values: Floats, how: str) -> Floats:
    """Return values (T, C) without NaN.

    Args:
        values: The signal.
        how: ``refuse``; ``zero``; ``interpolate``: by straight lines between what is there, before
            the first and after the last value by these.

    Raises:
        MediaError: NaN is refused, or a channel holds nothing else.
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    if how == "zero":
        return np.where(gaps, 0.0, values)
    if how == "refuse":
        raise MediaError(
            f"{gaps.mean():.0%} of the numbers are NaN; say missing: interpolate or zero"
        )
    result, times = values.copy(), np.arange(len(values))
    for channel in np.flatnonzero(gaps.any(axis=0)):
        there = ~gaps[:, channel]
        if not there.any():
            raise MediaError(f"channel {channel} holds nothing but NaN")
        result[:, channel] = np.interp(times, times[there], values[there, channel])
    return result


def cut(values: Floats, length: int, place: str) -> Floats:
    """Return ``length`` steps: a part of a longer signal, or a shorter one and its last values."""
    spare = len(values) - length
    if spare < 0:
        return np.pad(values, ((0, -spare), (0, 0)), mode="edge")
    start = spare // 2 if place == "centre" else 0
    return values[start : start + length]


def stretched(values: Floats, length: int, how: str) -> Floats:
    """Return the whole signal as ``length`` steps; one of this length stays as it is.

    Args:
        values: (T, C).
        length: Steps of the result.
        how: ``linear``: step k is read at k (T - 1) / (length - 1), between its neighbours;
            ``poly``: step k is read at k T / length, behind a low-pass filter
            (scipy.signal.resample_poly; the straight line from the first to the last value is
            taken away before and added after, so that the ends do not ring).
    """
    steps = len(values)
    if steps == length:
        return values
    if how == "poly":
        from scipy.signal import resample_poly

        return np.asarray(resample_poly(values, length, steps, axis=0, padtype="line"))
    place = np.linspace(0, steps - 1, length)
    below = np.minimum(place.astype(np.int64), max(steps - 2, 0))
    above = np.minimum(below + 1, steps - 1)
    share = (place - below)[:, None]
    return np.asarray((1 - share) * values[below] + share * values[above])


def centred(values: Floats, coordinates: int) -> Floats:
    """Return points with the mean of them all, over all steps, as the origin.

    Args:
        values: (T, C) or (C,); channel k is coordinate k % ``coordinates`` of a point.
        coordinates: Of one point.
    """
    points = values.reshape(-1, coordinates)
    return np.asarray((points - points.mean(axis=0)).reshape(values.shape))
