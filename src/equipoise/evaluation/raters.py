"""What raters of a data set heard and saw, against the gap of the model.

A data set module may say ``RATERS`` (column of the manifest with the media of a modality, to the
column with the raters' vote on it) and ``agreement(vote, label)``. Raters who find the class by ear
and not by eye mark a clip whose sound says more; so does a model whose head of the sound gives the
class more than that of the picture. The two are compared by Spearman's rank correlation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from equipoise import registry

if TYPE_CHECKING:
    import pandas as pd

ABOUT = (
    "Model and raters, training clips: Spearman's correlation, over clips, of {0} score minus {1} "
    "score of the warmed-up model's heads (mean over seeds) with the raters' agreement with the "
    "label from {0} alone minus that from {1} alone; {2:.0%} interval (Bonett and Wright 2000). "
    "Classes differ in both, which shows in 'all'; 'within classes' is their mean"
)


class Correlation(NamedTuple):
    """A rank correlation and its interval; None where it is undefined."""

    clips: int
    value: float | None
    low: float | None
    high: float | None


def spearman(first: Sequence[float], second: Sequence[float], level: float) -> Correlation:
    """Return Spearman's rank correlation r of two sequences, ties by mean rank.

    The interval is tanh(atanh r ± z sqrt((1 + r² / 2) / (n - 3))), z the normal quantile (Bonett
    and Wright, Psychometrika 65, 2000). Undefined below four clips, and where one does not vary.
    """
    from scipy.stats import norm, spearmanr

    count = len(first)
    if count < 4 or len(set(first)) < 2 or len(set(second)) < 2:
        return Correlation(count, None, None, None)
    value = float(spearmanr(first, second).statistic)
    if abs(value) >= 1:
        return Correlation(count, value, None, None)
    half = float(norm.ppf((1 + level) / 2)) * math.sqrt((1 + value**2 / 2) / (count - 3))
    middle = math.atanh(value)
    return Correlation(count, value, math.tanh(middle - half), math.tanh(middle + half))


def within(found: Mapping[str, Correlation], level: float) -> Correlation:
    """Return the mean of the correlations of the classes, without what differs between classes.

    Of Fisher's z, each weighted by its precision (n - 3) / (1 + r² / 2) (fixed-effect mean: Hedges
    and Olkin, Statistical Methods for Meta-Analysis, 1985, chapter 11).

    Args:
        found: What :func:`compare` returns.
        level: Level of the interval.
    """
    from scipy.stats import norm

    known = [(one.clips, one.value) for key, one in found.items() if key and one.low is not None]
    pairs = [(clips, value) for clips, value in known if value is not None]
    if not pairs:
        return Correlation(0, None, None, None)
    weights = [(clips - 3) / (1 + value**2 / 2) for clips, value in pairs]
    total = sum(weights)
    mean = sum(w * math.atanh(value) for w, (_, value) in zip(weights, pairs, strict=True)) / total
    half = float(norm.ppf((1 + level) / 2)) / math.sqrt(total)
    clips = sum(clips for clips, _ in pairs)
    return Correlation(clips, math.tanh(mean), math.tanh(mean - half), math.tanh(mean + half))


def compare(
    gaps: Sequence[pd.DataFrame],
    manifest: pd.DataFrame,
    columns: Mapping[str, str],
    agreement: Callable[[str, str], float],
    level: float,
) -> dict[str, Correlation]:
    """Return the correlation over all clips (key: empty), and by class.

    Args:
        gaps: gap.csv of each seed: ``sample_id``, ``label``, ``score_<modality>``.
        manifest: ``sample_id`` and the columns of votes.
        columns: Two modalities to their columns of votes; the second is taken off the first.
        agreement: (vote, label) to the share of raters who agree, 0 to 1.
        level: Level of the intervals.
    """
    import pandas as pd

    one, two = columns
    joined = pd.concat(gaps)
    joined["score"] = joined[f"score_{one}"].astype(float) - joined[f"score_{two}"].astype(float)
    means = joined.groupby(["sample_id", "label"], as_index=False)["score"].mean()
    votes = manifest.set_index("sample_id")[list(columns.values())]
    rows: dict[str, tuple[list[float], list[float]]] = {"": ([], [])}
    for sample, label, score in means[["sample_id", "label", "score"]].itertuples(index=False):
        by_ear, by_eye = (agreement(vote, label) for vote in votes.loc[sample])
        for key in ("", label):
            model, raters = rows.setdefault(key, ([], []))
            model.append(score)
            raters.append(by_ear - by_eye)
    return {key: spearman(*rows[key], level) for key in sorted(rows)}


def table(
    dataset: str,
    gaps: Sequence[pd.DataFrame],
    manifest: pd.DataFrame,
    tables: Mapping[str, Mapping[str, Any]],
    level: float,
) -> dict[str, Any] | None:
    """Return the table of the report; None where the data set has no votes on two modalities.

    Args:
        dataset: Its name.
        gaps: gap.csv of each seed.
        manifest: The manifest, all cells as text.
        tables: Modality to ``{kind, column, ...}``.
        level: Level of the intervals.
    """
    module = registry.dataset(dataset) if dataset in registry.datasets() else None
    voted: Mapping[str, str] = getattr(module, "RATERS", {})
    said = {one["column"]: name for name, one in tables.items()}
    columns = {said[c]: vote for c, vote in voted.items() if c in said and vote in manifest}
    if len(columns) != 2 or not gaps or not all(f"score_{m}" in gaps[0] for m in columns):
        return None
    found = compare(gaps, manifest, columns, module.agreement, level)  # type: ignore[union-attr]
    rows = [[key or "all", *_cells(one)] for key, one in found.items()]
    rows.insert(1, ["within classes", *_cells(within(found, level))])
    header = ["Class", "Clips", "Spearman", "Interval"]
    caption = ABOUT.format(*columns, level)
    return {"name": "Model and raters", "caption": caption, "header": header, "rows": rows}


def _cells(one: Correlation) -> list[str]:
    value = "–" if one.value is None else f"{one.value:.3f}"
    interval = "–" if one.low is None else f"{one.low:.3f} to {one.high:.3f}"
    return [str(one.clips), value, interval]
