"""A user's folder is an input of both tools: what changes there runs again what depends on it."""

import os

import pytest

pytestmark = pytest.mark.xdist_group("workflow")


def relabel(folder):
    table = folder / "manifest.csv"
    table.write_text(table.read_text().replace("s0,c0", "s0,c1"))


def drop_a_row(folder):
    table = folder / "manifest.csv"
    table.write_text(table.read_text().replace("s3,c1,,,3.wav\n", ""))


def replace_a_clip(folder):
    (folder / "0.wav").write_bytes(b"other 0")  # as long as before


@pytest.mark.parametrize("change", [relabel, drop_a_row, replace_a_clip])
def test_a_change_in_the_folder_is_seen_by_both_tools(copy, change):
    assert copy.nothing_to_do()
    assert copy.stale() == {}
    change(copy.folder / "own")
    text = copy.snakemake("--dry-run", "--until", "download")
    assert "mine: fetch" in text and "keypad: fetch" not in text
    copy.run("dvc", "repro", "origin")
    stale = copy.stale()
    assert "download@mine" in stale and "download@keypad" not in stale
    copy.snakemake("--until", "download")
    assert copy.jobs() == ["download:mine"]


def test_another_time_of_the_same_bytes_is_no_change(copy):
    for path in (copy.folder / "own").iterdir():
        os.utime(path, (1e9, 1e9))
    assert copy.nothing_to_do()
    copy.run("dvc", "repro", "origin")
    assert copy.stale() == {}
