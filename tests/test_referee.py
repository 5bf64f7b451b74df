"""configs/referee.yaml: valid, with every method, the same chances for all, and SGD among them."""

from pathlib import Path

import pytest

from equipoise import params, registry

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "configs/referee.yaml"


def load(*overlays):
    return params.load(ROOT / "params.yaml", [STUDY, *overlays])


@pytest.fixture(scope="module")
def study():
    return load()


def keys(study):
    methods = study.methods
    return [*methods.from_scratch, *methods.from_warmup, *methods.with_teacher]


def test_every_method_stands_in_it(study):
    names = {registry.method_of(key)[0] for key in keys(study)}
    assert names == registry.methods().keys()
    assert len(study.seeds) == 5
    assert study.train.selection == "validation"


def test_all_have_the_same_trials_and_sgd_is_among_them(study):
    assert study.search.trials == 1 + len(study.search.train)  # joint, without options, has so many
    kinds = [change.get("optimizer", study.train.optimizer) for change in study.search.train]
    assert study.train.optimizer == "adamw" and kinds.count("sgd") >= 3
    without = {key for key in keys(study) if not study.search.options.get(key)}
    assert without == {"joint", "unimodal"}


def test_the_page_counts_as_the_configuration_does(study):
    page = (ROOT / "docs/referee.md").read_text(encoding="utf-8")
    sets, rows = len(study.datasets), len(keys(study))
    trainings = sets * rows * (len(study.seeds) + study.search.trials)
    assert f"{sets} data sets × {rows} rows × (5 seeds + 6 trials) = {trainings}" in page
    assert f"{len(registry.methods())} methods ({rows} rows)" in page


def test_every_paper_has_a_row_and_an_empty_cell_says_so():
    page = (ROOT / "docs/referee.md").read_text(encoding="utf-8")
    part = page.partition("\n## Published against reproduced\n")[2].partition("\n## ")[0]
    rows = [row.strip("| ").split(" | ") for row in part.splitlines() if row.startswith("| `")]
    assert all(len(row) == 6 and all(cell.strip() for cell in row) for row in rows)
    papers = {n for n, info in registry.methods().items() if info.grade != "baseline"}
    assert {row[0].strip("`") for row in rows} == papers | {"simbamm"}


@pytest.mark.parametrize("backbone", ["finetuned", "scratch"])
def test_the_backbones_are_crossed_on_one_data_set(study, backbone):
    other = load(ROOT / f"configs/referee-{backbone}.yaml")
    assert list(other.datasets) == ["emoji"] and keys(other) == keys(study)
    frozen = {m: e.freeze for m, e in study.encoders_of("emoji").items()}
    trained = {m: e.freeze for m, e in other.encoders_of("emoji").items()}
    assert set(frozen.values()) == {"body"} and set(trained.values()) == {"none"}
    weights = {bool(e.weights) for e in other.encoders_of("emoji").values()}
    assert weights == {backbone == "finetuned"}


@pytest.mark.parametrize(
    ("name", "overlays"),
    [
        ("grid", ["grid", "grid-small", "grid-mouth"]),
        ("grid_colour", ["grid-colour"]),
        ("utd_mhad", ["utd_mhad"]),
        ("emoji", ["emoji"]),
    ],
)
def test_real_data_have_the_settings_that_were_found_for_them(study, name, overlays):
    """Those of the overlay that docs/real-data.md is about: they are chosen there, not here."""
    files = [ROOT / f"configs/{overlay}.yaml" for overlay in overlays]
    found = params.load(ROOT / "params.yaml", files, feasible=False)
    assert study.streams_of(name) == found.streams_of(name)
    assert study.encoders_of(name) == found.encoders_of(name)
    for settings in ("split_of", "model_of", "train_of"):
        assert getattr(study, settings)(name) == getattr(found, settings)(name), settings
    assert study.datasets[name].download == found.datasets[name].download


@pytest.mark.parametrize(
    ("part", "datasets"), [("small", ["emoji", "utd_mhad", "keypad"]), ("frozen", ["emoji"])]
)
def test_a_part_is_a_part(study, part, datasets):
    small = load(ROOT / f"configs/referee-{part}.yaml")
    assert list(small.datasets) == datasets and keys(small) == keys(study)
    for name in small.datasets:
        assert small.streams_of(name) == study.streams_of(name)
        assert small.train_of(name).epochs == 20
