"""params.yaml: every mistake is one line that names the key and the nearest valid one."""

import copy
import json
import re
from pathlib import Path

import pytest

from equipoise import params
from equipoise.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
STREAMS = {
    "modalities": {
        "video": {"kind": "frames", "pick": {"even": 4}, "size": 32},
        "audio": {"kind": "sound", "rate": 8000, "seconds": 0.8},
    }
}
GOOD = {
    "datasets": {"keypad": STREAMS},
    "methods": {"from_scratch": {"joint": {}, "lfm-heuristic": {}}, "from_warmup": {}},
    "seeds": [0, 1],
}


def changed(path: str, value: object) -> dict:
    tree = copy.deepcopy(GOOD)
    *parents, last = path.split("/")
    at = tree
    for key in parents:
        at = at.setdefault(key, {})
    at[last] = value
    return tree


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("seeds", [2**63], "seeds.0: Input should be less than 9223372036854775808 (got 9223"),
        ("seeds", [10**23], "seeds.0: Input should be less than"),
        (
            "datasets/keypad/modalities/video/size",
            10**30,
            "video.size.0: Input should be less than",
        ),
        ("datasets/keypad/modalities/audio/rate", 10**12, "audio.rate: Input should be less than"),
        ("datasets/keypad/modalities/audio/seconds", 1e300, "audio.seconds: Input should be less"),
        ("gap/seed", 2**32, "gap.seed: Input should be less than 4294967296 (got 4294967296)"),
        ("split/seed", 2**63, "split.seed: Input should be less than"),
        ("train/batch_size", 2**31, "train.batch_size: Input should be less than 2147483648"),
        ("tarin", {}, "tarin: unknown key; did you mean 'train'?"),
        ("train/learning_rat", 0.1, "learning_rat: unknown key; did you mean 'learning_rate'?"),
        ("extract/video/frame", 4, "extract.video is no parameter any more; write datasets.NAME."),
        ("train/shift", 2, "train.shift is no parameter any more; write datasets.NAME.augment: "),
        ("model/encoders", {}, "model.encoders is no parameter any more; write datasets.NAME.enc"),
        ("datasets/keypad/modalities", {}, "write datasets.keypad.modalities: {video: {kind: fra"),
        ("datasets/keypad/modalities/video/size", 4, "modalities.video.size"),
        ("datasets/keypad/modalities/video/kind", "frame", "kind 'frame'; did you mean 'frames'?"),
        ("datasets/keypad/modalities/video/column", "", "the name of a column of the manifest"),
        ("datasets/keypad/modalities/video/pick", {"evn": 4}, "evn: unknown key; did you mean"),
        ("datasets/keypad/modalities/audio/seconds", 0.01, "too few for n_fft"),
        ("datasets/keypad/augment", {"vidoe": {}}, "'vidoe' is unknown; did you mean 'video'?"),
        ("datasets/keypad/augment", {"video": {"shft": 2}}, "shft: unknown key; did you mean"),
        ("datasets/keypad/encoders", {"vidoe": "x"}, "'vidoe' is unknown; did you mean 'video'?"),
        ("datasets/keypad/encoders", {"video": "conv_frame"}, "did you mean 'conv_frames'?"),
        (
            "datasets/keypad/encoders",
            {"video": "conv_speech"},
            "'conv_speech' reads spectrogram, but 'video' (frames) gives pictures; use one of",
        ),
        (
            "datasets/keypad/encoders",
            {"video": {"name": "conv_frames", "freeze": "stem"}},
            "encoders.video.freeze: 'conv_frames' has no stem",
        ),
        ("train/epochs", -1, "train.epochs: Input should be greater than or equal to 1 (got -1)"),
        ("train/epochs", 2.5, "train.epochs: Input should be a valid integer (got 2.5)"),
        ("train/epochs", "20", "train.epochs: Input should be a valid integer (got '20')"),
        ("train/learning_rate", 0.0, "train.learning_rate: Input should be greater than 0"),
        ("train/learning_rate", float("nan"), "train.learning_rate: Input should be"),
        ("train/optimizer", "adam", "train.optimizer: Input should be 'sgd' or 'adamw'"),
        ("methods/from_scratch", {"lfn": {}}, "unknown method 'lfn'; did you mean 'lfm'?"),
        ("methods/from_scratch", {"lfm-heuristik": {}}, "did you mean 'heuristic'?"),
        ("methods/from_scratch", {"gmm-adaptive": {}}, "move it to from_warmup"),
        (
            "methods/from_scratch",
            {"joint": {}, "lfm": {"levle": 0.1}},
            "methods.from_scratch.lfm.levle: unknown key; did you mean 'level'?",
        ),
        ("methods/from_warmup", {"joint": {}}, "'joint' stands in from_scratch and in from_warmup"),
        (
            "methods/with_teacher",
            {"umt": {}},
            "methods.teacher: 'unimodal' is not in the grid, but methods.with_teacher reads its "
            "runs; put it in methods.from_scratch",
        ),
        (
            "methods/with_teacher",
            {"mla": {}},
            "'mla' reads no trained run; move it to from_scratch",
        ),
        (
            "methods/with_teacher",
            {"gmm": {}},
            "'gmm' reads the modality gaps; move it to from_warm",
        ),
        (
            "methods/from_scratch",
            {"umt": {}},
            "methods.from_scratch.umt: 'umt' reads a trained run; move it to with_teacher",
        ),
        ("methods/with_teacher", {"umt": {"wieght": 1}}, "with_teacher.umt.wieght: unknown key"),
        ("datasets", {"keypda": STREAMS}, "no such data set; did you mean 'keypad'?"),
        (
            "datasets",
            {"keypad": STREAMS | {"extract": {"shard_row": 1}}},
            "did you mean 'shard_rows'?",
        ),
        ("datasets", {"keypad": STREAMS | {"splt": {}}}, "did you mean 'split'?"),
        ("datasets", {"mine": STREAMS | {"download": {"folder": "x", "y": 1}}}, "y: unknown key"),
        ("datasets", {}, "datasets: "),
        ("split/val_fraction", 0.9, "leave nothing for training"),
        ("model/fusion", "concatt", "model.fusion: 'concatt' is unknown; did you mean 'concat'?"),
        ("runtime/device", "gpu", "runtime.device: String should match pattern"),
        ("seeds", [0, 0], "the same seed twice"),
        ("seeds", [True], "seeds.0: Input should be a valid integer"),
        ("seeds", [], "seeds: "),
        ("compare/baseline", "jiont", "did you mean 'joint'?"),
    ],
)
def test_mistakes_are_named_in_one_line(path: str, value: object, said: str) -> None:
    with pytest.raises(UserError) as caught:
        params.parse(params.Params, changed(path, value), "params.yaml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("params.yaml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("train/weight_decay", 0.0),
        ("train/momentum", 0.0),
        ("extract/max_reject_fraction", 0.0),
        ("gap/min_separation", 0.0),
    ],
)
def test_zero_is_kept(path: str, value: float) -> None:
    checked = params.parse(params.Params, changed(path, value), "params.yaml")
    section, key = path.split("/")
    assert getattr(getattr(checked, section), key) == value


def test_the_largest_seeds_pass() -> None:
    tree = changed("seeds", [2**63 - 1]) | {"gap": {"seed": 2**32 - 1}}
    assert params.parse(params.Params, tree, "test").seeds == [2**63 - 1]


@pytest.mark.parametrize(
    ("kept", "warm", "gap", "said"),
    [
        (["audio"], {}, {}, "methods.from_scratch.lfm-heuristic: data set 'keypad' has 1 modal"),
        (
            ["audio"],
            {"joint-concat-warm": {}},
            {},
            "a modality gap needs two modalities",
        ),
        (["audio", "video", "more"], {"gmm": {}}, {"signed": True}, "'keypad' has 3; set it to"),
    ],
)
def test_methods_that_cannot_work_with_so_many_modalities(kept, warm, gap, said) -> None:
    tree = copy.deepcopy(GOOD) | {"gap": gap}
    streams = STREAMS["modalities"]
    streams = streams | {"more": streams["audio"]}
    tree["datasets"]["keypad"]["modalities"] = {name: streams[name] for name in kept}
    tree["methods"]["from_warmup"] = warm
    if warm:
        del tree["methods"]["from_scratch"]["lfm-heuristic"]
    with pytest.raises(UserError, match=re.escape(said)):
        params.parse(params.Params, tree, "test")


def test_a_manifest_that_cannot_be_split_is_refused_with_the_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by `params check`, and so before Snakemake builds a graph; not after extraction."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    rows = [f"s{n},{'b' if n == 0 else 'a'},,,{n}.mp4" for n in range(9)]
    table = tmp_path / "mine/manifest.csv"
    table.write_text("\n".join(["sample_id,label,split,group,video", *rows]) + "\n")
    tree = changed("datasets", {"mine": STREAMS | {"download": {"folder": "mine"}}})
    (tmp_path / "params.yaml").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=r"mine/manifest.csv: split: .* no sample of class 'b'"):
        params.load()
    assert params.load(feasible=False).seeds == [0, 1]
    table.write_text(table.read_text().replace("s1,a", "s1,b").replace("s2,a", "s2,b"))
    assert params.load().seeds == [0, 1]


def test_warmup_must_leave_epochs() -> None:
    tree = changed("methods/from_warmup", {"gmm-adaptive": {}})
    tree["train"], tree["warmup"] = {"epochs": 5}, {"epochs": 5}
    with pytest.raises(UserError, match=r"warmup.epochs \(5\) leaves nothing of train.epochs"):
        params.parse(params.Params, tree, "params.yaml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"methods/from_warmup": {"gmm-purified": {"finetune_epochs": 4}}},
            "gmm-purified.finetune_epochs: 4 is more than the 3 epochs that warmup.epochs leaves",
        ),
        (
            {"methods/from_warmup": {"gmm-adaptive": {}}, "gap/scores": "split"},
            "gap.scores: fusion 'gated' cannot be split",
        ),
        (
            {"methods/from_warmup": {"gmm-adaptive": {"scores": "split"}}},
            "methods.from_warmup.gmm-adaptive.scores: fusion 'gated' cannot be split",
        ),
        (
            {"methods/from_scratch": {"ogm": {}}, "compare/baseline": "ogm"},
            "methods.from_scratch.ogm.scores: fusion 'gated' cannot be split",
        ),
        ({"methods/from_warmup": {"gmm-purified": {"finetune_epochs": 3}}}, ""),
        ({"methods/from_warmup": {"gmm-adaptive": {"finetune_epochs": 4}}}, ""),
        (
            {
                "methods/from_warmup": {"gmm-purified": {"finetune_epochs": 1}},
                "search/options": {"gmm-purified": [{"finetune_epochs": 4}]},
            },
            "finetune_epochs: 4 is more than the 3 epochs",
        ),
        (
            {
                "methods/from_warmup": {"gmm-adaptive": {}},
                "gap/scores": "split",
                "model/fusion": "sum",
                "datasets/keypad": STREAMS | {"model": {"fusion": "film"}},
            },
            "gap.scores: fusion 'film' cannot be split",
        ),
        ({"gap/scores": "split"}, ""),
        ({"methods/from_scratch": {"ogm": {"scores": "heads"}}, "compare/baseline": "ogm"}, ""),
    ],
)
def test_options_that_do_not_fit_the_rest_are_found_before_anything_runs(changes, said) -> None:
    tree = changed("model/fusion", "gated")
    tree["train"], tree["warmup"] = {"epochs": 8}, {"epochs": 5}
    for path, value in changes.items():
        section, key = path.split("/")
        tree.setdefault(section, {})[key] = value
    if not said:
        params.parse(params.Params, tree, "params.yaml")
        return
    with pytest.raises(UserError) as caught:
        params.parse(params.Params, tree, "params.yaml")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_data_set_with_fewer_epochs_counts_for_the_fine_tuning() -> None:
    tree = changed("methods/from_warmup", {"gmm-purified": {"finetune_epochs": 3}})
    tree["train"], tree["warmup"] = {"epochs": 9}, {"epochs": 5}
    tree["datasets"]["avdigits"] = STREAMS | {"train": {"epochs": 7}}
    with pytest.raises(UserError, match="more than the 2 epochs"):
        params.parse(params.Params, tree, "params.yaml")


def test_a_teacher_is_another_run_of_the_grid() -> None:
    tree = changed("methods/with_teacher", {"umt": {}, "g2d": {}})
    with pytest.raises(
        UserError, match=r"methods\.teacher: 'g2d' stands in with_teacher"
    ) as caught:
        params.parse(params.Params, changed_in(tree, "g2d"), "params.yaml")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"'jiont' is not in the grid.*; did you mean 'joint'\?"):
        params.parse(params.Params, changed_in(tree, "jiont"), "params.yaml")
    checked = params.parse(params.Params, changed_in(tree, "joint"), "params.yaml")
    assert checked.method_names == ["joint", "lfm-heuristic", "umt", "g2d"]
    for stage in ("search", "train"):
        for method, teacher in (("umt", "joint"), ("joint", None)):
            job = params.job_settings(checked, stage, "keypad", method)
            told = job.train if isinstance(job, params.SearchJob) else job
            assert isinstance(told, params.TrainJob) and told.teacher == teacher
    assert checked.methods.table_of("umt") == "with_teacher"
    # Nobody reads it: it need not be there.
    params.parse(params.Params, changed_in(GOOD, "nobody"), "params.yaml")


def changed_in(tree: dict, teacher: str) -> dict:
    return {**tree, "methods": {**tree["methods"], "teacher": teacher}}


def test_overlay_replaces_grids_and_merges_the_rest(tmp_path: Path) -> None:
    base = tmp_path / "params.yaml"
    base.write_text(json.dumps(GOOD | {"train": {"epochs": 30, "batch_size": 16}}))
    extra = tmp_path / "extra.yaml"
    extra.write_text(
        f"datasets: {{avdigits: {json.dumps(STREAMS)}}}\n"
        "train: {epochs: 7, learning_rate: 1e-3}\n"
    )
    merged = params.load(base, [extra])
    assert list(merged.datasets) == ["avdigits"]
    assert merged.method_names == ["joint", "lfm-heuristic"]
    assert (merged.train.epochs, merged.train.batch_size) == (7, 16)
    assert merged.train.learning_rate == 0.001  # YAML 1.2: a number, not a string


TUNED = {
    "keypad": STREAMS
    | {
        "encoders": {
            "video": {"name": "resnet18", "freeze": "stem", "weights": "resnet18-imagenet"},
            "audio": "conv_speech",
        },
        "augment": {"video": {"shift": 2, "crop": {"size": 24, "scale": [0.5, 1.0]}}},
        "train": {"epochs": 3, "batch_size": 8},
    },
    "avdigits": STREAMS,
}


def laid(tmp_path: Path, *overlays: dict) -> params.Params:
    base = tmp_path / "params.yaml"
    base.write_text(json.dumps(GOOD | {"datasets": TUNED}))
    files = []
    for number, overlay in enumerate(overlays):
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text(json.dumps({"datasets": overlay}))
    return params.load(base, files)


def test_an_entry_without_modalities_changes_the_data_set_before_it(tmp_path: Path) -> None:
    found = laid(tmp_path, {"keypad": {"encoders": {"audio": {"rates": {"body": 0.5}}}}})
    assert list(found.datasets) == ["keypad"], "the other is not named, so it is not run"
    before = params.parse(params.Params, GOOD | {"datasets": TUNED}, "x").datasets["keypad"]
    entry = found.datasets["keypad"]
    audio = entry.encoders.pop("audio")
    assert (audio.name, audio.rates) == ("conv_speech", {"body": 0.5})
    assert before.encoders.pop("audio") == "conv_speech"
    assert entry == before, "nothing else has changed"


def test_an_encoder_with_a_name_is_taken_whole_and_one_without_is_changed(tmp_path: Path) -> None:
    thawed = laid(tmp_path, {"keypad": {"encoders": {"video": {"freeze": "none"}}}})
    video = thawed.encoders_of("keypad")["video"]
    assert (video.name, video.freeze, video.weights) == ("resnet18", "none", "resnet18-imagenet")
    fresh = laid(tmp_path, {"keypad": {"encoders": {"video": {"name": "resnet18"}}}})
    video = fresh.encoders_of("keypad")["video"]
    assert (video.name, video.freeze, video.weights) == ("resnet18", "none", "")
    other = laid(tmp_path, {"keypad": {"encoders": {"video": "conv_frames"}}})
    assert other.encoders_of("keypad")["video"].name == "conv_frames"


def test_a_setting_is_taken_whole_and_those_beside_it_stay(tmp_path: Path) -> None:
    change = {
        "modalities": {"video": {"pick": {"every": 0.5, "count": 2}}},
        "augment": {"video": {"crop": {"size": 16}}},
        "train": {"epochs": 5},
    }
    entry = laid(tmp_path, {"keypad": change}).datasets["keypad"]
    assert (
        entry.modalities["video"] == STREAMS["modalities"]["video"] | change["modalities"]["video"]
    )
    assert entry.modalities["audio"] == STREAMS["modalities"]["audio"]
    assert entry.augment == {"video": {"shift": 2, "crop": {"size": 16}}}
    assert entry.train == {"epochs": 5, "batch_size": 8}


def test_overlays_change_what_overlays_changed_and_choose_data_sets(tmp_path: Path) -> None:
    first = {"keypad": {"train": {"epochs": 5}}, "avdigits": {}}
    found = laid(tmp_path, first, {"keypad": {"train": {"batch_size": 4}}})
    assert list(found.datasets) == ["keypad"]
    assert found.datasets["keypad"].train == {"epochs": 5, "batch_size": 4}


def test_an_entry_with_kinds_is_a_data_set_of_its_own(tmp_path: Path) -> None:
    entry = laid(tmp_path, {"keypad": STREAMS}).datasets["keypad"]
    assert entry == params.DatasetEntry(**STREAMS), "encoders, augment and train are not kept"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"keypad": {"modalities": {"video": {"kind": "frames"}, "audio": {"rate": 4000}}}},
            "datasets.keypad.modalities: 'video' says its kind and 'audio' does not; say all",
        ),
        (
            {"keypda": {"train": {"epochs": 5}}},
            "datasets.keypda: no modalities, and no data set before it has this name; did you mean "
            "'keypad'?",
        ),
        ({"spoken": {"train": {"epochs": 5}}}, "datasets.spoken.modalities: {video: {kind: fra"),
        ({"keypad": {"encoders": {"vidoe": {"freeze": "none"}}}}, "encoders.vidoe"),
        ({"keypad": {"modalities": {"vidoe": {"size": 8}}}}, "modalities.vidoe: kind is missing"),
        ({"keypad": None}, "datasets.keypad: Input should be"),
        ({"keypad": {"modalities": {}}}, "datasets.keypad.modalities: {video: {kind: fra"),
    ],
)
def test_a_change_of_a_data_set_that_is_not_clear_is_one_line(
    tmp_path: Path, change: dict, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        laid(tmp_path, change)
    assert said in str(caught.value) and "0.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_data_set_changes_its_own_sections_only() -> None:
    tree = changed("datasets", {"keypad": STREAMS | {"train": {"epochs": 3}}, "avdigits": STREAMS})
    checked = params.parse(params.Params, tree, "params.yaml")
    assert checked.train_of("keypad").epochs == 3
    assert checked.train_of("avdigits").epochs == checked.train.epochs != 3


def test_job_settings_survive_the_way_through_the_workflow() -> None:
    tree = changed("methods/from_warmup", {"gmm-adaptive": {}})
    checked = params.parse(params.Params, tree, "params.yaml")
    for stage, kind in params.JOBS.items():
        for method in checked.method_names:
            job = params.job_settings(checked, stage, "keypad", method)
            assert params.parse_json(kind, job.model_dump_json(), "--settings") == job


def test_from_warmup_jobs_know_the_warmup() -> None:
    tree = changed("methods/from_warmup", {"gmm-adaptive": {}})
    checked = params.parse(params.Params, tree, "params.yaml")
    warm = params.job_settings(checked, "train", "keypad", "gmm-adaptive")
    cold = params.job_settings(checked, "train", "keypad", "joint")
    assert isinstance(warm, params.TrainJob) and warm.warmup == checked.warmup
    assert isinstance(cold, params.TrainJob) and cold.warmup is None and cold.gap is None


def test_apply_writes_a_valid_file(tmp_path: Path) -> None:
    base, extra = tmp_path / "params.yaml", tmp_path / "extra.yaml"
    base.write_text(json.dumps(GOOD))
    extra.write_text("seeds: [5]\n")
    expected = params.load(base, [extra])
    params.apply(base, [extra])
    assert params.load(base) == expected
    extra.write_text("seeds: [-5]\n")
    before = base.read_text()
    with pytest.raises(UserError):
        params.apply(base, [extra])
    assert base.read_text() == before


def test_schema_file_is_in_sync() -> None:
    file = ROOT / "workflow/schemas/params.schema.json"
    assert json.loads(file.read_text()) == params.schema(), (
        "run: equipoise params schema > workflow/schemas/params.schema.json"
    )


def test_every_configuration_in_the_repository_is_valid() -> None:
    base = ROOT / "params.yaml"
    assert params.load(base).method_names
    behind = {
        "emoji-finetuned": "emoji",
        "referee-finetuned": "referee",
        "referee-scratch": "referee",
        "referee-frozen": "referee",
        "referee-small": "referee",
    }
    for extra in sorted((ROOT / "configs").glob("*.yaml")):
        before = [ROOT / f"configs/{behind[extra.stem]}.yaml"] if extra.stem in behind else []
        assert params.load(base, [*before, extra]).datasets, extra
        if before:
            with pytest.raises(UserError, match="or name the overlay that has them before this"):
                params.load(base, [extra])


def test_yaml_mistakes_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("a: [1,\nb: }")
    with pytest.raises(UserError, match="not YAML") as caught:
        params.load(file)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such file"):
        params.load(tmp_path / "absent.yaml")
    file.write_text('datasets: {mine: {download: {folder: "a\\0b"}}}')
    with pytest.raises(UserError, match="the character NUL"):
        params.load(file)
