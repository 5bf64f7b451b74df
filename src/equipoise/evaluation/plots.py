"""Pictures of results over seeds, as inline SVG: intervals, heads, learning curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from equipoise.evaluation.curves import Curve
from equipoise.evaluation.statistics import Interval
from equipoise.evaluation.svg import Scale, band, element, picture, polyline, strip, ticks

MARKS = ("circle", "square", "diamond", "triangle", "plus", "wedge", "bar", "post")


def percent(value: float) -> str:
    """Return a fraction as percent with one digit, with a true minus sign."""
    return f"{100 * value:.1f}".replace("-", "−")


def interval_words(interval: Interval) -> str:
    """Return ``93.1 (92.0 to 94.2)``, or the mean alone when there is no interval."""
    if interval.low is None or interval.high is None:
        return percent(interval.mean)
    return f"{percent(interval.mean)} ({percent(interval.low)} to {percent(interval.high)})"


def span(intervals: Sequence[Interval], around: Sequence[float] = ()) -> tuple[float, float]:
    """Return a common range for ``intervals`` and the values ``around``, with a small margin."""
    ends = [v for i in intervals for v in (i.mean, i.low, i.high) if v is not None]
    low, high = min([*ends, *around]), max([*ends, *around])
    margin = 0.06 * (high - low) or 0.01
    return low - margin, high + margin


def interval_strip(
    interval: Interval, limits: tuple[float, float], zero: bool, strong: bool
) -> Markup:
    """Draw one mean with its interval for a table cell; ``zero`` adds the line of no difference."""
    scale = Scale(*limits, 2, 98)
    parts = [element("line", x1="2%", x2="98%", y1=10, y2=10, class_="rule")]
    if zero:
        place = scale.percent(0.0)
        parts.append(element("line", x1=place, x2=place, y1=1, y2=19, class_="zero"))
    tone = "strong" if strong else "plain"
    if interval.low is not None and interval.high is not None:
        ends = {"x1": scale.percent(interval.low), "x2": scale.percent(interval.high)}
        parts.append(element("line", **ends, y1=10, y2=10, class_=f"whisker {tone}"))
    parts.append(
        element("circle", cx=scale.percent(interval.mean), cy=10, r=4, class_=f"mean {tone}")
    )
    return strip(20, interval_words(interval), *parts)


def heads_strip(
    values: Mapping[str, Interval],
    reference: Mapping[str, float],
    limits: tuple[float, float],
    colours: Mapping[str, int],
) -> Markup:
    """Draw the accuracy of each modality's head of one method, and the reference as a tick.

    Args:
        values: Modality to accuracy.
        reference: Modality to the accuracy its encoder reaches alone (may be empty).
        limits: Range shared by all methods.
        colours: Modality to the number of its colour and mark.
    """
    scale, height = Scale(*limits, 1, 99), 16 + 9 * len(values)
    parts = [
        element("line", x1=scale.percent(t), x2=scale.percent(t), y1=0, y2=height, class_="grid")
        for t in ticks(*limits, 5)
    ]
    for modality, value in reference.items():
        place, tone = scale.percent(value), f"m{colours[modality]} reference"
        parts.append(element("line", x1=place, x2=place, y1=1, y2=height - 1, class_=tone))
    for number, (modality, interval) in enumerate(values.items()):
        y, tone = 12.5 + 9 * number, f"m{colours[modality]}"
        if interval.low is not None and interval.high is not None:
            ends = {"x1": scale.percent(interval.low), "x2": scale.percent(interval.high)}
            parts.append(element("line", **ends, y1=y, y2=y, class_=f"{tone} whisker"))
        parts.append(mark(colours[modality], scale.percent(interval.mean), y))
    words = ", ".join(f"{m} {interval_words(i)}" for m, i in values.items())
    return strip(height, f"accuracy of each head in percent: {words}", *parts)


def bars_strip(
    values: Mapping[str, Interval], limits: tuple[float, float], colours: Mapping[str, int]
) -> Markup:
    """Draw a bar from zero for each modality of one method, with its mark and interval.

    Args:
        values: Modality to a fraction, which may be negative.
        limits: Range shared by all methods; holds 0.
        colours: Modality to the number of its colour and mark.
    """
    scale, height = Scale(*limits, 1, 99), 10 + 14 * len(values)
    zero = scale.percent(0.0)
    parts = [
        element("line", x1=scale.percent(t), x2=scale.percent(t), y1=0, y2=height, class_="grid")
        for t in ticks(*limits, 5)
    ]
    parts.append(element("line", x1=zero, x2=zero, y1=0, y2=height, class_="zero"))
    for number, (modality, interval) in enumerate(values.items()):
        y, tone = 12 + 14 * number, f"m{colours[modality]}"
        place = scale.percent(interval.mean)
        parts.append(element("line", x1=zero, x2=place, y1=y, y2=y, class_=f"{tone} bar"))
        if interval.low is not None and interval.high is not None:
            ends = {"x1": scale.percent(interval.low), "x2": scale.percent(interval.high)}
            parts.append(element("line", **ends, y1=y, y2=y, class_=f"{tone} whisker"))
        parts.append(mark(colours[modality], place, y))
    words = ", ".join(f"{m} {interval_words(i)}" for m, i in values.items())
    return strip(height, f"Shapley value of each modality in points: {words}", *parts)


def axis_strip(limits: tuple[float, float]) -> Markup:
    """Draw the percent axis that belongs under several :func:`heads_strip`."""
    scale = Scale(*limits, 1, 99)
    labels = [
        element(
            "text", f"{100 * t:g}", x=scale.percent(t), y=12, class_="tick", text_anchor="middle"
        )
        for t in ticks(*limits, 5)
    ]
    return strip(16, "axis in percent", *labels)


def colours_of(modalities: Iterable[str]) -> dict[str, int]:
    """Return the number of the colour and mark of each; those behind the last begin anew."""
    return {modality: number % len(MARKS) for number, modality in enumerate(modalities)}


def mark(number: int, x: str, y: float) -> Markup:
    """Draw the mark of colour ``number``: shape and colour say the same thing."""
    shape, tone = MARKS[number % len(MARKS)], f"m{number} mark"
    if shape == "circle":
        return element("circle", cx=x, cy=y, r=5.5, class_=tone)
    paths = {
        "square": "M-5 -5h10v10h-10z",
        "diamond": "M0 -6.5L6.5 0L0 6.5L-6.5 0z",
        "triangle": "M0 -6L6 5H-6z",
        "plus": "M-2 -6.5h4v4.5h4.5v4h-4.5v4.5h-4v-4.5h-4.5v-4h4.5z",
        "wedge": "M0 6L6 -5H-6z",
        "bar": "M-7 -2.5h14v5h-14z",
        "post": "M-2.5 -7h5v14h-5z",
    }
    inner = element("path", d=paths[shape], class_=tone)
    return element("svg", inner, x=x, y=y, overflow="visible")


def learning_curves(
    title: str,
    lines: Mapping[str, Curve],
    reference: Mapping[str, Curve],
    colours: Mapping[str, int],
    epochs: int,
    warm: int = 0,
) -> Markup:
    """Draw validation accuracy over epochs: mean line, range over seeds, reference dashed.

    Args:
        title: Method, for the label.
        lines: ``fused`` or a modality to its curve.
        reference: Modality to the curve of its encoder alone (may be empty).
        colours: Modality to the number of its colour.
        epochs: Last epoch of all panels (shared axis).
        warm: Epochs of the warm-up, shaded.
    """
    x, y = Scale(1, max(epochs, 2), 30, 292), Scale(0, 1, 150, 10)
    parts = _frame(x, y)
    if warm:
        width = x(warm + 0.5) - x.start
        box = {"x": x.start, "y": y.end, "width": width, "height": y.start - y.end}
        parts.append(element("rect", **box, class_="warm"))
    for modality, line in reference.items():
        parts.append(
            polyline(_points(line.epochs, line.mean, x, y), f"{_tone(modality, colours)} ref")
        )
    for name, line in lines.items():
        low, high = _points(line.epochs, line.low, x, y), _points(line.epochs, line.high, x, y)
        parts.append(band(low, high, _tone(name, colours)))
    for name, line in lines.items():
        parts.append(polyline(_points(line.epochs, line.mean, x, y), _tone(name, colours)))
    last = ", ".join(f"{name} {percent(line.mean[-1])}" for name, line in lines.items())
    label = f"{title}: validation accuracy over epochs; at the last epoch, in percent: {last}"
    return picture(300, 172, label, *parts)


def _frame(x: Scale, y: Scale) -> list[Markup]:
    parts = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(element("line", x1=x.start, x2=x.end, y1=y(value), y2=y(value), class_="grid"))
        if value in (0.0, 0.5, 1.0):
            words = f"{100 * value:g}"
            parts.append(
                element("text", words, x=25, y=y(value) + 4, class_="tick", text_anchor="end")
            )
    for value in ticks(x.low, x.high, 5):
        if value == int(value):
            parts.append(
                element(
                    "text", f"{value:g}", x=x(value), y=166, class_="tick", text_anchor="middle"
                )
            )
    return parts


def _points(
    epochs: Sequence[int], values: Sequence[float], x: Scale, y: Scale
) -> list[tuple[float, float]]:
    return [(x(e), y(v)) for e, v in zip(epochs, values, strict=True)]


def _tone(name: str, colours: Mapping[str, int]) -> str:
    return f"m{colours[name]}" if name in colours else "fused"
