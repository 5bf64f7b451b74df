"""The report's part on all data sets together: ranks, worst data set, Bayesian signed-rank test."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from equipoise.evaluation.across import Across, Standing
from equipoise.evaluation.findings import p_text, signed
from equipoise.evaluation.ranks import ROPE, Ranks, Signed
from equipoise.evaluation.svg import Scale, element, picture

ROW = 18
LEFT, RIGHT, TOP = 190, 560, 44


def across_part(found: Across | None, baseline: str, level: float) -> dict[str, Any] | None:
    """Return picture and table; None where there are too few data sets or methods."""
    if found is None:
        return None
    header = ["Mean rank", f"Worst data set against {baseline}"]
    return {
        "about": _about(found.ranks, level),
        "bayes_about": "Bayesian signed-rank test (Benavoli et al., 2017): the probability that a "
        f"method is worse, practically the same (within {100 * ROPE:g} point), or better on a data "
        "set like these. The best control of each data set was chosen on validation.",
        "picture": rank_plot(found.ranks),
        "header": [*header, f"Against {baseline}", "Against the best control"],
        "rows": [(key, _cells(one)) for key, one in found.standings.items()],
    }


def _about(ranks: Ranks, level: float) -> str:
    name = f"{100 * level:g} %"
    friedman = "is undefined" if ranks.p_value is None else f"has p = {p_text(ranks.p_value)}"
    return (
        f"Rank of the mean test accuracy, 1 for the best, averaged over {ranks.datasets} data sets "
        f"(Demšar, 2006). Ranks that differ by less than {ranks.critical:.2f} do not differ at "
        f"{name} (Nemenyi): a line on the right joins such methods. Friedman’s test {friedman}. "
        "With few data sets and many methods hardly anything can differ."
    )


def _cells(one: Standing) -> list[str]:
    worst = "–" if one.worst is None else f"{one.worst[0]} {signed(one.worst[1])}"
    return [f"{one.rank:.2f}", worst, _three(one.baseline), _three(one.control)]


def _three(one: Signed | None) -> str:
    if one is None:
        return "–"
    return f"worse {one.worse:.2f}, same {one.same:.2f}, better {one.better:.2f}"


def rank_plot(ranks: Ranks) -> Markup:
    """Draw mean ranks, the critical difference, and which methods it does not tell apart."""
    names = list(ranks.mean)
    bottom = TOP + ROW * len(names)
    x = Scale(1, len(names), LEFT, RIGHT)
    parts = _axis(x, len(names), bottom)
    end = x(min(1 + ranks.critical, len(names)))
    parts.append(element("line", x1=LEFT, x2=end, y1=12, y2=12, class_="fused line"))
    words = f"critical difference {ranks.critical:.2f}"
    if ranks.critical > len(names) - 1:
        words += ", more than the axis"
    parts.append(element("text", words, x=LEFT, y=8, class_="tick"))
    for number, name in enumerate(names):
        y = TOP + ROW * number + ROW / 2
        label = {"x": LEFT - 10, "y": y + 4, "class_": "tick", "text_anchor": "end"}
        parts.append(element("text", name, **label))
        parts.append(element("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_="rule"))
        parts.append(element("circle", cx=x(ranks.mean[name]), cy=y, r=4, class_="mean strong"))
    for number, group in enumerate(ranks.groups()):
        first, last = names.index(group[0]), names.index(group[-1])
        place = {"x1": RIGHT + 14 + 7 * number, "x2": RIGHT + 14 + 7 * number}
        ends = {"y1": TOP + ROW * first + 4, "y2": TOP + ROW * (last + 1) - 4}
        parts.append(element("line", **place, **ends, class_="fused line"))
    said = ", ".join(f"{name} {rank:.2f}" for name, rank in ranks.mean.items())
    width = RIGHT + 28 + 7 * len(ranks.groups())
    return picture(width, bottom + 6, f"mean ranks: {said}; {words}", *parts)


def _axis(x: Scale, count: int, bottom: float) -> list[Markup]:
    step = max(1, round((count - 1) / 8))
    parts = []
    for rank in range(1, count + 1, step):
        place = x(rank)
        parts.append(element("line", x1=place, x2=place, y1=TOP, y2=bottom, class_="grid"))
        words = {"x": place, "y": TOP - 8, "class_": "tick", "text_anchor": "middle"}
        parts.append(element("text", f"{rank}", **words))
    return parts
