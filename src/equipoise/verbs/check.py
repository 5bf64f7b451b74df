"""The verb ``check``: what is wrong with a folder of your own data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from equipoise.arguments import threads
from equipoise.errors import UserError
from equipoise.layout import PARAMS


def add(verb: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    verb.add_argument("folder", type=Path, help="a folder with a manifest.csv")
    threads(verb)
    verb.add_argument("--quick", action="store_true", help="all but what needs decoding")
    verb.set_defaults(action=_check)


def _check(options: argparse.Namespace) -> None:
    from equipoise.data import proposal
    from equipoise.data.check import check

    told = proposal.told(options.folder, PARAMS)
    if told is None:
        tables, split = proposal.propose(options.folder), None
        sys.stdout.write(f"proposed, for lack of an entry in {PARAMS}:\n{proposal.as_yaml(tables)}")
    else:
        tables, split = told
        sys.stdout.write(f"modalities of {PARAMS}: {', '.join(tables)}\n")
    found = check(options.folder, tables, options.threads, split, options.quick)
    for line in (*(f"note: {note}" for note in found.notes), *found.problems):
        sys.stdout.write(f"{line}\n")
    if found.problems:
        count = len(found.problems)
        raise UserError(f"{options.folder}: {count} problem(s), listed above; mend them")
    looked = "nothing was decoded (--quick)" if options.quick else "every sample was read"
    sys.stdout.write(f"{options.folder}: no problem found; {looked}\n")
