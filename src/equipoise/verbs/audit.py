"""The verb ``audit``: a stage of the graph, and a look at a data set or a folder at any time."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.errors import UserError

if TYPE_CHECKING:
    from equipoise.audit.samples import Samples
    from equipoise.params import Split


def add(verb: argparse.ArgumentParser) -> None:
    """Add what the stage does not have: ``equipoise audit NAME``, ``equipoise audit FOLDER``."""
    verb.description = (
        "With --dataset: the stage, which writes results/audit/NAME.json. With a NAME or FOLDER: "
        "says what is found and writes nothing. Exit status 2: files of your own data are on two "
        "sides of the split, and split.allow_leaks is false."
    )
    verb.add_argument(
        "target", metavar="NAME|FOLDER", nargs="?", help="a data set of params.yaml, or a folder"
    )
    verb.add_argument("--json", action="store_true", help="all findings, for programs")


def say(options: argparse.Namespace) -> None:
    """Print the findings of one data set of the project, or of a folder.

    Raises:
        UserError: Neither; or a user's own files stand on two sides.
    """
    from equipoise.audit import show
    from equipoise.audit.result import audit

    samples, split = _samples(options)
    found = audit(samples)
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    else:
        for line in show.lines(found):
            sys.stdout.write(f"{line}\n")
        counts = ", ".join(f"{count:,} {side}" for side, count in found["samples"].items())
        sys.stdout.write(f"{samples.dataset}: audited {counts}\n")
    if split and not split.allow_leaks:
        from equipoise.data.duplicates import refuse_shared

        columns = {c.name for c in samples.manifest.modalities.values() if not c.inline}
        refuse_shared(samples.rows, samples.sides, samples.checksums, columns)


def _samples(options: argparse.Namespace) -> tuple[Samples, Split | None]:
    """Return the samples and, of a user's own data, how they are split."""
    from equipoise import params
    from equipoise.data import proposal

    loaded = None
    if options.params.exists():
        loaded = params.load(options.params, options.overlay, feasible=False)
    if loaded and options.target in loaded.datasets:
        from equipoise.audit.stored import stored

        own = "folder" in loaded.datasets[options.target].download
        samples = stored(options.target, loaded.augment_of(options.target))
        return samples, loaded.split_of(options.target) if own else None
    folder = Path(options.target)
    if not folder.is_dir():
        known = ", ".join(loaded.datasets) if loaded else "none: no parameter file"
        raise UserError(
            f"{options.target!r} is no folder and no data set of {options.params} ({known})"
        )
    from equipoise.audit.folder import of_folder

    told = proposal.told(folder, options.params, options.overlay)
    tables, split = (
        (told.tables, told.split) if told else (proposal.propose(folder), params.Split())
    )
    tolerance = told.tolerance if told else None
    return of_folder(folder, tables, split, options.threads, tolerance), split
