from types import SimpleNamespace

import pytest

from equipoise.evaluation.comparison import Row
from equipoise.evaluation.findings import (
    at_chance,
    comparisons,
    deficits,
    headline,
    neglect,
    p_text,
    signed,
)
from equipoise.evaluation.statistics import Difference, Interval


def interval(mean, half=None):
    return Interval(
        mean, None if half is None else mean - half, None if half is None else mean + half, 3
    )


def row(key, accuracy, heads=(), difference=None, holm=None):
    intervals = {"accuracy": interval(accuracy, 0.01)}
    for modality, value in zip(("audio", "video"), heads, strict=False):
        intervals[f"accuracy_{modality}"] = interval(value)
    return Row(
        "d", key, key.split("-")[0], "default", 3, intervals, None, difference, "validation", holm
    )


def fake_results(audio, video, chance=0.1, samples=400):
    """Two methods of one seed; the second is better at both by 0.02."""

    def run(more):
        heads = {"audio": audio + more, "video": video + more}
        metrics = {
            "test": {"accuracy_by_modality": heads},
            "subsets": {"none": {"accuracy": chance}},
        }
        return SimpleNamespace(metrics=metrics, predictions=range(samples))

    runs = {"joint": {0: run(0.0)}, "unimodal": {0: run(0.02)}}
    return SimpleNamespace(runs=runs, modalities=["audio", "video"])


def test_a_modality_at_chance_is_named():
    """400 samples at 0.1: the standard error is 0.015, so that 0.13 is not above chance."""
    (said,) = at_chance(fake_results(audio=0.9, video=0.11))
    assert said.startswith("At chance: video alone reaches 13.0 % at best") and "10.0 %" in said
    assert at_chance(fake_results(audio=0.9, video=0.111)) == []
    assert len(at_chance(fake_results(audio=0.05, video=0.05))) == 2


def test_established():
    table = [row("joint", 0.9), row("gmm", 0.93, (), Difference(interval(0.03, 0.01), 0.01), 0.02)]
    assert headline(table, "joint", 0.95) == (
        "gmm is best: 93.0 % test accuracy, 3.0 points above joint (95 % interval +2.0 to +4.0)."
    )
    assert comparisons(table, 0.95)[0].endswith("for 1 comparison: gmm (+3.0).")


def test_interval_with_zero_is_not_established():
    table = [row("joint", 0.9), row("gmm", 0.93, (), Difference(interval(0.03, 0.05), 0.2), 0.2)]
    said = headline(table, "joint", 0.95)
    assert "not established (95 % interval −2.0 to +8.0, which includes zero)" in said
    assert comparisons(table, 0.95)[0].endswith("none.")


def test_holm_can_take_it_back():
    table = [row("joint", 0.9), row("gmm", 0.93, (), Difference(interval(0.03, 0.01), 0.02), 0.08)]
    assert "not established" in headline(table, "joint", 0.95)
    assert "p = 0.080 after Holm" in headline(table, "joint", 0.95)


def test_baseline_can_win():
    table = [row("joint", 0.95), row("gmm", 0.93, (), Difference(interval(-0.02, 0.1), 0.5), 0.5)]
    assert headline(table, "joint", 0.95) == (
        "No method has a higher mean than joint, which reaches 95.0 % test accuracy."
    )


def test_neglect_needs_the_reference():
    table = [row("joint", 0.9, (0.8, 0.6)), row("unimodal", 0.9, (0.82, 0.85))]
    assert deficits(table, ("audio", "video"), "joint") == {
        "audio": pytest.approx(0.02),
        "video": pytest.approx(0.25),
    }
    said = neglect([*table, row("lfm", 0.9, (0.8, 0.7))], ("audio", "video"), "joint")
    assert "60.0 %, 25.0 points below the same encoder trained alone (85.0 %)" in said[0]
    assert said[1] == "Points won back: lfm 10.0."
    alone = neglect(table[:1], ("audio", "video"), "joint")[0]
    assert "audio head is 20.0 points ahead of the video head" in alone
    assert "cannot be said" in alone


def test_nothing_neglected_and_nothing_won_back():
    fine = [row("joint", 0.9, (0.8, 0.8)), row("unimodal", 0.9, (0.8, 0.805))]
    assert "no modality is neglected" in neglect(fine, ("audio", "video"), "joint")[0]
    bad = [
        row("joint", 0.9, (0.8, 0.6)),
        row("unimodal", 0.9, (0.8, 0.9)),
        row("lfm", 0.9, (0.8, 0.5)),
    ]
    assert neglect(bad, ("audio", "video"), "joint")[1].startswith("No balancing method wins back")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0241, "+2.4"), (-0.01, "−1.0"), (0.0003, "+0.03"), (0.0, "+0.0")]
)
def test_signed(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(("p", "text"), [(0.0001, "< 0.001"), (0.0481, "0.048"), (0.3, "0.30")])
def test_p_text(p, text):
    assert p_text(p) == text
