"""The command line: verbs only. Parse, call the stage, report errors in one line."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.arguments import threads, whole
from equipoise.errors import INTERRUPTED, TRY_AGAIN, ProcessError, Stopped, UserError, one_line
from equipoise.layout import CELL, PARAMS
from equipoise.verbs import audit, check, predict, track

if TYPE_CHECKING:
    from equipoise.params import Params, Runtime

STAGE_HELP = {
    "download": "fetch or make the raw media of a data set, with a manifest and checksums",
    "extract": "decode raw media into the HDF5 feature store; list what cannot be decoded",
    "split": "assign every sample to training, validation or test, without leakage",
    "audit": "say what is wrong with a data set: leaks, contradictions, cut clips",
    "embed": "run encoders that are frozen as a whole once, in place of in every step",
    "warmup": "train jointly until every modality is fit well enough to be compared",
    "gap": "measure per-sample modality gaps and fit the Gaussian mixture to them",
    "search": "try hyper-parameters of one method and choose on the validation split",
    "train": "train one method with one seed; an interrupted run continues where it was",
    "evaluate": "measure a trained model on the validation and the test split",
    "compare": "gather all runs into the table, the curves and the report",
}

LISTS = {
    "methods": "the balancing methods and their options",
    "encoders": "the encoders, what they read and their weights",
    "modalities": "the kinds of modalities and their settings",
}

SHARED = ("warmup", "search", "train")
"""Stages that several processes can share."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status, after one line about what went wrong.

    2: bad input; 75: stopped by SIGTERM or SIGUSR1, to be run again; 130: stopped by Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    from equipoise.console import setup_logging  # ``--help`` needs nothing but the parser

    options.arguments = sys.argv[1:] if arguments is None else arguments
    setup_logging(options.verbose)
    # Of several processes of one job, all meet the same error; the first of a machine says it.
    speaks = os.environ.get("LOCAL_RANK", "0") == "0"
    try:
        status = _handed_over(options.arguments) if arguments is None else None
        if status is None:
            status = options.action(options)
        sys.stdout.flush()  # a full disk behind it is met here, not when Python ends
    except UserError as error:
        if speaks or isinstance(error, ProcessError):
            sys.stderr.write(f"equipoise {options.verb}: error: {error}\n")
        return 2
    except Stopped as stopped:
        if speaks:
            sys.stderr.write(f"equipoise {options.verb}: {stopped}\n")
        return INTERRUPTED if stopped.signal == "SIGINT" else TRY_AGAIN
    except KeyboardInterrupt:
        continues = "; the same command continues" if options.verb in CELL else ""
        sys.stderr.write(f"equipoise: interrupted{continues}\n")
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except (OSError, MemoryError, UnicodeError) as error:
        sys.stderr.write(f"equipoise {options.verb}: error: {one_line(error)}\n")
        if sys.stdout is sys.__stdout__:  # what is left in its buffer cannot be written either
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2
    return status or 0


def _handed_over(arguments: Sequence[str]) -> int | None:
    """Return the exit status of the fork that ran the command, None where there is no server."""
    if "EQUIPOISE_FORKSERVER" not in os.environ:
        return None
    from equipoise import forkserver

    return forkserver.hand_over(arguments)


def _parser() -> argparse.ArgumentParser:
    from equipoise import __version__

    parser = argparse.ArgumentParser(
        prog="equipoise",
        description="Balanced multimodal learning: from raw media to an honest comparison.",
    )
    parser.add_argument("--version", action="version", version=f"equipoise {__version__}")
    parser.add_argument("--verbose", "-v", action="store_true", help="more log lines")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for stage, cell in CELL.items():
        _add_stage(verbs.add_parser(stage, help=STAGE_HELP[stage]), cell)
    audit.add(verbs.choices["audit"])

    check.add(verbs.add_parser("check", help="say what is wrong with a folder of your own data"))

    predict.add(verbs.add_parser("predict", help="predict media files with a trained model"))
    _add_verify(verbs.add_parser("verify", help="find damage in workspace, DVC cache and remote"))

    verb = verbs.add_parser("show", help="print the result table and where the report is")
    verb.add_argument("table", type=Path, nargs="?", default=Path("results/comparison.csv"))
    verb.add_argument("--markdown", action="store_true", help="as Markdown, for a paper or README")
    verb.add_argument(
        "--differences", action="store_true", help="differences to the baseline, and their cost"
    )
    verb.set_defaults(action=_show)

    verb = verbs.add_parser("params", help="check params.yaml, print its schema, apply overlays")
    verb.add_argument("task", choices=["check", "schema", "apply"])
    verb.add_argument("overlay", type=Path, nargs="*", default=[], help="overlay files")
    verb.set_defaults(action=_params)

    for name, title in LISTS.items():
        verb = verbs.add_parser(name, help=f"list {title}")
        verb.add_argument("--json", action="store_true", help="with every option, for programs")
        verb.set_defaults(action=_list)

    verb = verbs.add_parser("datasets", help="list the published data sets: access, licence, lists")
    verb.add_argument("--json", action="store_true", help="with every address, for programs")
    verb.add_argument("--markdown", action="store_true", help="as docs/datasets.md")
    verb.set_defaults(action=_datasets)

    verb = verbs.add_parser("card", help="write the Croissant card of a data set, for others")
    verb.add_argument("dataset", help="a data set whose stages extract and split have run")
    verb.set_defaults(action=_card)

    track.add(verbs.add_parser("track", help="MLflow: serve, import runs, create the store"))
    return parser


def _add_verify(verb: argparse.ArgumentParser) -> None:
    verb.description = "Exit status: 0 all is whole, 1 something is not, 2 it cannot be found out."
    verb.add_argument("path", type=Path, nargs="*", help="files, folders, data sets; default: all")
    verb.add_argument(
        "--remote", nargs="?", const="", metavar="NAME", help="a DVC remote too; default: DVC's own"
    )
    verb.set_defaults(action=_verify)


def _add_stage(verb: argparse.ArgumentParser, cell: Sequence[str]) -> None:
    if "dataset" in cell:
        required = not verb.prog.endswith(" audit")  # which may be told a name or a folder
        verb.add_argument("--dataset", required=required, help="a data set of params.yaml")
    if "method" in cell:
        verb.add_argument("--method", required=True, help="a method of params.yaml")
    if "seed" in cell:
        verb.add_argument("--seed", required=True, type=whole(0), help="any whole number from 0")
    if verb.prog.endswith(" extract"):
        verb.add_argument("--part", type=whole(0), help="only this part of extract.parts, from 0")
    threads(verb)
    verb.add_argument("--params", type=Path, default=PARAMS, help="default: params.yaml")
    verb.add_argument("--overlay", type=Path, action="append", default=[], help="repeatable")
    verb.add_argument("--settings", help="JSON in place of the parameter file (the workflow's way)")
    verb.add_argument("--code", default="", help="digest of the source files (the workflow's way)")
    verb.set_defaults(action=_stage)


def _stage(options: argparse.Namespace) -> int:
    from equipoise import params, timing
    from equipoise.stages.job import Job

    stage = options.verb
    if stage == "audit" and bool(options.target) == bool(options.dataset):
        raise UserError("name one thing: a data set or a folder, or --dataset NAME (the stage)")
    if getattr(options, "target", None):
        audit.say(options)
        return 0
    dataset, method = getattr(options, "dataset", ""), getattr(options, "method", "")
    if options.settings is None:
        loaded = params.load(options.params, options.overlay)
        loaded.expect(dataset, method)
        settings, runtime = params.job_settings(loaded, stage, dataset, method), loaded.runtime
    else:
        settings = params.parse_json(params.JOBS[stage], options.settings, "--settings")
        runtime = _runtime(options)
    seed = getattr(options, "seed", 0)
    part = getattr(options, "part", None)
    cell = [str(getattr(options, name)) for name in CELL[stage]]
    job = Job(stage, dataset, method, seed, options.threads, runtime, options.code, part)
    run = importlib.import_module(f"equipoise.stages.{stage}").run
    if stage in SHARED:
        from equipoise.training import launch

        if launch.launched():
            from equipoise.training import world

            with world.joined(runtime.device):
                run(job, settings)
            return 0
        if runtime.processes > 1:
            if not (status := launch.launch(options.arguments, runtime.processes)):
                timing.note(stage, *cell)
            return status
    run(job, settings)
    timing.note(stage, *cell)
    return 0


def _runtime(options: argparse.Namespace) -> Runtime:
    """Machine matters are read when the job runs: they change no result, so they rerun nothing."""
    from equipoise import params

    if given := os.environ.get("EQUIPOISE_RUNTIME"):  # the workflow's, with its overlays
        return params.parse_json(params.Runtime, given, "EQUIPOISE_RUNTIME")
    if not options.params.exists():
        return params.Runtime()
    section = params.read_yaml(options.params).get("runtime", {})
    return params.parse(params.Runtime, section, f"{options.params}: runtime")


def _verify(options: argparse.Namespace) -> int:
    from equipoise.verify import verify

    outcome = verify(options.path, options.remote)
    for problem in outcome.problems:
        sys.stdout.write(f"{problem}\n")
    read = ", ".join(f"{count} in {place}" for place, count in outcome.read.items())
    sys.stdout.write(f"{len(outcome.problems)} problem(s); read: {read}\n")
    return 1 if outcome.problems else 0


def _list(options: argparse.Namespace) -> None:
    from equipoise import listing

    listing.show(options.verb, options.json)


def _show(options: argparse.Namespace) -> None:
    from equipoise.evaluation.table import format_table

    sys.stdout.write(format_table(options.table, options.markdown, options.differences) + "\n")


def _params(options: argparse.Namespace) -> None:
    import json

    from equipoise import params

    if options.task == "schema":
        sys.stdout.write(json.dumps(params.schema(), indent=2) + "\n")
        return
    checked: Params = params.load(PARAMS, options.overlay)
    if options.task == "apply":
        if not options.overlay:
            raise UserError("apply writes overlays into params.yaml; name at least one")
        params.apply(PARAMS, options.overlay)
    sys.stdout.write(
        f"{len(checked.datasets)} data set(s), {len(checked.method_names)} method(s), "
        f"{len(checked.seeds)} seed(s): {', '.join(checked.datasets)} × "
        f"{', '.join(checked.method_names)} × {', '.join(map(str, checked.seeds))}\n"
    )


def _datasets(options: argparse.Namespace) -> None:
    from equipoise.data import recipes

    sys.stdout.write(recipes.shown(options.json, options.markdown))


def _card(options: argparse.Namespace) -> None:
    from equipoise.data import croissant

    sys.stdout.write(f"{croissant.write(options.dataset)}\n")


if __name__ == "__main__":
    sys.exit(main())
