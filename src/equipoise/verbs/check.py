"""The verb ``check``: what is wrong with a folder of your own data."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from equipoise.arguments import threads
from equipoise.errors import UserError
from equipoise.layout import PARAMS


def add(verb: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    verb.add_argument(
        "folder", type=Path, help="a folder with a manifest.csv, or a data set of params.yaml"
    )
    threads(verb)
    verb.add_argument("--quick", action="store_true", help="all but what needs decoding")
    verb.add_argument(
        "--probe", action="store_true", help="also a linear model of each extracted modality alone"
    )
    verb.set_defaults(action=_check)


def _check(options: argparse.Namespace) -> None:
    from equipoise.data import proposal
    from equipoise.data.check import check

    told = proposal.told(options.folder, PARAMS)
    folder = told.folder if told else options.folder
    if told is None:
        tables, split, tolerance = proposal.propose(folder), None, None
        sys.stdout.write(f"proposed, for lack of an entry in {PARAMS}:\n{proposal.as_yaml(tables)}")
    else:
        tables, split, tolerance = told.tables, told.split, told.tolerance
        sys.stdout.write(f"modalities of {PARAMS}: {', '.join(tables)}\n")
    found = check(folder, tables, options.threads, split, options.quick, tolerance)
    for line in (*(f"note: {note}" for note in found.notes), *found.problems):
        sys.stdout.write(f"{line}\n")
    for line in _alone(told.name if told else "", options.probe):
        sys.stdout.write(f"{line}\n")
    if found.problems:
        count = len(found.problems)
        raise UserError(f"{folder}: {count} problem(s), listed above; mend them")
    looked = "nothing was decoded (--quick)" if options.quick else "every sample was read"
    sys.stdout.write(f"{folder}: no problem found; {looked}\n")


def _alone(dataset: str, probe: bool) -> Iterator[str]:
    """Yield what each modality reaches alone: warnings where results are, all where it is asked."""
    from equipoise.evaluation import alone

    if probe and not dataset:
        raise UserError(f"--probe reads what was extracted: enter the folder into {PARAMS} first")
    if dataset:
        found = alone.trained(dataset).items()
        yield from (alone.line(name, one) for name, one in found if one.at_chance)
    if probe:
        from equipoise.training.probe import probe as probed

        yield from (alone.line(name, one) for name, one in probed(dataset).items())
