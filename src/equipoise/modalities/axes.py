"""Settings of kinds that read files of arrays."""

from __future__ import annotations


def check_axes(axes: str, letters: str, needed: str = "", repeated: str = "") -> None:
    """Raise ValueError unless ``axes`` names each of ``letters`` at most once, or 1.

    Args:
        axes: What a user wrote.
        letters: What can stand there.
        needed: What must.
        repeated: What may stand there more than once.
    """
    for letter in axes:
        if letter not in (*letters, "1"):
            raise ValueError(f"axes: {letter!r} is none of {', '.join(letters)}, 1")
        if letter != "1" and letter not in repeated and axes.count(letter) > 1:
            raise ValueError(f"axes: {letter!r} stands twice in {axes!r}")
    for letter in needed:
        if letter not in axes:
            raise ValueError(f"axes: no {letter!r} in {axes!r}")
