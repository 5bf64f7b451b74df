"""Which frames of a clip are kept, by the times at which a player shows them."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from equipoise.media.wants import Pick


@dataclass
class Timeline:
    """When the frames of a stream are shown; in ticks, counted from where the file starts."""

    unit: Fraction
    """Seconds in one tick."""
    times: list[int] = field(default_factory=list)
    """When each frame appears, ascending."""
    end: int = 0
    """When the last one disappears."""

    @property
    def seconds(self) -> float:
        """Length from the start of the file to the end of the last frame."""
        return float(self.end * self.unit)

    def choose(self, pick: Pick) -> list[int]:
        """Return ``pick.count`` ascending indices into :attr:`times` (at least one frame)."""
        if pick.how == "first":
            return [min(k, len(self.times) - 1) for k in range(pick.count)]
        if pick.how == "every":
            step = Fraction(str(pick.seconds)) / self.unit
            return [self._shown_at(k * step) for k in range(pick.count)]
        return self._even(pick.count)

    def _shown_at(self, time: Fraction) -> int:
        """Return the frame on screen; before the first one and after the last there is no other."""
        return max(0, bisect_right(self.times, time) - 1)

    def _even(self, count: int) -> list[int]:
        """Choose the frames on screen in the middle of ``count`` equal parts of [0, end).

        The middle of part k is (2k+1) end / (2 count), exact, so that no rounding decides. A clip
        with at least ``count`` frames gives ``count`` different ones, even when one is shown for
        long (variable frame rate); a shorter clip repeats.
        """
        middles = [Fraction((2 * k + 1) * self.end, 2 * count) for k in range(count)]
        chosen = [self._shown_at(middle) for middle in middles]
        if len(self.times) >= count:
            for k in range(1, count):
                chosen[k] = max(chosen[k], chosen[k - 1] + 1)
            for k in range(count):
                chosen[k] = min(chosen[k], len(self.times) - count + k)
        return chosen


def usual_step(times: Sequence[int]) -> int:
    """Return the usual distance of ascending times (1 if there is but one)."""
    steps = sorted(b - a for a, b in itertools.pairwise(times) if b > a)
    return steps[len(steps) // 2] if steps else 1
