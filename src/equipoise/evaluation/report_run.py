"""The report's part "what was run": data, counts, rejects, models, settings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from equipoise import provenance
from equipoise.evaluation.collect import DatasetResults, Run
from equipoise.evaluation.plots import percent


def run_facts(results: DatasetResults) -> list[tuple[str, str]]:
    """Return name and value of everything that identifies the data and the runs."""
    first = next(_runs(results))
    model, classes = first.model, first.metrics["classes"]
    shapes = [
        f"{name} {tuple(m['shape'])} by {m['encoder']['name']}"
        for name, m in sorted(model["modalities"].items())
    ]
    return [
        ("Samples", ", ".join(f"{n} {subset}" for subset, n in results.subsets.items())),
        ("Rejected clips", _rejects(results)),
        ("Split", _split(results.split)),
        ("Classes", f"{len(classes)}: {', '.join(map(str, classes))}"),
        ("Modalities", "; ".join(shapes)),
        ("Cut and filled", _facts(results.extract)),
        ("Pretrained weights", _weights(model)),
        ("Model", f"fusion {model['fusion']}, {model['features']} features for each modality"),
        ("Epoch kept by", ", ".join(sorted({run.metrics["selection"] for run in _runs(results)}))),
        ("Data (sha256)", provenance.data_hash(results.dataset) or "unknown"),
    ]


def samples_shown(results: DatasetResults) -> list[dict[str, Any]]:
    """Return a few samples as they are stored: label, id, and each modality as picture or text."""
    return [
        {
            "title": sample["label"],
            "note": sample["sample_id"],
            "modalities": [
                {
                    "name": name,
                    "picture": f"data:image/png;base64,{shown['png']}" if shown["png"] else "",
                    "text": shown["text"],
                }
                for name, shown in sorted(sample["modalities"].items())
            ],
        }
        for sample in results.samples
    ]


def search_part(results: DatasetResults) -> list[tuple[str, str, str, str, str]]:
    """Return, for each method: its name, trials, what was chosen, and validation accuracies.

    The accuracies are that of the chosen trial and that of the settings as they stood. Empty when
    no method had more than one trial.
    """
    rows = []
    for key, trials in results.searches.items():
        if len(trials) == 1:
            continue
        chosen = trials[trials["chosen"] == 1].iloc[0]
        changes = {**json.loads(chosen["train"]), **json.loads(chosen["options"])}
        words = ", ".join(f"{name} {value}" for name, value in changes.items())
        first, best = trials["val_accuracy"].iloc[0], chosen["val_accuracy"]
        stood = "diverged" if math.isnan(first) else percent(first)
        rows.append((key, str(len(trials)), words or "as they stood", percent(best), stood))
    return rows


def _facts(extract: dict[str, Any]) -> str:
    """Say what the settings of the extraction did to the clips."""
    words = [
        f"{name}: {fact['clips']} clips, {percent(fact['most'])} % at most"
        for name, fact in sorted(extract.get("facts", {}).items())
        if fact["clips"]
    ]
    return "; ".join(words) or "nothing"


def _weights(model: dict[str, Any]) -> str:
    found = {
        name: m["weights"] for name, m in sorted(model["modalities"].items()) if m.get("weights")
    }
    words = [
        f"{name}: {w['name']} (sha256 {w['sha256'][:12]}…; {w['licence']}; {w['trained_on']})"
        for name, w in found.items()
    ]
    return "; ".join(words) or "none"


def _runs(results: DatasetResults) -> Iterator[Run]:
    for by_seed in results.runs.values():
        yield from by_seed.values()


def _rejects(results: DatasetResults) -> str:
    table = results.rejects
    if table.empty:
        return "none"
    if "reason" not in table.columns:
        return str(len(table))
    reasons = table["reason"].value_counts()
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], str(item[0])))
    words = "; ".join(f"{reason} ({count})" for reason, count in ordered[:5])
    return f"{len(table)}: {words}" + ("; …" if len(ordered) > 5 else "")


def _split(record: dict[str, Any]) -> str:
    """Return protocol, groups on each side, and how many groups stand on several sides."""
    if not record:
        return "no record"
    sides = record.get("subsets", {})
    groups = [f"{len(side.get('groups', []))} {name}" for name, side in sides.items()]
    shared = len(record.get("shared_groups", []))
    parts = [str(record.get("protocol", "unknown protocol"))]
    parts += [f"groups {', '.join(groups)}"] if groups else []
    parts.append(f"{shared} of them on several sides" if shared else "none on several sides")
    return "; ".join(parts)


def _models(results: DatasetResults) -> str:
    lines = [("method", "seed", "epoch", "weights (sha256)")]
    for run in _runs(results):
        m = run.metrics
        lines.append((run.key, str(run.seed), str(m["epoch"]), m["model_sha256"]))
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    return "\n".join(
        f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}" for a, b, c, d in lines
    )


def settings_apart(results: DatasetResults) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the settings that all methods share, and by method what is its own."""
    settings = {
        key: dict(next(iter(runs.values())).model["settings"]) for key, runs in results.runs.items()
    }
    first = next(iter(settings.values()))
    shared = {
        name: value
        for name, value in first.items()
        if name != "options" and all(s.get(name) == value for s in settings.values())
    }
    modalities = next(_runs(results)).model["modalities"]
    shared["modalities"] = {name: one["table"] for name, one in modalities.items()}
    own = {
        key: {name: value for name, value in s.items() if name not in shared}
        for key, s in settings.items()
    }
    return shared, own


def settings_shown(results: DatasetResults) -> list[tuple[str, str]]:
    """Return title and JSON text of the settings: what is shared, then each method's own."""
    shared, own = settings_apart(results)
    return [
        ("Settings shared by all methods", _json(shared)),
        ("Settings of each method", _json(own)),
        ("Epoch kept and weights of each model", _models(results)),
    ]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
