"""Kinds of arguments of the command line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

MOST_THREADS = 4096
"""More than any machine has; far more cannot be started, or overflow in torch."""


def threads(verb: argparse.ArgumentParser) -> None:
    """Add ``--threads``."""
    cores = min(os.cpu_count() or 1, MOST_THREADS)
    kind = whole(1, MOST_THREADS + 1)
    verb.add_argument("--threads", type=kind, default=cores, help="default: all cores")


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
