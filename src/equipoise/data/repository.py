"""Fetch one tag or commit of a git repository: part of :mod:`equipoise.data.fetch`."""

import os
import re
import subprocess
from pathlib import Path

from equipoise import files
from equipoise.console import log, progress
from equipoise.data.sources import RepositorySource
from equipoise.errors import UserError

#: Bytes as committed, no hooks, and a mirror may belong to somebody else.
OPTIONS = ("core.autocrlf=false", "core.hooksPath=/dev/null", "advice.detachedHead=false")


class _GitError(Exception):
    """What git said when it failed."""


def clone(source: RepositorySource, destination: Path, places: list[str], hint: str) -> None:
    """Put the files of a tag or commit (and ``.git``) at ``destination``, if the commit is right.

    A clone that is there already is kept if it is at that commit and unchanged. git cannot resume:
    an interrupted clone starts again, and leaves nothing under the final name.

    Args:
        source: Which tag and commit.
        destination: Folder that appears by one rename.
        places: Remotes: URLs, paths of bare repositories or of bundles.
        hint: What a person can do when none of them works.

    Raises:
        UserError: No place gave that commit, or git is not installed.
    """
    if (destination / ".git").is_dir() and _is_at(destination, source.commit):
        return
    faults = []
    for place in places:
        wanted = source.tag or source.commit
        log.info("cloning %s %s (%s) from %s", destination.name, wanted, source.licence, place)
        try:
            with files.atomic_directory(destination) as folder:
                _clone(place, source, folder)
        except _GitError as error:
            faults.append(f"{place}: {error}")
            log.warning("%s: %s", place, error)
        else:
            return
    tried = " | ".join(faults)
    raise UserError(f"{destination}: no source gave the right commit: {tried}; {hint}")


def _clone(place: str, source: RepositorySource, folder: Path) -> None:
    """Clone into an empty folder; only objects that git has hashed itself (``--no-local``)."""
    options = [part for option in OPTIONS for part in ("-c", option)]
    if not source.tag:
        _fetch_commit(place, source, folder, options)
        return
    depth = [] if Path(place).is_file() else ["--depth=1"]  # a bundle is taken whole
    command = ["-c", "safe.directory=*", "clone", "--progress", "--no-local", "--template="]
    command += [*depth, *options, f"--branch={source.tag}", "--", place, str(folder)]
    _run(command, folder.name[1:].rsplit(".", 2)[0])
    found = _run(["-C", str(folder), "rev-parse", "HEAD"]).strip()
    if found != source.commit:
        raise _GitError(f"commit of tag {source.tag}: expected {source.commit}, got {found}")


def _fetch_commit(place: str, source: RepositorySource, folder: Path, options: list[str]) -> None:
    """Ask for one commit by its name; a bundle cannot be asked and is taken whole."""
    bundle = Path(place).is_file()
    what = ["--", place, "refs/*:refs/origin/*"] if bundle else ["--depth=1", "--", place]
    here = ["-C", str(folder), "-c", "safe.directory=*", *options]
    _run(["init", "--quiet", "--template=", str(folder)])
    _run([*here, "fetch", *what, *([] if bundle else [source.commit])])
    _run([*here, "checkout", "--quiet", "--detach", source.commit])


def _is_at(folder: Path, commit: str) -> bool:
    try:
        head = _run(["-C", str(folder), "rev-parse", "HEAD"]).strip()
        return head == commit and not _run(["-C", str(folder), "status", "--porcelain"]).strip()
    except _GitError:
        return False


def _run(arguments: list[str], title: str = "") -> str:
    """Run git; show the per cent it reports if there is a title; return standard output."""
    # Variables of a surrounding repository (a git hook, for example) would redirect every call.
    outer = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
    environment = {k: v for k, v in os.environ.items() if k not in outer}
    # Media stay pointers, also where git-lfs is installed: they are fetched one by one, checked.
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_LFS_SKIP_SMUDGE": "1"}
    try:
        process = subprocess.Popen(
            ["git", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise UserError("git: not found; install git") from None
    with process:
        said = _watch(process, title) if title else ""
        output, rest = process.communicate()
    if process.returncode:
        lines = (said + rest).strip().splitlines() or [f"git failed ({process.returncode})"]
        fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
        raise _GitError((fatal or lines)[-1])
    return output


def _watch(process: "subprocess.Popen[str]", title: str) -> str:
    """Show git's own progress (lines that end in a carriage return) as a bar; return the rest."""
    said, done = [], 0
    with progress(100, f"git: {title} (%)") as bar:
        for line in process.stderr or ():
            if found := re.match(r"Receiving objects:\s+(\d+)%", line):
                bar.advance(int(found[1]) - done)
                done = int(found[1])
            else:
                said.append(line)
    return "".join(said)
