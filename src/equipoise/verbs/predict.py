"""The verb ``predict``: new media through a trained model."""

from __future__ import annotations

import argparse
from pathlib import Path

from equipoise.arguments import pair, threads, whole


def add(verb: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    verb.description = (
        "Predict new media with a trained model; docs/predict.md explains input and output. "
        "Exit status: 0 all predicted, 1 some could not be (see their error), 2 nothing done."
    )
    verb.add_argument(
        "paths",
        metavar="PATH",
        type=Path,
        nargs="*",
        default=[],
        help="a file, a folder of them, or a manifest.csv (where each modality has a file)",
    )
    folder = "the folder of model.json and model.safetensors, wherever it is"
    verb.add_argument("--model", metavar="MODEL_DIR", type=Path, required=True, help=folder)
    verb.add_argument(
        "--set",
        metavar="MODALITY=VALUE",
        type=pair,
        action="append",
        default=[],
        help="a text or file that goes with every PATH (without PATH: the sample); repeatable",
    )
    verb.add_argument("--output", metavar="FILE", type=Path, help="default: standard output")
    verb.add_argument(
        "--format", choices=["csv", "json"], help="default: as FILE is called, or csv"
    )
    verb.add_argument("--batch-size", type=whole(1), default=64, help="clips in memory at a time")
    verb.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    threads(verb)
    verb.set_defaults(action=_predict)


def _predict(options: argparse.Namespace) -> int:
    from equipoise import places
    from equipoise.console import log
    from equipoise.prediction import output, predict

    style = output.format_of(options.output, options.format)
    predictions = predict(
        options.model,
        options.paths,
        options.device,
        options.batch_size,
        options.threads,
        dict(options.set),
    )
    if options.output is not None:
        sources = (source for clip in predictions.clips for source in clip.sources.values())
        used = {source for source in sources if isinstance(source, Path)}
        places.expect_output(options.output, [options.model, *options.paths, *sorted(used)])
    failed = output.write(predictions, options.output, style)
    if failed:
        log.error("%d of %d clips not predicted; see their error", failed, len(predictions))
    return 1 if failed else 0
