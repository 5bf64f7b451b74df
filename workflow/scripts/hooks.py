"""Git hooks for results (``make hooks``): a forgotten ``record`` is refused, ``sync`` is done.

pre-commit puts unstaged changes aside while a hook runs: dvc.lock and params.yaml are those of the
commit, the results are those in place.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from record_sync import sync

from equipoise.errors import UserError, ending_in_one_line

LOCK = Path("dvc.lock")


def recorded() -> None:
    """Before a commit: refuse if results in place are not those that its dvc.lock records.

    Stale results (a parameter or the code changed since) are no fault: nothing was run.
    """
    changed = [path for path in _unrecorded() if Path(path).exists()]
    if changed:
        raise UserError(
            f"{len(changed)} result(s), e.g. {changed[0]}, are not those of the dvc.lock of this "
            "commit: run workflow/scripts/record and git add dvc.lock results (or commit with "
            "--no-verify)"
        )


def _unrecorded() -> list[str]:
    """Return outputs that differ from dvc.lock, or that it does not name."""
    text = subprocess.run(
        ["dvc", "status", "--json"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return [
        path
        for reasons in json.loads(text).values()
        for reason in reasons
        if isinstance(reason, dict)
        for path, state in reason.get("changed outs", {}).items()
        if state != "deleted"
    ]


def in_place() -> None:
    """After a checkout or a merge: put the results of the commit in place, and sync."""
    old = os.environ.get("PRE_COMMIT_FROM_REF", "ORIG_HEAD")  # not set after a merge
    files_only = os.environ.get("PRE_COMMIT_CHECKOUT_TYPE") == "0"
    rebasing = any(
        Path(_git("rev-parse", "--git-path", name)).exists()
        for name in ("rebase-merge", "rebase-apply")
    )
    if files_only or rebasing or not LOCK.exists() or not _git("diff", "--name-only", old, LOCK):
        return
    if subprocess.run(["dvc", "checkout", "--quiet"], check=False).returncode:
        raise UserError(
            "not all results of this commit are in place; if the cache lacks them: "
            "dvc pull && workflow/scripts/sync"
        )
    sync()


def _git(*arguments: str | Path) -> str:
    return subprocess.run(
        ["git", *arguments], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def pushed() -> None:
    """Before a push of commits: push the results, if there is a remote for them."""
    remote = subprocess.run(["dvc", "config", "core.remote"], capture_output=True, check=False)
    if LOCK.exists() and not remote.returncode:
        subprocess.run(["dvc", "push"], check=True)


if __name__ == "__main__":
    try:
        with ending_in_one_line():
            {"recorded": recorded, "in_place": in_place, "pushed": pushed}[sys.argv[1]]()
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {' '.join(map(str, error.cmd))} failed; its message stands above")
