"""Gathers what the other stages wrote about one data set; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise import files, layout, vouch
from equipoise.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


#: Every cell as it stands: ids such as ``007`` or ``NA`` stay what they are.
_AS_TEXT: dict[str, Any] = {"dtype": str, "keep_default_na": False}
_AGAIN = "delete it and run its stage again"


@dataclass(frozen=True)
class Run:
    """One trained and evaluated model."""

    key: str
    seed: int
    metrics: dict[str, Any]
    """metrics.json of stage evaluate."""
    model: dict[str, Any]
    """model.json of stage train."""
    history: pd.DataFrame
    """history.csv of stage train; behind the warm-up's if the method continued from it."""
    predictions: pd.DataFrame


@dataclass(frozen=True)
class GapFit:
    """Per-sample gaps and the mixture fit of one seed."""

    table: pd.DataFrame
    fit: dict[str, Any]


@dataclass(frozen=True)
class DatasetResults:
    """Everything the report says about one data set."""

    dataset: str
    runs: dict[str, dict[int, Run]]
    """Method key (in the order of the grid) to seed to run."""
    searches: dict[str, pd.DataFrame]
    """Method key to trials.csv of stage search."""
    gaps: dict[int, GapFit]
    missing_gaps: list[int]
    """Seeds whose gap files a method needed but which are not there."""
    corruption: dict[str, str] | None
    """Sample id to what is spoiled; None when the manifest does not say."""
    extract: dict[str, Any]
    samples: list[dict[str, Any]]
    """A few stored samples, drawn."""
    split: dict[str, Any]
    subsets: dict[str, int]
    rejects: pd.DataFrame
    manifest: pd.DataFrame
    """All cells as text."""
    audit: dict[str, Any]
    """What stage audit found; empty where it has not run."""

    @property
    def modalities(self) -> list[str]:
        """Names of all modalities that some model scored, sorted."""
        runs = [run for by_seed in self.runs.values() for run in by_seed.values()]
        return sorted({m for run in runs for m in run.metrics["test"]["accuracy_by_modality"]})

    @property
    def warm(self) -> list[str]:
        """Keys of the methods that continued from the warm-up."""
        return [key for key, runs in self.runs.items() if from_warmup(next(iter(runs.values())))]


def from_warmup(run: Run) -> bool:
    """Whether this model continued from the warm-up."""
    return warmup_epochs(run.model) > 0


def warmup_epochs(model: dict[str, Any]) -> int:
    """Return the epochs of the warm-up that a model continued from (0: from scratch)."""
    warmup = model["settings"].get("warmup")
    return int(warmup["epochs"]) if warmup else 0


def collect(dataset: str, methods: Sequence[str], seeds: Sequence[int]) -> DatasetResults:
    """Read every file about ``dataset``.

    Raises:
        UserError: A file of the grid is missing or is not what it should be.
    """
    runs = {key: {seed: _run(dataset, key, seed) for seed in sorted(seeds)} for key in methods}
    warm = any(from_warmup(run) for by_seed in runs.values() for run in by_seed.values())
    gaps, missing = _gaps(dataset, sorted(seeds)) if warm else ({}, [])
    features, split = layout.features(dataset), layout.split(dataset)
    manifest = read_strings(layout.raw(dataset)["manifest"])
    return DatasetResults(
        dataset=dataset,
        runs=runs,
        searches={key: _trials(dataset, key) for key in methods},
        gaps=gaps,
        missing_gaps=missing,
        corruption=corruption_of(manifest),
        manifest=manifest,
        extract=_optional_record(features["record"]),
        samples=_samples(features) if features["samples"].exists() else [],
        split=_optional_record(split["record"]),
        subsets=_subset_counts(_vouched(split["split"], split["record"], **_AS_TEXT)),
        rejects=_vouched(features["rejects"], features["record"], **_AS_TEXT),
        audit=_audit(layout.audit(dataset)["audit"]),
    )


def corruption_of(manifest: pd.DataFrame | Mapping[str, list[str]]) -> dict[str, str] | None:
    """Return sample id to ``corruption`` of a manifest, or None when it has no such column."""
    if "corruption" not in manifest:
        return None
    return dict(zip(manifest["sample_id"], manifest["corruption"], strict=True))


def read_strings(path: Path) -> pd.DataFrame:
    """Read a CSV file with every cell as text: ids such as ``007`` or ``NA`` stay what they are.

    Raises:
        UserError: No such file, or not a table.
    """
    return _read_csv(path, **_AS_TEXT)


def read_json(path: Path, kind: type = dict) -> Any:
    """Read a JSON file that holds a table, or a ``kind``.

    Raises:
        UserError: No such file, or not JSON.
    """
    if not path.exists():
        raise _missing(path)
    return files.read_json(path, _AGAIN, kind)


def _missing(path: Path) -> UserError:
    return UserError(f"{path}: no such file; make it: snakemake --cores all {path}")


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of a stage, which is as it was written.

    Raises:
        UserError: No such file, not a record, or changed.
    """
    if not path.exists():
        raise _missing(path)
    record: dict[str, Any] = vouch.read(path, _AGAIN)
    return record


def read_model(path: Path) -> dict[str, Any]:
    """Read ``model.json``, which is as it was written, or of an older equipoise.

    Raises:
        UserError: No such file, not JSON, or changed.
    """
    card: dict[str, Any] = read_json(path)
    vouch.expect_card(path, card)
    return card


def _optional_record(path: Path) -> dict[str, Any]:
    return read_record(path) if path.exists() else {}


def _read_csv(path: Path, **options: Any) -> pd.DataFrame:
    import pandas as pd

    try:
        table: pd.DataFrame = pd.read_csv(path, encoding="utf-8", **options)
        return table
    except FileNotFoundError:
        raise _missing(path) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a table ({reason}); delete it and run its stage") from None


def _vouched(path: Path, voucher: Path, **options: Any) -> pd.DataFrame:
    """Read a table that is as the record beside it says."""
    vouch.expect(path, _optional_record(voucher), voucher)
    return _read_csv(path, **options)


def _samples(features: Mapping[str, Path]) -> list[dict[str, Any]]:
    vouch.expect(features["samples"], _optional_record(features["record"]), features["record"])
    samples: list[dict[str, Any]] = read_json(features["samples"], list)
    from equipoise import shapes

    shapes.expect(features["samples"], samples, _AGAIN)
    return samples


def _audit(path: Path) -> dict[str, Any]:
    from equipoise.audit import show

    if not path.exists():
        return {}
    found = read_record(path)
    try:
        _ = found["samples"], list(show.lines(found))  # the report will do the same
    except UserError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise UserError(
            f"{path}: not what stage audit writes ({error}); run that stage again"
        ) from None
    return found


def _run(dataset: str, key: str, seed: int) -> Run:
    import pandas as pd

    evaluated = layout.evaluate(dataset, key, str(seed))
    trained = layout.train(dataset, key, str(seed))
    metrics = read_record(evaluated["metrics"])
    model, history = _trained(trained)
    if warmup_epochs(model):
        _, before = _trained(layout.warmup(dataset, str(seed)))
        history = pd.concat([before, history], ignore_index=True)
    return Run(
        key=key,
        seed=seed,
        metrics=metrics,
        model=model,
        history=history,
        predictions=_vouched(evaluated["predictions"], evaluated["metrics"], **_AS_TEXT),
    )


def _trained(paths: Mapping[str, Path]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the card of a model, and its history, for which the card vouches."""
    card = read_model(paths["model"])
    vouch.expect(paths["history"], card, paths["model"])
    return card, _read_csv(paths["history"])


def _gaps(dataset: str, seeds: Sequence[int]) -> tuple[dict[int, GapFit], list[int]]:
    found, missing = {}, []
    for seed in seeds:
        paths = layout.gap(dataset, str(seed))
        if paths["gap"].exists() and paths["fit"].exists():
            options = {"dtype": {"sample_id": str, "label": str}, "na_filter": False}
            table = _vouched(paths["gap"], paths["fit"], **options)
            found[seed] = GapFit(table, read_record(paths["fit"]))
        else:
            missing.append(seed)
    return found, missing


def _trials(dataset: str, key: str) -> pd.DataFrame:
    paths = layout.search(dataset, key)
    return _vouched(paths["trials"], paths["chosen"])


def _subset_counts(split: pd.DataFrame) -> dict[str, int]:
    counts = split["subset"].value_counts()
    return {name: int(counts.get(name, 0)) for name in ("train", "val", "test")}
