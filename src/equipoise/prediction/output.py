"""Predictions as CSV or JSON, written while they are made."""

import contextlib
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from equipoise import files
from equipoise.console import progress
from equipoise.errors import UserError
from equipoise.prediction.run import FUSED, ClipPrediction, ClipPredictions

FORMATS = ("csv", "json")


def format_of(output: Path | None, given: str | None) -> str:
    """Return ``given``, or else what the suffix of ``output`` says (CSV without a file).

    Raises:
        UserError: The suffix says nothing.
    """
    suffix = output.suffix.lower().removeprefix(".") if output else FORMATS[0]
    if given is None and suffix not in FORMATS:
        raise UserError(f"{output}: neither .csv nor .json; name it so or say --format")
    return given or suffix


def write(predictions: ClipPredictions, output: Path | None, style: str) -> int:
    """Predict and write every clip, with a progress bar; return how many have an error.

    Args:
        predictions: What to write.
        output: The file, which gets its name when all is done; None: standard output.
        style: ``csv`` or ``json``.

    Raises:
        UserError: The file cannot be written.
    """
    failed = 0

    def counted() -> Iterator[ClipPrediction]:
        nonlocal failed
        # Rows that appear on the terminal are progress enough, and a bar would garble them.
        silent = output is None and sys.stdout.isatty()
        with contextlib.nullcontext() if silent else progress(len(predictions), "predict") as bar:
            for clip in predictions:
                yield clip
                failed += bool(clip.error)
                if bar:
                    bar.advance(note=f"{failed} failed" if failed else "")

    with _opened(output) as file:
        (_write_json if style == "json" else _write_csv)(file, predictions, counted())
    return failed


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    if output.is_dir():
        raise UserError(f"{output}: is a folder; name a file")
    try:
        with (
            files.atomic_path(output) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            yield file
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror or error}") from None


def _write_csv(file: TextIO, run: ClipPredictions, clips: Iterable[ClipPrediction]) -> None:
    """Write one row for each clip; the cells of what is not there are empty."""
    names = [FUSED, *run.modalities]
    header = ["sample_id", "path", "modalities", "error", "predicted"]
    header += [f"predicted_{m}" for m in run.modalities]
    header += [f"probability_{name}_{label}" for name in names for label in run.classes]
    writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
    writer.writeheader()
    for clip in clips:
        row = {
            "sample_id": clip.sample_id,
            "path": ";".join(str(path) for path in dict.fromkeys(clip.sources.values())),
            "modalities": ";".join(clip.modalities),
            "error": clip.error,
        }
        for name, label in _predicted(clip, run.classes).items():
            row["predicted" if name == FUSED else f"predicted_{name}"] = label
        for name, by_label in _probabilities(clip, run.classes).items():
            row |= {f"probability_{name}_{label}": f"{p:g}" for label, p in by_label.items()}
        writer.writerow({column: _printable(cell) for column, cell in row.items()})


def _write_json(file: TextIO, run: ClipPredictions, clips: Iterable[ClipPrediction]) -> None:
    """Write a list with one object for each clip, a line each."""
    separator = "["
    for clip in clips:
        row = {
            "sample_id": clip.sample_id,
            "files": {m: str(path) for m, path in clip.sources.items()},
            "modalities": clip.modalities,
            "error": clip.error or None,
            "predicted": _predicted(clip, run.classes),
            "probabilities": _probabilities(clip, run.classes),
        }
        text = json.dumps(row, ensure_ascii=False, allow_nan=False)
        file.write(f"{separator}\n{_printable(text)}")
        separator = ","
    file.write("\n]\n")


def _predicted(clip: ClipPrediction, classes: list[str]) -> dict[str, str]:
    return {name: classes[int(values.argmax())] for name, values in clip.probabilities.items()}


def _probabilities(clip: ClipPrediction, classes: list[str]) -> dict[str, dict[str, float]]:
    """Return the probabilities by class, with six significant digits."""
    return {
        name: {label: float(f"{p:.6g}") for label, p in zip(classes, values, strict=True)}
        for name, values in clip.probabilities.items()
    }


def _printable(text: str) -> str:
    r"""Write the bytes of a file name that are no UTF-8 as ``\udc..``, which is valid in JSON."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
