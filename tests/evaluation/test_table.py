import json
from pathlib import Path

import made_up_results as made_up
import pytest
from made_up_results import Grid

from equipoise import layout, timing, vouch
from equipoise.errors import UserError
from equipoise.evaluation.comparison import DIFFERENCE
from equipoise.evaluation.table import format_table
from equipoise.stages import compare
from equipoise.stages.job import Job

pytestmark = pytest.mark.usefixtures("folder")


def shown(grid: Grid) -> str:
    made_up.write(grid)
    compare.run(Job("compare"), grid.settings())
    return format_table(layout.compare()["table"])


def test_mean_and_half_interval_in_percent(folder):
    text = shown(Grid(methods=("joint", "gmm")))
    row = made_up.table()[1]
    half = 50 * (float(row["accuracy_video_high"]) - float(row["accuracy_video_low"]))
    assert f"{100 * float(row['accuracy_video']):.1f} ± {half:.1f}" in text
    for heading in ("accuracy", "macro-F1", "audio alone", "video alone", "modality gap"):
        assert heading in text
    assert text.splitlines()[-2] == f"report: {folder / 'results/report.html'}"
    assert text.splitlines()[-1].startswith("MLflow: off")


def test_one_seed_says_that_there_is_no_interval():
    text = shown(Grid(methods=("joint",), seeds=(0,)))
    assert "no interval" in text
    assert "±" not in text


def test_an_epoch_chosen_on_test_is_said():
    text = shown(Grid(methods=("joint",), selection="oracle_test"))
    assert "chosen on test" in " ".join(text.split())
    assert "chosen on test" not in shown(Grid(methods=("joint",)))


def test_markdown_is_a_table_and_nothing_behind_it():
    made_up.write(grid := Grid(methods=("joint", "gmm")))
    compare.run(Job("compare"), grid.settings())
    lines = format_table(layout.compare()["table"], markdown=True).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4 and lines[-1] == table[-1]
    assert {line.count("|") for line in table} == {table[0].count("|")}


def test_several_data_sets_have_a_table_each():
    grids = [Grid(methods=("joint", "gmm", "unimodal"), dataset=name) for name in ("one", "two")]
    for grid in grids:
        made_up.write(grid)
    settings = grids[0].settings().model_copy(update={"datasets": ["one", "two"]})
    compare.run(Job("compare"), settings)
    text = format_table(layout.compare()["table"])
    assert "one: test split" in text and "two: test split" in text
    assert "across data sets" in made_up.nested(), "its shape is not that of a data set"


def test_something_else_is_refused():
    Path("other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not a comparison"):
        format_table(Path("other.csv"))
    with pytest.raises(UserError, match="no such file"):
        format_table(Path("missing.csv"))


def test_differences_with_p_value_and_cost():
    made_up.write(grid := Grid(methods=("joint", "gmm", "lfm-heuristic")))
    compare.run(Job("compare"), grid.settings())
    for seed, joint, lfm in ((0, 10, 12), (1, 20, 24)):
        timing.write(layout.timing("train", "keypad", "joint", str(seed)), joint)
        timing.write(layout.timing("train", "keypad", "lfm-heuristic", str(seed)), lfm)
    # It continues from the warm-up: 6 + 24 s against the mean of 10 s and 20 s.
    timing.write(layout.timing("train", "keypad", "gmm", "0"), 6)
    timing.write(layout.timing("warmup", "keypad", "0"), 24)
    text = format_table(layout.compare()["table"], markdown=True, differences=True)
    joint, gmm, lfm = (line.split("|")[1:-1] for line in text.splitlines()[-3:])
    row = made_up.table()[1]
    points = [100 * float(row[name]) for name in DIFFERENCE[:3]]
    assert gmm[-3].strip() == "{:+.1f} [{:+.1f}, {:+.1f}]".format(*points).replace("-", "−")
    assert abs(float(gmm[-2]) - float(row["p_value_holm"])) < 0.005
    assert [cells[-1].strip() for cells in (joint, gmm, lfm)] == ["1.0", "2.0", "1.2"]
    assert [cell.strip() for cell in joint[-3:-1]] == ["–", "–"]


def test_a_method_pays_for_its_teacher():
    made_up.write(grid := Grid(methods=("joint", "unimodal", "umt")))
    compare.run(Job("compare"), grid.settings())
    path = layout.train("keypad", "umt", "0")["model"]
    model = json.loads(path.read_text())
    model["settings"]["teacher"] = "unimodal"
    vouch.write(path, model)
    for key, seconds in (("joint", 10), ("unimodal", 8), ("umt", 14)):
        timing.write(layout.timing("train", "keypad", key, "0"), seconds)
    text = format_table(layout.compare()["table"], markdown=True, differences=True)
    costs = [line.split("|")[-2].strip() for line in text.splitlines()[-3:]]
    assert costs == ["1.0", "0.8", "2.2"], "14 + 8 seconds against 10"


def test_without_timings_the_cost_is_not_known():
    made_up.write(grid := Grid(methods=("joint", "gmm")))
    compare.run(Job("compare"), grid.settings())
    text = format_table(layout.compare()["table"], markdown=True, differences=True)
    assert [line.split("|")[-2].strip() for line in text.splitlines()[-2:]] == ["–", "–"]
