"""The weight of the alignment as a function of the epoch."""

import math

POLYNOMIAL = (
    0.204623704,
    3.35472727e-3,
    1.22989557e-4,
    -2.92947416e-6,
    2.23835486e-8,
    -5.39717505e-11,
)
"""Weight of the classification in the released code, by powers of the epoch from 0."""


def fitted(epoch: int) -> float:
    """Return 1 - k0, the weight of the alignment in the released ``Crema_epoch.py``.

    It is not clipped there: below 0 in epochs 178 to 189 of 200, the alignment is then undone.

    Args:
        epoch: t, counted from 1; the released code counts from 0.

    >>> round(fitted(1), 3), round(fitted(184), 4)
    (0.795, -0.0105)
    """
    return 1 - sum(c * float(epoch - 1) ** power for power, c in enumerate(POLYNOMIAL))


def alpha(schedule: str, epoch: int, epochs: int, level: float) -> float:
    """Return the weight of the alignment, in [0, 1].

    Args:
        schedule: ``heuristic`` 1 - e^(-1/t); ``exponential`` e^(-0.3 (t - 1)) within [0.05, 0.95]
            (an earlier state of the released code); ``polynomial`` :func:`fitted`, for 200 epochs,
            clipped; ``cubic`` the curve
            fitted to the learned weights of Kinetics-Sounds (paper, 4.4), clipped; ``constant``
            level; ``step`` level, then 1 - level from the second half on.
        epoch: t, counted from 1 at the method's first epoch.
        epochs: How many epochs the method has.
        level: See ``schedule``.

    >>> [round(alpha("heuristic", t, 100, 0.5), 3) for t in (1, 2, 10)]
    [0.632, 0.393, 0.095]
    """
    t = float(epoch)
    values = {
        "heuristic": 1 - math.exp(-1 / t),
        "exponential": min(max(math.exp(-0.3 * (t - 1)), 0.05), 0.95),
        "polynomial": fitted(epoch),
        "cubic": 1.5e-4 * t**3 - 6.5e-3 * t**2 + 3.2e-2 * t + 1,
        "constant": level,
        "step": level if 2 * epoch <= epochs else 1 - level,
    }
    return min(max(values[schedule], 0.0), 1.0)
