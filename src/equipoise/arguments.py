"""Kinds of arguments of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(least: int, below: int = 2**63) -> Callable[[str], int]:
    """Return a reader of whole numbers from ``least`` on."""

    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > 20 or not least <= int(text) < below:
            shown = text if len(text) <= 40 else f"{text[:40]}…"
            raise argparse.ArgumentTypeError(
                f"{shown!r} is not a whole number from {least} on, below {below}"
            )
        return int(text)

    return read


def pair(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not MODALITY=VALUE")
    return name, value
