"""From Snakemake to DVC and back, with overlays, edits and failures in between."""

import shutil

import pytest

pytestmark = pytest.mark.xdist_group("workflow")
TWO = (
    "modalities: {video: {kind: frames, pick: {even: 4}, size: 32}, "
    "audio: {kind: sound, rate: 8000, seconds: 0.8, n_fft: 256, hop: 128}}, "
    "encoders: {video: conv_frames, audio: conv_spectrogram}"
)


def test_a_recorded_run_leaves_nothing_to_do_in_either_tool(built):
    assert built.nothing_to_do()
    assert built.stale() == {}


def test_folders_that_dvc_keeps_hold_no_files_of_snakemake(built):
    cached = built.run("dvc", "list", ".", "data/raw/keypad/media", "-R")
    assert cached.split() == ["a.mp4", "b.mp4"]
    assert (built.folder / "data/raw/keypad/media/.snakemake_timestamp").exists()


def test_a_pull_is_warned_of_until_sync_and_then_the_next_change_is_seen(pulled):
    text = pulled.snakemake("--dry-run", "--quiet", "all")
    assert "are not those of the last Snakemake run" in text
    assert "workflow/scripts/sync" in text
    refused = pulled.run("workflow/scripts/record", ok=False)
    assert "error: " in refused and "Traceback" not in refused
    pulled.run("workflow/scripts/sync")
    assert pulled.nothing_to_do()
    assert pulled.stale() == {}
    pulled.params(lambda tree: tree["gap"].update(n_init=9))
    assert "Not yet in dvc.lock: workflow/scripts/record" in pulled.snakemake("--quiet", "all")
    # Both data sets, and what follows from their gaps: the method that reads them.
    assert pulled.jobs() == [
        "compare:compare",
        "evaluate:keypad/gmm-adaptive/seed0",
        "evaluate:mine/gmm-adaptive/seed0",
        "gap:keypad/seed0",
        "gap:mine/seed0",
        "search:keypad/gmm-adaptive",
        "search:mine/gmm-adaptive",
        "train:keypad/gmm-adaptive/seed0",
        "train:mine/gmm-adaptive/seed0",
    ]


@pytest.mark.slow
def test_dvc_repro_runs_the_same_jobs_as_snakemake_and_makes_the_same_lock(copy, pulled):
    def change(tree):
        tree["methods"]["from_warmup"]["gmm-adaptive"] = {"beta": 0.25}

    copy.params(change)
    copy.snakemake("--quiet", "all")
    jobs = copy.jobs()
    copy.run("workflow/scripts/record")
    pulled.run("workflow/scripts/sync")
    pulled.params(change)
    pulled.run("dvc", "repro")
    assert pulled.jobs() == jobs
    assert len(jobs) == 7
    assert (pulled.folder / "dvc.lock").read_text() == (copy.folder / "dvc.lock").read_text()
    assert "WARNING" not in pulled.snakemake("--dry-run")
    assert pulled.nothing_to_do()


def test_sync_refuses_what_dvc_does_not_vouch_for(copy):
    path = copy.folder / "data/splits/keypad/split.csv"
    path.write_text("edited")
    refused = copy.run("workflow/scripts/sync", ok=False)
    assert "error: the folder is not what dvc.lock records" in refused
    assert "split@keypad" in refused
    assert path.read_text() == "edited"


def test_an_edited_file_reruns_the_jobs_that_use_it_and_no_others(copy):
    source = copy.folder / "src/equipoise/methods/gmm/method.py"
    source.write_text(source.read_text() + "# a comment\n")
    copy.snakemake("--quiet", "all")
    cells = [
        job.format(dataset)
        for job in (
            "evaluate:{}/gmm-adaptive/seed0",
            "search:{}/gmm-adaptive",
            "train:{}/gmm-adaptive/seed0",
        )
        for dataset in ("keypad", "mine")
    ]
    assert copy.jobs() == ["compare:compare", *cells]


def test_a_new_method_and_a_new_data_set_rerun_nothing(copy):
    package = copy.folder / "src/equipoise"
    shutil.copytree(package / "methods/joint", package / "methods/fresh")
    shutil.copy(package / "data/datasets/keypad.py", package / "data/datasets/fresh.py")
    assert copy.nothing_to_do()
    assert list(copy.stale()) == ["code"]
    copy.run("dvc", "repro", "--quiet")
    assert copy.jobs() == []


def test_an_overlay_runs_beside_params_yaml_and_leaves_its_record_clean(copy):
    lock = (copy.folder / "dvc.lock").read_text()
    overlay = copy.folder / "other.yaml"
    overlay.write_text(f"datasets: {{extra: {{{TWO}, download: {{folder: own}}}}}}\nseeds: [4]\n")
    copy.snakemake("--quiet", "all", "--configfile", str(overlay))
    assert "train:extra/joint/seed4" in copy.jobs()
    assert not any("keypad" in job for job in copy.jobs())
    copy.snakemake("--quiet", "all")
    assert copy.jobs() == ["compare:compare"]
    copy.run("workflow/scripts/record")
    assert (copy.folder / "dvc.lock").read_text() == lock
    kept = copy.folder / "results/evaluate/extra/joint/seed4/metrics.json"
    assert kept.exists(), "the overlay's results were moved aside for good"
    assert not (copy.folder / "state/aside").exists()


def test_what_a_killed_record_moved_aside_comes_back(copy):
    copy.snakemake("--quiet", "all")
    hidden = copy.folder / "state/aside/results/gap/keypad/seed9"
    hidden.mkdir(parents=True)
    (hidden / "gap.csv").write_text("kept")
    copy.run("workflow/scripts/record")
    assert (copy.folder / "results/gap/keypad/seed9/gap.csv").read_text() == "kept"


def test_a_failed_job_is_done_again_and_only_that(copy):
    copy.params(lambda tree: tree["compare"].update(level=0.5))
    text = copy.snakemake(ok=False, FAIL="compare")
    assert "as asked" in text, "the log of the failed job is shown"
    assert not (copy.folder / "results/comparison.csv").exists()
    copy.snakemake("--quiet", "all")
    assert copy.jobs() == ["compare:compare"]
    assert copy.nothing_to_do()
