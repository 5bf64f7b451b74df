"""A small made-up grid of results on disk, as the earlier stages would leave it."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise import files, layout, vouch
from equipoise.evaluation import contributions, metrics
from equipoise.params import Compare, CompareJob

#: Final accuracy of (fused, one value for each modality) by method: what the files simulate.
LEVELS = {
    "joint": (0.93, 0.90, 0.68, 0.8),
    "unimodal": (0.94, 0.92, 0.91, 0.85),
    "lfm-heuristic": (0.955, 0.90, 0.80, 0.82),
    "gmm": (0.96, 0.905, 0.84, 0.83),
    "joint-default-purified": (0.935, 0.89, 0.70, 0.8),
}
WARM = ("gmm", "joint-default-purified")
KINDS = ("none", "audio:noise", "audio:silence", "video:noise", "video:occlusion")


@dataclass
class Grid:
    """What to simulate."""

    dataset: str = "keypad"
    methods: tuple[str, ...] = tuple(LEVELS)
    seeds: tuple[int, ...] = (0, 1, 2)
    modalities: tuple[str, ...] = ("audio", "video")
    classes: tuple[str, ...] = tuple("0123456789")
    corruption: bool = True
    gaps: bool = True
    epochs: int = 15
    tests: int = 300
    trains: int = 500
    trials: int = 1
    warm_accuracy: float = 0.93
    identifiable: bool = True
    selection: str = "validation"
    rejects: tuple[tuple[str, str], ...] = (("clip9", "moov atom not found"),)

    def settings(self, **compare) -> CompareJob:
        return CompareJob(
            compare=Compare(**compare),
            datasets=[self.dataset],
            methods=list(self.methods),
            seeds=list(self.seeds),
        )


def write(grid: Grid) -> None:
    """Write all files below the current directory."""
    rng = np.random.default_rng(7)
    kinds = _samples(grid, rng)
    for number, key in enumerate(grid.methods):
        for seed in grid.seeds:
            _run(grid, key, seed, kinds, np.random.default_rng([number, seed]))
        _search(grid, key, number)
    if grid.gaps:
        for seed in grid.seeds:
            _gap(grid, seed, kinds, np.random.default_rng([99, seed]))
    seal(grid)


def seal(grid: Grid) -> None:
    """Let each record vouch for the tables beside it, as the stages do."""
    of_data = (layout.features(grid.dataset), layout.split(grid.dataset))
    _vouch(of_data[0]["record"], of_data[0]["rejects"])
    _vouch(of_data[1]["record"], of_data[1]["split"])
    for key in grid.methods:
        _vouch(*layout.search(grid.dataset, key).values())
        for seed in map(str, grid.seeds):
            evaluated, trained = (
                layout.evaluate(grid.dataset, key, seed),
                layout.train(grid.dataset, key, seed),
            )
            _vouch(evaluated["metrics"], evaluated["predictions"])
            _vouch(trained["model"], trained["history"])
    for seed in map(str, grid.seeds):
        warm, gap = layout.warmup(grid.dataset, seed), layout.gap(grid.dataset, seed)
        _vouch(warm["model"], warm["history"])
        if grid.gaps:
            _vouch(gap["fit"], gap["gap"])


def _vouch(record, *tables) -> None:
    value = json.loads(record.read_text()) if record.exists() else {}
    vouch.write(record, value, *tables)


def _search(grid: Grid, key: str, number: int) -> None:
    """Trials as stage search leaves them; the last one is chosen."""
    changes = ["{}", '{"learning_rate": 0.003}', '{"optimizer": "sgd"}'][: grid.trials]
    rows = [
        {
            "trial": i + 1,
            "train": change,
            "options": "{}",
            "epoch": 9 if grid.trials > 1 else None,
            "val_accuracy": (80 + number + i) / 100 if grid.trials > 1 else None,
            "val_loss": 0.5 if grid.trials > 1 else None,
            "chosen": int(i == grid.trials - 1),
        }
        for i, change in enumerate(changes)
    ]
    files.write_csv(layout.search(grid.dataset, key)["trials"], list(rows[0]), rows)


def _samples(grid: Grid, rng) -> dict[str, str]:
    names = {"train": grid.trains, "val": 100, "test": grid.tests}
    rows, split, kinds = [], [], {}
    for subset, count in names.items():
        for number in range(count):
            sample = f"{subset}{number:04d}"
            kind = KINDS[int(rng.integers(1, len(KINDS)))] if rng.random() < 0.26 else "none"
            kinds[sample] = kind
            row = {"sample_id": sample, "label": grid.classes[number % len(grid.classes)]}
            rows.append(row | {"corruption": kind} if grid.corruption else row)
            split.append({"sample_id": sample, "subset": subset})
    raw, features = layout.raw(grid.dataset), layout.features(grid.dataset)
    files.write_csv(raw["manifest"], list(rows[0]), rows)
    files.write_text(raw["checksums"], "")
    files.write_csv(layout.split(grid.dataset)["split"], ["sample_id", "subset"], split)
    files.write_json(layout.split(grid.dataset)["record"], split_record())
    rejects = [{"sample_id": s, "reason": r} for s, r in grid.rejects]
    files.write_csv(features["rejects"], ["sample_id", "reason"], rejects)
    files.write_json(features["record"], {"samples": len(rows)})
    return kinds


def split_record() -> dict:
    """A record as stage split leaves it, as far as the report reads it."""
    sides = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
    return {
        "protocol": "group_disjoint",
        "shared_groups": [],
        "subsets": {name: {"groups": groups} for name, groups in sides.items()},
    }


def _levels(grid: Grid, key: str, rng) -> tuple[float, dict[str, float]]:
    fused, *heads = LEVELS.get(key, (0.9, 0.88, 0.8, 0.85))
    shift = rng.normal(0, 0.008)
    return fused + shift, {
        m: heads[i % 3] + rng.normal(0, 0.012) for i, m in enumerate(grid.modalities)
    }


def _logits(labels, level, classes, rng, spoiled=None):
    """Logits whose accuracy is ``level`` on clips that are not spoiled, far lower on the others."""
    right = rng.random(len(labels)) < level
    if spoiled is not None:
        right &= ~spoiled | (rng.random(len(labels)) < 0.35)
    wrong = (labels + rng.integers(1, classes, len(labels))) % classes
    logits = rng.normal(0, 0.5, (len(labels), classes))
    logits[np.arange(len(labels)), np.where(right, labels, wrong)] += 5
    return logits


def _run(grid: Grid, key, seed, kinds, rng) -> None:
    fused, heads = _levels(grid, key, rng)
    ids = [s for s in kinds if s.startswith("test")]
    count = len(grid.classes)
    labels = np.arange(len(ids)) % count
    by_modality = {
        m: _logits(labels, level, count, rng, np.array([kinds[s].startswith(f"{m}:") for s in ids]))
        for m, level in heads.items()
    }
    spoiled = np.array([kinds[s] != "none" for s in ids])
    logits = _logits(labels, fused, count, rng)
    clean = {m: values[~spoiled] for m, values in by_modality.items()}
    test = metrics.score(labels, logits, by_modality, count)
    more = contributions.contributions(
        labels,
        labels,
        grid.modalities,
        lambda present: (
            logits if len(present) == len(grid.modalities) else sum(by_modality[m] for m in present)
        ),
    )
    name, _, rest = key.partition("-")
    record = {
        "dataset": grid.dataset,
        "method": key,
        "name": name,
        "variant": rest or "default",
        "seed": seed,
        "selection": grid.selection,
        "epoch": grid.epochs - seed % 2,
        "classes": list(grid.classes),
        "model_sha256": f"{seed:02d}" * 32,
        "val": test,
        "test": test,
        "test_unspoiled": metrics.score(labels[~spoiled], logits[~spoiled], clean, count)
        if grid.corruption
        else None,
        "robustness": {
            "severity": [0.0, 0.25, 0.5, 0.75, 1.0],
            "modalities": {
                m: {"accuracy": [fused - 0.1 * s * (n + 1) for s in range(5)], "area": fused - 0.2}
                for n, m in enumerate(grid.modalities)
            },
            "mean_area": fused - 0.2,
        },
        "cost": {
            "parameters": 30_000 + len(key),
            "flops_per_sample": 1_500_000 * len(grid.modalities),
            "seconds_per_sample": 0.0005 + 0.0001 * seed,
            "batch": 256,
            "device": "cpu, 1 thread",
        },
    } | more
    outputs = layout.evaluate(grid.dataset, key, str(seed))
    files.write_json(outputs["metrics"], record)
    predicted = logits.argmax(axis=1)
    rows = [
        {"sample_id": s, "label": grid.classes[a], "predicted": grid.classes[b]}
        for s, a, b in zip(ids, labels, predicted, strict=True)
    ]
    files.write_csv(outputs["predictions"], list(rows[0]), rows)
    _model(grid, key, seed, fused, heads, rng)


def _model(grid: Grid, key, seed, fused, heads, rng) -> None:
    trained = layout.train(grid.dataset, key, str(seed))
    warm = key in WARM
    settings = {"train": {"epochs": grid.epochs, "learning_rate": 0.001}, "options": {"alpha": 0.5}}
    model = {
        "settings": settings | {"warmup": {"epochs": 5} if warm else None},
        "modalities": {
            m: {
                "encoder": {"name": f"conv_{m}"},
                "shape": [8, 48, 48, 3],
                "weights": None,
                "table": {"kind": "frames", "size": 48},
            }
            for m in grid.modalities
        },
        "fusion": "concat",
        "features": 128,
        "seed": seed,
    }
    files.write_json(trained["model"], model)
    rows, first = [], 6 if warm else 1
    for epoch in range(1, grid.epochs + 1):
        row = {"epoch": epoch, "phase": "joint", "learning_rate": 0.001, "train_loss": 2 / epoch}
        row["val_accuracy"] = fused * (1 - np.exp(-epoch / 1.5)) + rng.normal(0, 0.01)
        for speed, (m, level) in enumerate(heads.items()):
            rate = 1.2 + 2.5 * speed
            row[f"val_accuracy_{m}"] = level * (1 - np.exp(-epoch / rate)) + rng.normal(0, 0.01)
        rows.append(row)
    before = layout.warmup(grid.dataset, str(seed))["history"]
    files.write_csv(before, list(rows[0]), rows[:5])
    rows = [r | {"method_alpha": "" if r["epoch"] == first else 0.5} for r in rows[first - 1 :]]
    files.write_csv(trained["history"], list(rows[0]), rows)


def _gap(grid: Grid, seed, kinds, rng) -> None:
    outputs = layout.gap(grid.dataset, str(seed))
    rows = []
    for number, (sample, kind) in enumerate((s, k) for s, k in kinds.items() if s[:5] == "train"):
        high = kind != "none" if rng.random() < 0.9 else kind == "none" and rng.random() < 0.2
        gap = float(np.clip(rng.normal(0.75, 0.12) if high else abs(rng.normal(0, 0.09)), 0, 1))
        rows.append(
            {
                "sample_id": sample,
                "label": grid.classes[number % len(grid.classes)],
                "gap": gap,
                "posterior_imbalanced": 1 / (1 + np.exp(-(gap - 0.35) * 18)),
            }
        )
    files.write_csv(outputs["gap"], list(rows[0]), rows)
    fit = {
        "samples": len(rows),
        "converged": True,
        "means": [0.07, 0.74],
        "variances": [0.004, 0.016],
        "weights": [0.75, 0.25],
        "bic": {"1": 10.0, "2": -500.0, "3": -490.0, "4": None},
        "balanced_component": 0,
        "identifiable": grid.identifiable,
        "reason": "" if grid.identifiable else "one component is lighter than 0.01",
    }
    for number, m in enumerate(grid.modalities):
        fit[f"accuracy_{m}"] = grid.warm_accuracy - 0.02 * number
    files.write_json(outputs["fit"], fit)


def table() -> list[dict[str, str]]:
    """Read back comparison.csv."""
    with layout.compare()["table"].open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def nested() -> dict:
    """Read back comparison.json."""
    return json.loads(layout.compare()["metrics"].read_text(encoding="utf-8"))


def html() -> str:
    """Read back the report."""
    return Path(layout.compare()["report"]).read_text(encoding="utf-8")
