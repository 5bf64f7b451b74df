"""Room on a disk, asked for before anything is written: the one place that compares."""

from __future__ import annotations

import shutil
from pathlib import Path

from equipoise.errors import UserError


def expect(folder: Path, needed: int, about: bool = False) -> None:
    """Refuse a disk without room for what is still to come.

    Args:
        folder: On the disk; it is there.
        needed: Bytes.
        about: They are an estimate.

    Raises:
        UserError: How much is needed and how much is free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder}: {'about ' if about else ''}{needed} bytes are still to come, {free} are "
            "free there; make room, or use a folder on another disk"
        )
