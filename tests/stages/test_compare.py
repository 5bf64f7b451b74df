import json
import shutil

import made_up_results as made_up
import pytest
from made_up_results import Grid
from scipy import stats

from equipoise import cli, layout, vouch
from equipoise.errors import UserError
from equipoise.evaluation.comparison import LEADING
from equipoise.stages import compare
from equipoise.stages.job import Job

MODALITIES = ("audio", "video")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def run(grid: Grid, **settings) -> list[dict[str, str]]:
    made_up.write(grid)
    compare.run(Job("compare"), grid.settings(**settings))
    return made_up.table()


def test_columns_and_rows():
    rows = run(Grid())
    columns = list(rows[0])
    assert tuple(columns[:9]) == LEADING
    assert columns[9:12] == ["accuracy_audio", "accuracy_video", "modality_gap"]
    assert columns[-4:] == ["map", "ece", "level", "key"]
    assert [(r["method"], r["variant"]) for r in rows] == [
        ("joint", "default"),
        ("unimodal", "default"),
        ("lfm", "heuristic"),
        ("gmm", "default"),
        ("joint", "default-purified"),
    ]
    assert {r["seeds"] for r in rows} == {"3"}


def test_numbers_equal_those_of_the_runs():
    grid = Grid(methods=("joint", "gmm"))
    rows = {row["key"]: row for row in run(grid)}
    files = [layout.evaluate("keypad", "gmm", str(seed))["metrics"] for seed in grid.seeds]
    tests = [json.loads(path.read_text())["test"] for path in files]
    mean = sum(test["accuracy"] for test in tests) / 3
    assert float(rows["gmm"]["accuracy"]) == pytest.approx(mean, abs=1e-15)
    video = sum(test["accuracy_by_modality"]["video"] for test in tests) / 3
    assert float(rows["gmm"]["accuracy_video"]) == pytest.approx(video, abs=1e-15)
    for name in ("map", "ece"):
        assert float(rows["gmm"][name]) == pytest.approx(sum(t[name] for t in tests) / 3, abs=1e-15)
    difference = mean - float(rows["joint"]["accuracy"])
    assert float(rows["gmm"]["difference"]) == pytest.approx(difference, abs=1e-12)
    assert float(rows["gmm"]["accuracy_low"]) < mean < float(rows["gmm"]["accuracy_high"])


def test_empty_cells_where_nothing_applies():
    rows = {row["key"]: row for row in run(Grid())}
    assert rows["joint"]["difference"] == rows["joint"]["p_value"] == ""
    assert rows["joint"]["gap_auroc"] == rows["lfm-heuristic"]["gap_auroc"] == ""
    assert 0.85 < float(rows["gmm"]["gap_auroc"]) <= 1
    assert rows["gmm"]["gap_auroc"] == rows["joint-default-purified"]["gap_auroc"]


def test_json_holds_the_numbers_of_the_table():
    rows = run(Grid())
    nested = made_up.nested()["keypad"]
    for row in rows:
        for name, value in nested[row["key"]].items():
            assert float(row[name]) == value
        filled = {n for n, v in row.items() if v} - {"dataset", "method", "variant", "key"}
        limits = {name for name in filled if name.endswith(("_low", "_high"))}
        assert {"accuracy_low", "difference_high"} <= limits or row["key"] == "joint"
        assert filled - {"selection", "control"} - limits == set(nested[row["key"]])


def test_curves_are_long_and_complete():
    grid = Grid(methods=("joint",), seeds=(4,))
    run(grid)
    lines = layout.compare()["curves"].read_text().splitlines()
    assert lines[0] == "dataset,method,seed,epoch,series,value"
    assert sum(",val_accuracy_video," in line for line in lines) == grid.epochs
    assert sum(",method_alpha," in line for line in lines) == grid.epochs - 1  # one empty cell
    assert not any(",phase," in line for line in lines)
    assert lines[1].startswith("keypad,joint,4,1,learning_rate,0.001")


def test_same_inputs_same_bytes():
    grid = Grid(methods=("joint", "unimodal", "gmm"))
    run(grid)
    first = {name: path.read_bytes() for name, path in layout.compare().items()}
    shutil.rmtree("results/report.html", ignore_errors=True)
    compare.run(Job("compare"), grid.settings())
    assert first == {name: path.read_bytes() for name, path in layout.compare().items()}


def test_one_seed_has_means_only():
    row = run(Grid(seeds=(3,)))[3]
    assert row["accuracy_low"] == row["difference_low"] == row["p_value"] == ""
    assert row["accuracy"]
    assert row["difference"]


def test_no_corruption_column():
    row = run(Grid(corruption=False))[3]
    assert row["gap_auroc"] == row["accuracy_unspoiled"] == ""


def test_level_and_baseline_are_those_of_the_settings():
    grid = Grid(methods=("joint", "unimodal"))
    wide = run(grid, baseline="unimodal", level=0.99)[0]
    narrow = run(grid, baseline="unimodal", level=0.5)[0]
    assert float(wide["difference"]) < 0
    assert float(wide["accuracy_low"]) < float(narrow["accuracy_low"])


def test_two_datasets_with_other_modalities():
    first = Grid(methods=("joint",))
    second = Grid(dataset="pictures", methods=("joint",), modalities=("image",), corruption=False)
    made_up.write(first)
    made_up.write(second)
    settings = first.settings().model_copy(update={"datasets": ["keypad", "pictures"]})
    compare.run(Job("compare"), settings)
    keypad, pictures = made_up.table()
    assert keypad["accuracy_image"] == pictures["accuracy_audio"] == ""
    assert pictures["accuracy_image"]
    assert pictures["modality_gap"] == ""


def test_missing_run_is_one_line():
    grid = Grid(methods=("joint",))
    made_up.write(grid)
    missing = layout.evaluate("keypad", "joint", "1")["metrics"]
    missing.unlink()
    with pytest.raises(UserError, match=rf"^{missing}: no such file") as error:
        compare.run(Job("compare"), grid.settings())
    assert "\n" not in str(error.value)
    assert not layout.compare()["report"].exists()


def test_gaps_nobody_asked_for_are_not_read():
    grid = Grid(methods=("joint",))
    made_up.write(grid)
    layout.gap("keypad", "0")["fit"].write_text("not JSON")
    compare.run(Job("compare"), grid.settings())
    assert "Modality gap of single clips" not in made_up.html()


def test_metrics_of_an_older_version_are_named():
    grid = Grid(methods=("joint",), seeds=(0,))
    made_up.write(grid)
    path = layout.evaluate("keypad", "joint", "0")["metrics"]
    metrics = json.loads(path.read_text())
    del metrics["cost"]
    path.write_text(json.dumps(metrics))
    with pytest.raises(UserError, match=f"^{path}: changed since it was written; restore it, or"):
        compare.run(Job("compare"), grid.settings())
    vouch.write(path, metrics)
    with pytest.raises(UserError, match=f"^{path}: has no 'cost'; delete it and run its stage"):
        compare.run(Job("compare"), grid.settings())
    del metrics["record_digest"]
    path.write_text(json.dumps(metrics))
    with pytest.raises(UserError, match=f"^{path}: carries no digest of itself"):
        compare.run(Job("compare"), grid.settings())


@pytest.mark.parametrize("name", ["predictions", "history", "gap", "trials", "split", "rejects"])
def test_a_table_that_was_cut_is_refused_with_its_rows(name):
    grid = Grid(methods=("joint", "gmm"), seeds=(0,), tests=31, trials=3)
    made_up.write(grid)
    tables = {
        "predictions": layout.evaluate("keypad", "joint", "0")["predictions"],
        "history": layout.train("keypad", "joint", "0")["history"],
        "gap": layout.gap("keypad", "0")["gap"],
        "trials": layout.search("keypad", "joint")["trials"],
        "split": layout.split("keypad")["split"],
        "rejects": layout.features("keypad")["rejects"],
    }
    path = tables[name]
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    said = rf"^{path}: not the file that .* \({len(lines) - 2} rows, there were {len(lines) - 1}\)"
    with pytest.raises(UserError, match=said):
        compare.run(Job("compare"), grid.settings())


@pytest.mark.parametrize("content", [b"[]", b"{}", b"null", b"", b'{"x": [}', b"\xff"])
@pytest.mark.parametrize("name", ["metrics", "model", "fit", "chosen", "extract", "split", "audit"])
def test_a_record_of_another_shape_is_one_line(name, content):
    grid = Grid(methods=("joint", "gmm"), seeds=(0,), tests=31, trials=3)
    made_up.write(grid)
    path = {
        "metrics": layout.evaluate("keypad", "joint", "0")["metrics"],
        "model": layout.train("keypad", "joint", "0")["model"],
        "fit": layout.gap("keypad", "0")["fit"],
        "chosen": layout.search("keypad", "joint")["chosen"],
        "extract": layout.features("keypad")["record"],
        "split": layout.split("keypad")["record"],
        "audit": layout.audit("keypad")["audit"],
    }[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{path}: [^\n]*$"):
        compare.run(Job("compare"), grid.settings())


@pytest.mark.parametrize(
    "change",
    [{"leaks": 3.0}, {"leaks": ["x"]}, {"rejects": None}, {"label_words": [{"modality": []}]}],
)
def test_findings_of_another_shape_are_one_line(change):
    grid = Grid(methods=("joint",), seeds=(0,), tests=31)
    made_up.write(grid)
    kinds = ("leaks", "contradictions", "cut", "constant", "label_words", "raters")
    found = {"samples": {"train": 1}, "rejects": {"samples": 0}} | {kind: [] for kind in kinds}
    path = layout.audit("keypad")["audit"]
    vouch.write(path, found)
    compare.run(Job("compare"), grid.settings())
    vouch.write(path, found | change)
    with pytest.raises(UserError, match=rf"^{path}: [^\n]*; [^\n]*stage again$"):
        compare.run(Job("compare"), grid.settings())


def test_drawn_samples_are_those_of_the_record():
    grid = Grid(methods=("joint",), seeds=(0,), tests=31)
    made_up.write(grid)
    features = layout.features("keypad")
    features["samples"].write_text('[{"sample_id": "a", "label": null, "modalities": null}]')
    with pytest.raises(UserError, match=rf"{features['samples']}|{features['record']}"):
        compare.run(Job("compare"), grid.settings())


@pytest.mark.parametrize("keep", [-3, -200, 0.5])
def test_a_cut_comparison_is_not_shown(keep, capsys):
    run(Grid(methods=("joint", "unimodal"), seeds=(0,)))
    path = layout.compare()["table"]
    text = path.read_text()
    path.write_text(text[: keep if keep < 0 else text.index("\n", len(text) // 2) + 1])
    assert cli.main(["show"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cut or damaged" in line or "not the file that" in line or "not a comparison" in line


def test_curves_of_a_warm_start_begin_with_the_warm_up():
    run(Grid(methods=("joint", "gmm"), seeds=(0,)))
    lines = layout.compare()["curves"].read_text().splitlines()
    epochs = [line.split(",")[3] for line in lines if line.startswith("keypad,gmm,0,")]
    assert sorted({int(epoch) for epoch in epochs}) == list(range(1, 16))
    layout.warmup("keypad", "0")["history"].unlink()
    with pytest.raises(UserError, match=r"seed0/history\.csv: no such file"):
        compare.run(Job("compare"), Grid(methods=("gmm",), seeds=(0,)).settings(baseline="gmm"))


def test_the_difference_to_the_best_control_is_by_the_same_test():
    grid = Grid()
    rows = {row["key"]: row for row in run(grid)}

    def accuracies(key, subset):
        paths = [layout.evaluate("keypad", key, str(seed))["metrics"] for seed in grid.seeds]
        return [json.loads(path.read_text())[subset]["accuracy"] for path in paths]

    # Controls of the grid: unimodal, and joint under another name than the baseline's.
    controls = ("unimodal", "joint-default-purified")
    best = max(controls, key=lambda key: sum(accuracies(key, "val")))
    assert {row["control"] for row in rows.values()} == {best}
    found = stats.ttest_rel(accuracies("gmm", "test"), accuracies(best, "test"))
    assert float(rows["gmm"]["control_p_value"]) == pytest.approx(found.pvalue)
    low, high = found.confidence_interval(0.95)
    assert float(rows["gmm"]["control_difference_low"]) == pytest.approx(low)
    assert float(rows["gmm"]["control_difference_high"]) == pytest.approx(high)
    for key in ("joint", best):
        assert rows[key]["control_difference"] == rows[key]["control_p_value_holm"] == ""
    # Holm by hand: the smallest of three counts three times.
    others = [key for key in rows if key not in ("joint", best)]
    smallest = min(float(rows[key]["control_p_value"]) for key in others)
    adjusted = min(float(rows[key]["control_p_value_holm"]) for key in others)
    assert adjusted == pytest.approx(min(1, 3 * smallest))


def test_the_best_control_is_chosen_on_validation():
    grid = Grid()
    made_up.write(grid)
    for seed in grid.seeds:  # best on test, worst on validation
        path = layout.evaluate("keypad", "unimodal", str(seed))["metrics"]
        record = json.loads(path.read_text())
        record["val"]["accuracy"], record["test"]["accuracy"] = 0.1, 1.0
        vouch.write(path, record)
    compare.run(Job("compare"), grid.settings())
    assert {row["control"] for row in made_up.table()} == {"joint-default-purified"}
