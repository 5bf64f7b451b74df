"""Model and raters: agreement, rank correlation, and the table, on votes as published."""

import csv
import math

import made_up_results
import pandas as pd
import pytest

from equipoise import files, layout, vouch
from equipoise.data import published
from equipoise.data.datasets import crema_d
from equipoise.evaluation import raters
from equipoise.stages import compare
from equipoise.stages.job import Job

#: Lines as in summaryTable.csv: quoted, unnamed first column, ties with a colon.
VOTES = (
    '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote",'
    '"MultiModalLevel"\n'
    """"1","1001_IEO_ANG_XX","A","60","A:D","40.5:58.6","A","64.78"
"2","1001_DFA_ANG_XX","N","71.67","A","57","H","57.38"
"3","1001_ITH_ANG_XX","A:D:N","67.7:1:2","D","62.62","A","56.56"
"4","1002_IEO_SAD_XX","S","60","N","30","S","50"
"5","1002_DFA_SAD_XX","N","60","S","30","S","50"
"6","1002_ITH_SAD_XX","S:N","60:60","S:N","30:30","S","50"
"""
)
#: Voice minus face: 1 - 1/2, 0 - 1, 1/3 - 0, 1 - 0, 0 - 1, 0.
AGREED = (0.5, -1.0, 1 / 3, 1.0, -1.0, 0.0)
AUDIO = ((0.9, 0.7), (0.2, 0.4), (0.6, 0.6), (0.5, 0.1), (0.1, 0.3), (0.3, 0.3))
VIDEO = ((0.3, 0.5), (0.9, 0.7), (0.5, 0.3), (0.4, 0.4), (0.5, 0.5), (0.3, 0.3))


def manifest():
    rows = csv.DictReader(published.split_lines(VOTES.encode()))
    items = [crema_d.item(row["FileName"], "train", row) for row in rows]
    return pd.DataFrame([{"sample_id": i.sample_id, "label": i.label, **i.cells} for i in items])


def gaps():
    names = manifest()[["sample_id", "label"]]
    return [
        names.assign(score_audio=[str(a[seed]) for a in AUDIO],
                     score_video=[str(v[seed]) for v in VIDEO])
        for seed in (0, 1)
    ]  # fmt: skip


def test_agreement_counts_ties_in_part():
    rows = manifest()
    found = [
        crema_d.agreement(v, label) - crema_d.agreement(f, label)
        for v, f, label in zip(rows["VoiceVote"], rows["FaceVote"], rows["label"], strict=True)
    ]
    assert found == pytest.approx(AGREED)


def test_the_correlation_and_its_interval_by_hand():
    # Ranks 1 2 3 4 5 6 against 2 1 4 3 6 5: r = 1 - 6 * 6 / (6 * 35) = 29 / 35.
    found = raters.spearman([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], 0.95)
    assert found.clips == 6 and found.value == pytest.approx(29 / 35)
    half = 1.959963985 * math.sqrt((1 + (29 / 35) ** 2 / 2) / 3)
    assert found.low == pytest.approx(math.tanh(math.atanh(29 / 35) - half))
    assert found.high == pytest.approx(math.tanh(math.atanh(29 / 35) + half))


@pytest.mark.parametrize("values", [[1, 2, 3], [1, 1, 1, 1]])
def test_what_is_undefined_is_not_said(values):
    assert raters.spearman(values, values[::-1], 0.95)[1:] == (None, None, None)


def test_what_differs_between_classes_is_not_taken_for_agreement():
    """Two classes, within each no relation; together they seem to have one."""
    first, second = [1, 2, 3, 4, 11, 12, 13, 14], [2, 4, 1, 3, 12, 14, 11, 13]
    assert raters.spearman(first, second, 0.95).value == pytest.approx(1 - 6 * 20 / (8 * 63))
    found = {
        "": raters.spearman(first, second, 0.95),
        "a": raters.spearman(first[:4], second[:4], 0.95),
        "b": raters.spearman(first[4:], second[4:], 0.95),
    }
    pooled = raters.within(found, 0.95)
    assert found["a"].value == pytest.approx(0) and pooled.value == pytest.approx(0)
    assert pooled.clips == 8
    assert pooled.high == pytest.approx(math.tanh(1.959963985 / math.sqrt(2)))  # weights 1 and 1


def test_the_mean_of_two_classes_by_hand():
    """n 5 and 13, r 0.5 and 0: weights 2 / 1.125 and 10, z 0.549306 and 0."""
    two = {"a": raters.Correlation(5, 0.5, -1, 1), "b": raters.Correlation(13, 0.0, -1, 1)}
    mean = 0.549306144 * (2 / 1.125) / (2 / 1.125 + 10)
    pooled = raters.within(two | {"c": raters.Correlation(3, None, None, None)}, 0.95)
    assert (pooled.clips, pooled.value) == (18, pytest.approx(math.tanh(mean)))


def test_gaps_are_means_over_seeds_and_by_emotion():
    columns = {"audio": "VoiceVote", "video": "FaceVote"}
    found = raters.compare(gaps(), manifest(), columns, crema_d.agreement, 0.95)
    # Mean gaps 0.4, -0.5, 0.2, -0.1, -0.3, 0 have ranks 6 1 5 3 2 4; the agreement 0.5, -1, 1/3,
    # 1, -1, 0 has 5 1.5 4 6 1.5 3. Both have mean 3.5; sums of products of what differs from it:
    # 2.5*1.5 + 2.5*2 + 1.5*0.5 - 0.5*2.5 + 1.5*2 - 0.5*0.5 = 11; squares 17.5 and 17.
    assert found[""].clips == 6 and found[""].value == pytest.approx(11 / math.sqrt(17.5 * 17))
    assert {key: one.clips for key, one in found.items()} == {"": 6, "ANG": 3, "SAD": 3}


def test_the_table_needs_votes_on_two_modalities():
    tables = {"face": {"column": "video"}, "voice": {"column": "audio"}}
    named = [g.rename(columns={"score_audio": "score_voice", "score_video": "score_face"})
             for g in gaps()]  # fmt: skip
    found = raters.table("crema_d", named, manifest(), tables, 0.95)
    assert found["header"] == ["Class", "Clips", "Spearman", "Interval"]
    assert [row[:3] for row in found["rows"]] == [
        ["all", "6", "0.638"], ["within classes", "0", "–"], ["ANG", "3", "–"], ["SAD", "3", "–"],
    ]  # fmt: skip
    assert "voice score minus face score" in found["caption"]
    assert raters.table("keypad", named, manifest(), tables, 0.95) is None
    assert raters.table("crema_d", named, manifest().drop(columns="FaceVote"), tables, 0.95) is None
    assert raters.table("crema_d", named, manifest(), {"voice": {"column": "audio"}}, 0.95) is None
    assert raters.table("crema_d", gaps(), manifest(), tables, 0.95) is None  # no score_voice
    assert raters.table("crema_d", [], manifest(), tables, 0.95) is None


def test_the_report_has_the_table(folder):
    grid = made_up_results.Grid(dataset="crema_d", classes=("ANG", "SAD"), corruption=False)
    made_up_results.write(grid)
    raw, record = layout.raw("crema_d")["manifest"], layout.features("crema_d")["record"]
    with raw.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row |= {"VoiceVote": "ASN"[number % 3], "FaceVote": "AS"[number % 2]}
    files.write_csv(raw, list(rows[0]), rows)
    columns = {m: {"kind": "x", "column": m} for m in ("audio", "video")}
    told = files.read_json(record, "") | {"settings": {"modalities": columns}}
    vouch.write(record, told)
    for seed in grid.seeds:
        gap = layout.gap("crema_d", str(seed))
        with gap["gap"].open(newline="") as file:
            scores = list(csv.DictReader(file))
        for number, row in enumerate(scores):
            row |= {"score_audio": number % 7 / 7, "score_video": number % 5 / 5}
        files.write_csv(gap["gap"], list(scores[0]), scores)
        made_up_results._vouch(gap["fit"], gap["gap"])
    compare.run(Job("compare"), grid.settings())
    text = layout.compare()["report"].read_text(encoding="utf-8")
    assert 'aria-label="Model and raters, scrolls sideways"' in text
    assert '<th scope="row">ANG</th><td>250</td>' in text
