"""The verb ``track``: MLflow served, its store made, runs brought in."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from equipoise.arguments import whole
from equipoise.errors import UserError


def add(verb: argparse.ArgumentParser) -> None:
    """Add the tasks and their arguments."""
    tasks = verb.add_subparsers(dest="task", required=True, metavar="TASK")
    task = tasks.add_parser("init", help="create the local MLflow store")
    task.set_defaults(action=_init)

    task = tasks.add_parser("serve", help="run PostgreSQL and an MLflow server, until Ctrl-C")
    task.add_argument("--folder", type=Path, help="default: ~/.local/share/equipoise/tracking")
    task.add_argument("--host", default="127.0.0.1", help="0.0.0.0: other machines may connect")
    task.add_argument("--port", type=whole(1, 2**16), default=5000)
    task.set_defaults(action=_serve)

    task = tasks.add_parser("import", help="bring in runs that were logged without a server")
    task.add_argument("folder", type=Path, nargs="?", help="default: state/tracking")
    task.add_argument("--killed", action="store_true", help="also runs that never ended")
    task.add_argument("--remove", action="store_true", help="delete what is in the store")
    task.set_defaults(action=_import)


def _init(options: argparse.Namespace) -> None:
    from equipoise import tracking

    tracking.init_store()


def _serve(options: argparse.Namespace) -> None:
    from equipoise.tracking import server

    def announce(uri: str) -> None:
        sys.stdout.write(f"export MLFLOW_TRACKING_URI={uri}\n")
        sys.stdout.flush()

    folder = options.folder or server.default_folder()
    server.serve(folder, options.host, options.port, announce)


def _import(options: argparse.Namespace) -> None:
    from equipoise.tracking import bring_in, journal, shown_uri, store_uri

    if not (uri := store_uri()):
        raise UserError("no store to import into; set MLFLOW_TRACKING_URI")
    folder = options.folder or journal.FOLDER
    if options.folder and not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the state/tracking of a project")
    counts = bring_in.import_runs(folder, uri, options.killed, options.remove)
    sys.stdout.write(f"{folder} -> {shown_uri()}\n")
    for kind, note in bring_in.NOTES.items():
        if counts[kind] or kind == "imported":
            sys.stdout.write(f"{counts[kind]:6} {note}\n")
    if counts["damaged"]:
        raise UserError(f"{counts['damaged']} journal(s) cannot be read, named above")
