"""What a result was made from: code, data and package versions. Tracking and the report ask here.

Nothing here raises for want of a tool or a file: what cannot be found out is empty, and the caller
shows it as unknown.
"""

import hashlib
import json
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from equipoise import layout, vouch
from equipoise.errors import UserError

#: Packages whose version can change a number in the results.
PACKAGES = ("equipoise", "torch", "torchvision", "torchaudio", "numpy", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Code:
    """State of the project folder's git repository."""

    commit: str
    """Full hash of the commit checked out, or empty: no git, no repository, no commit."""
    dirty: bool
    """A tracked source file differs from that commit (False when there is no commit)."""


#: What is code: results under git, such as dvc.lock, do not make a run dirty.
SOURCES = ("src", "workflow", "Snakefile", "pyproject.toml")
#: Within the copy of the code that a cluster run works with: the state that was copied.
FROZEN = "commit.json"


@cache
def code() -> Code:
    """Return the commit of the code that runs (asked once for each process).

    It is that of the current directory's repository, or the one noted in a frozen copy of it.
    """
    frozen = Path(__file__).parents[2] / FROZEN
    if frozen.exists():
        return Code(**json.loads(frozen.read_text(encoding="utf-8")))
    commit = _git("rev-parse", "HEAD")
    state = _git("status", "--porcelain", "--untracked-files=no", "--", *SOURCES)
    return Code(commit, bool(commit and state))


def day() -> str:
    """Return the day of the commit of :func:`code`, as year-month-day; empty without a commit."""
    commit = code().commit
    return _git("show", "--no-patch", "--format=%cs", commit) if commit else ""


def data_hash(dataset: str) -> str:
    """Return one sha256 for the raw data of a data set: what its clips are and what they contain.

    The hash covers the sha256 of the manifest and that of the list of media checksums, so that it
    costs no read of the media. Both are taken from the extraction record if the raw folder is not
    here (a clone with ``dvc pull`` of the features only).

    Returns:
        64 hexadecimal digits, or an empty string when neither the raw folder nor the record exists.
    """
    raw = layout.raw(dataset)
    try:
        parts = [
            hashlib.sha256(raw[name].read_bytes()).hexdigest() for name in ("manifest", "checksums")
        ]
    except OSError:
        try:
            record = vouch.read(layout.features(dataset)["record"], "run stage extract")
            parts = [str(record["manifest_sha256"]), str(record["media_sha256"])]
        except (OSError, UserError):
            return ""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of every package in :data:`PACKAGES` (if installed)."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str:
    """Return what git says, or nothing: not installed, no repository, or longer than 10 s."""
    try:
        result = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()
