"""What of a data set is here: for the verb ``datasets``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from equipoise import files, layout, vouch
from equipoise.data.published import COVERAGE

AUDIT = Path("results/audit")


def on_disk(dataset: str) -> dict[str, Any] | None:
    """Return how many samples, files and bytes of a data set are in the project folder, or None.

    ``absent`` are listed samples without a file; ``extracted`` is None before stage extract.

    Raises:
        UserError: A file of the project cannot be read.
    """
    raw, features = layout.raw(dataset), layout.features(dataset)
    if not (raw["manifest"].is_file() and raw["checksums"].is_file()):
        return None
    media = files.read_sha256(raw["checksums"])
    folder = raw["manifest"].parent
    coverage = folder / COVERAGE
    record = features["record"]
    extracted = None
    if record.is_file() and features["features"].is_file():
        said = vouch.read(record, "run stage extract again")
        extracted = {
            **{key: said[key] for key in ("samples", "rejects", "shapes")},
            "bytes": features["features"].stat().st_size,
        }
    absent = vouch.read(coverage, "run stage download again") if coverage.is_file() else {}
    return {
        "media_files": len(media),
        "media_bytes": sum(
            (folder / name).stat().st_size for name in media if (folder / name).is_file()
        ),
        "absent": len(absent.get("samples", [])),
        "extracted": extracted,
        "card": layout.card(dataset).is_file(),
    }


def audited(dataset: str) -> dict[str, Any] | None:
    """Return what stage audit found, each list as its length; None where it has not run."""
    path = AUDIT / f"{dataset}.json"
    if not path.is_file():
        return None
    found = vouch.read(path, "run stage audit again")
    told = {key: value for key, value in found.items() if key != vouch.OWN}
    return {key: len(value) if isinstance(value, list) else value for key, value in told.items()}
