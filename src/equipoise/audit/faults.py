"""Samples that are cut, that hold nothing, that were lost, and that raters call otherwise."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from equipoise.audit.leaks import share
from equipoise.audit.samples import LISTED, Samples
from equipoise.data.manifest import SUBSETS

#: Facts of readings to what of a sample is cut.
CUTS = {"cut": "length", "cropped": "area", "unseen": "time"}
#: A class that has lost this share of its samples is thinned.
THINNED = 0.1
#: Columns that end so hold what raters said (docs/audit.md).
VOTE = "Vote"


def cut(samples: Samples) -> list[dict[str, Any]]:
    """Return, for each modality, how many samples the settings cut, in what, and how much.

    What ``augment`` leaves out of every sample has ``by``: training or evaluation.
    """
    return [
        {
            **{"modality": name.rpartition(".")[0], "how": CUTS[name.rpartition(".")[2]]},
            **{"samples": fact["clips"], "of": len(samples.rows)},
            "share": share(fact["clips"], len(samples.rows)),
            **{"mean": fact["mean"], "most": fact["most"]},
            "ids": [samples.rows[number].sample_id for number in fact.get("rows", [])],
        }
        for name, fact in samples.cuts.items()
        if fact["clips"]
    ] + [
        {
            **{"modality": name, "how": how, "by": when},
            **{"samples": len(samples.rows), "of": len(samples.rows), "share": 1.0},
            **{"mean": mean, "most": most, "ids": []},
        }
        for name, parts in samples.left_out.items()
        for (how, when), (mean, most) in parts.items()
    ]


def constant(samples: Samples) -> list[dict[str, Any]]:
    """Return, for each modality, the samples with nothing in them, by what they are."""
    found = []
    for name, traces in samples.traces.items():
        how: dict[str, list[str]] = defaultdict(list)
        for row, trace in zip(samples.rows, traces, strict=True):
            if trace.empty:
                how[trace.empty].append(row.sample_id)
        found += [
            {
                **{"modality": name, "how": word, "samples": len(ids), "of": len(traces)},
                **{"share": share(len(ids), len(traces)), "ids": ids[:LISTED]},
            }
            for word, ids in sorted(how.items())
        ]
    return found


def rejects(samples: Samples) -> dict[str, Any]:
    """Return the samples that cannot be read, and classes that are lost or thinned with them."""
    every = Counter(row.label for row in samples.manifest.rows)
    gone = Counter(row.label for row in samples.manifest.rows if row.sample_id in samples.rejects)
    total = len(samples.manifest.rows)
    return {
        **{"samples": len(samples.rejects), "of": total},
        "share": share(len(samples.rejects), total),
        "lost": sorted(label for label in gone if gone[label] == every[label]),
        "thinned": {
            label: {"samples": gone[label], "of": every[label]}
            for label in sorted(gone)
            if THINNED * every[label] <= gone[label] < every[label]
        },
        "ids": list(samples.rejects)[:LISTED],
    }


def raters(samples: Samples) -> list[dict[str, Any]]:
    """Return what raters said against the labels, for each column of the manifest with votes.

    A vote is a label or its first letters; votes that tie stand there with ``:`` between.
    """
    labels = sorted({row.label for row in samples.rows})
    found = []
    for column in samples.manifest.columns:
        if not column.endswith(VOTE):
            continue
        said = [_votes(row.cells.get(column, ""), labels) for row in samples.rows]
        if any(said) and all(votes is not None for votes in said):
            found.append(_rated(samples, column, [votes or [] for votes in said]))
    return found


def _votes(cell: str, labels: list[str]) -> list[str] | None:
    """Return the labels that a cell names; None where a word names none, or several."""
    votes = []
    for word in filter(None, cell.split(":")):
        meant = [label for label in labels if label.casefold().startswith(word.casefold())]
        if word not in labels and len(meant) != 1:
            return None
        votes.append(word if word in labels else meant[0])
    return votes


def _rated(samples: Samples, column: str, said: list[list[str]]) -> dict[str, Any]:
    sides = {}
    for side in (*SUBSETS, "all"):
        here = [
            (row.label, votes)
            for row, where, votes in zip(samples.rows, samples.sides, said, strict=True)
            if votes and side in (where, "all")
        ]
        agree = sum(votes == [label] for label, votes in here)
        sides[side] = {
            **{"samples": len(here), "agree": agree, "share": share(agree, len(here))},
            "ties": sum(len(votes) > 1 for _, votes in here),
            "among": sum(label in votes for label, votes in here),
        }
    ids = [
        row.sample_id
        for row, votes in zip(samples.rows, said, strict=True)
        if votes and row.label not in votes
    ]
    return {"column": column, "sides": sides, "against": len(ids), "ids": ids[:LISTED]}
