"""Where every file lives. The Snakefile, the command line and the tests all ask here.

Each function takes wildcards as plain strings, so that ``layout.features("{dataset}")`` is a
Snakemake pattern and ``layout.features("keypad")`` is a file. Paths are relative to the project
folder (the current directory).
"""

from collections.abc import Callable
from pathlib import Path

#: The one configuration.
PARAMS = Path("params.yaml")

#: The stages in order, each with the wildcards that name one of its jobs.
CELL = {
    "download": ("dataset",),
    "extract": ("dataset",),
    "split": ("dataset",),
    "audit": ("dataset",),
    "embed": ("dataset",),
    "warmup": ("dataset", "seed"),
    "gap": ("dataset", "seed"),
    "search": ("dataset", "method"),
    "train": ("dataset", "method", "seed"),
    "evaluate": ("dataset", "method", "seed"),
    "compare": (),
}
STAGES = tuple(CELL)

#: Folders that hold one folder for each data set; all that stages write lies in them, but for the
#: files of :func:`compare`.
FOLDERS = tuple(
    Path(name)
    for name in (
        *("data/raw", "data/parts", "data/features", "data/splits", "data/embeddings"),
        *("models/warmup", "models/train", "results/gap", "results/search", "results/evaluate"),
        "results/audit",
        *("state/download", "state/extract", "state/embed", "state/warmup", "state/search"),
        "state/train",
        *("state/timing/warmup", "state/timing/train"),
    )
)
#: All that stages write, and what tells of them.
WRITTEN = tuple(
    Path(name)
    for name in (
        *("data/code", "data/origin", "data/raw", "data/parts", "data/features", "data/splits"),
        *(
            "data/embeddings",
            "models",
            "results",
            "state",
            "logs",
            "mlruns",
            "mlartifacts",
        ),
    )
)
#: What belongs to the tools.
TOOLS = (Path(".snakemake"), Path(".dvc"), Path(".git"))


def raw(dataset: str) -> dict[str, Path]:
    """Raw media of one data set: manifest, checksum list, folder of media files."""
    folder = Path("data/raw", dataset)
    return {
        "manifest": folder / "manifest.csv",
        "checksums": folder / "media.sha256",
        "media": folder / "media",
    }


def features(dataset: str) -> dict[str, Path]:
    """The HDF5 feature store of one data set, rejected clips, the record, samples to look at."""
    folder = Path("data/features", dataset)
    return {
        "features": folder / "features.h5",
        "rejects": folder / "rejects.csv",
        "record": folder / "extract.json",
        "samples": folder / "samples.json",
    }


def card(dataset: str) -> Path:
    """The Croissant card of one data set, which ``equipoise card`` writes beside its features."""
    return Path("data/features", dataset, "croissant.json")


def part(dataset: str, number: str) -> Path:
    """What one part of stage extract says of its shards; gone when they are joined."""
    return Path("data/parts", dataset, f"part{number}.json")


def split(dataset: str) -> dict[str, Path]:
    """Which sample is in train, val or test, and the counts behind it."""
    folder = Path("data/splits", dataset)
    return {"split": folder / "split.csv", "record": folder / "split.json"}


def audit(dataset: str) -> dict[str, Path]:
    """What is wrong with one data set: leaks, contradictions, cut clips, ..."""
    return {"audit": Path("results/audit", f"{dataset}.json")}


def embed(dataset: str) -> dict[str, Path]:
    """What frozen encoders make of the features of one data set, and the record of it."""
    folder = Path("data/embeddings", dataset)
    return {"embeddings": folder / "embeddings.h5", "record": folder / "embed.json"}


def _model(folder: Path) -> dict[str, Path]:
    return {
        "weights": folder / "model.safetensors",
        "model": folder / "model.json",
        "history": folder / "history.csv",
    }


def pretrained(name: str) -> Path:
    """Folder of the files of pretrained weights that have a name; fetched once, in no stage."""
    return Path("models/pretrained", name)


def warmup(dataset: str, seed: str) -> dict[str, Path]:
    """The warmed-up model of one data set and seed."""
    return _model(Path("models/warmup", dataset, f"seed{seed}"))


def gap(dataset: str, seed: str) -> dict[str, Path]:
    """Per-sample gaps and posteriors, the mixture fit, its picture and the balanced subset."""
    folder = Path("results/gap", dataset, f"seed{seed}")
    return {
        "gap": folder / "gap.csv",
        "fit": folder / "gmm.json",
        "histogram": folder / "histogram.png",
        "subset": folder / "subset.csv",
    }


def search(dataset: str, method: str) -> dict[str, Path]:
    """The settings that the hyper-parameter search chose, and every trial it made."""
    folder = Path("results/search", dataset, method)
    return {"chosen": folder / "chosen.json", "trials": folder / "trials.csv"}


def train(dataset: str, method: str, seed: str) -> dict[str, Path]:
    """The trained model of one data set, method and seed."""
    return _model(Path("models/train", dataset, method, f"seed{seed}"))


def evaluate(dataset: str, method: str, seed: str) -> dict[str, Path]:
    """Metrics and per-sample predictions of one trained model."""
    folder = Path("results/evaluate", dataset, method, f"seed{seed}")
    return {"metrics": folder / "metrics.json", "predictions": folder / "predictions.csv"}


def compare() -> dict[str, Path]:
    """The comparison of all methods: table, numbers for DVC, curves for DVC plots, the report.

    And RO-Crate metadata of the folder, whose name RO-Crate fixes.
    """
    folder = Path("results")
    return {
        "table": folder / "comparison.csv",
        "metrics": folder / "comparison.json",
        "curves": folder / "curves.csv",
        "report": folder / "report.html",
        "crate": folder / "ro-crate-metadata.json",
    }


def outputs(stage: str, *cell: str) -> dict[str, Path]:
    """Everything that one job of a stage makes; ``cell`` as in :data:`CELL`."""
    paths: dict[str, Callable[..., dict[str, Path]]] = {
        "download": raw,
        "extract": features,
        "split": split,
        "audit": audit,
        "embed": embed,
        "warmup": warmup,
        "gap": gap,
        "search": search,
        "train": train,
        "evaluate": evaluate,
        "compare": compare,
    }
    return paths[stage](*cell)


def timing(stage: str, *cell: str) -> Path:
    """What one job of stage warmup or train took; no output, never recorded.

    Args:
        stage: ``warmup`` or ``train``.
        cell: Data set, method (stage train only) and seed.
    """
    *parts, seed = cell
    return Path("state/timing", stage, *parts, f"seed{seed}.json")


def state(stage: str, *parts: str) -> Path:
    """Scratch space that survives a failed job: Snakemake deletes declared outputs, never this."""
    return Path("state", stage, *parts)


def checkpoints(stage: str, dataset: str, method: str, seed: str) -> Path:
    """Where the checkpoints of a model are; what is trained otherwise has another folder below.

    Args:
        stage: ``warmup`` (it has no method), ``search`` or ``train``.
        dataset: The data set.
        method: Key in params.yaml, or nothing.
        seed: The seed.
    """
    return state(stage, dataset, *filter(None, [method]), f"seed{seed}")
