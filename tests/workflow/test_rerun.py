"""One stage of one cell again, in either tool, and afterwards only what depends on it."""

import pytest

pytestmark = pytest.mark.xdist_group("workflow")

CELL = ("train", "keypad", "joint", "0")


@pytest.mark.parametrize("tool", [(), ("--dvc",)], ids=["snakemake", "dvc"])
def test_one_job_runs_again_and_no_other(copy, tool):
    copy.run("workflow/scripts/rerun", *CELL, *tool)
    assert copy.jobs() == ["train:keypad/joint/seed0"]
    # The same bytes: nothing follows.
    assert copy.nothing_to_do()
    assert copy.stale() == {}


@pytest.mark.parametrize("tool", [(), ("--dvc",)], ids=["snakemake", "dvc"])
def test_a_download_runs_again_though_dvc_keeps_what_is_there(copy, tool):
    (copy.folder / "data/raw/keypad/media/old.mp4").write_text("of another version")
    copy.run("workflow/scripts/rerun", "download", "keypad", *tool)
    assert copy.jobs() == ["download:keypad"]
    assert not (copy.folder / "data/raw/keypad/media/old.mp4").exists()
    assert copy.nothing_to_do()
    assert copy.stale() == {}


@pytest.mark.slow
@pytest.mark.parametrize("tool", [(), ("--dvc",)], ids=["snakemake", "dvc"])
def test_afterwards_only_what_depends_on_it_runs(copy, tool):
    copy.run("workflow/scripts/rerun", *CELL, *tool, SALT="another result")
    assert copy.jobs() == ["train:keypad/joint/seed0"]
    copy.run(*(("dvc", "repro") if tool else ("snakemake", "--cores", "2")))
    # umt has this run as its teacher.
    others = [job for job in copy.jobs() if "keypad/umt" not in job]
    assert others == ["compare:compare", "evaluate:keypad/joint/seed0"]
    assert copy.nothing_to_do()


def test_a_wrong_name_is_one_line(copy):
    text = copy.run("workflow/scripts/rerun", "train", "keypad", "join", "0", ok=False)
    assert text == "error: unknown method 'join'; did you mean 'joint'?\n"
    text = copy.run("workflow/scripts/rerun", "train", "keypad", ok=False)
    assert text == "error: stage train wants 3 name(s) behind it: dataset, method, seed\n"


def test_a_dry_run_says_in_words_what_each_job_does(fresh):
    text = fresh.snakemake("--dry-run")
    assert "keypad, gmm-adaptive, seed 0: train\n" in text
    assert "src/equipoise" not in text
    assert "input: " not in text
