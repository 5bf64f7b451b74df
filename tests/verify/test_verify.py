"""Flipped bits, in every place and kind of file, with size and times as before."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_project
from small_project import CLIP, MODEL, flip, md5, sha256

from equipoise import files, vouch

WEIGHTS, CARD = MODEL / "model.safetensors", MODEL / "model.json"
TABLE = Path("results/comparison.csv")
TWINS = [MODEL.with_name(f"seed{seed}") / "history.csv" for seed in (0, 1)]


def cached(name):
    return Path(".dvc/cache/files/md5", name[:2], name[2:])


def listing():
    (path,) = Path(".dvc/cache").rglob("*.dir")
    return path


def names(problems):
    return [line.partition(": ")[0] for line in problems]


def mend(problems):
    """Do what the lines say."""
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in problems:
        command = line.partition("; mend: ")[2]
        subprocess.run(command, shell=True, check=True, env={**os.environ, "PATH": here})


def test_an_undamaged_project_has_no_problem_and_every_byte_is_read(project):
    status, lines = project.verify()
    assert status == 0
    # Files: two clips, their list, three of seed 0, the other history, the table. Objects: not the
    # table, which git has; the same history once; the list of the media folder.
    assert lines == ["0 problem(s); read: 8 in the workspace, 7 in the cache"]


def test_damaged_files_are_named_and_mended(project):
    for path in (CLIP, WEIGHTS, TABLE):
        flip(path)
    TWINS[1].unlink()
    found = project.problems()
    assert names(found) == [str(path) for path in (CLIP, WEIGHTS, TWINS[1], TABLE)]
    assert all("not as in dvc.lock (unless" in line for line in (found[0], found[1], found[3]))
    assert ": missing; " in found[2]
    mend(found)
    assert project.problems() == []


@pytest.mark.parametrize("remote", ["local"], indirect=True)
def test_damaged_objects_are_named_and_mended(project, remote):
    twin, both, lost = cached(md5(TWINS[0])), cached(md5(WEIGHTS)), cached(md5(CLIP))
    old = cached("0" * 32)
    old.parent.mkdir(exist_ok=True)
    old.write_text("of another commit, and damaged")
    flip(twin)
    flip(both)
    flip(WEIGHTS)
    flip(listing())
    lost.unlink()
    found = project.problems("--remote")
    assert {
        (name, line.count(" missing ")) for name, line in zip(names(found), found, strict=True)
    } == {
        (str(WEIGHTS), 0),
        ("no file of this commit", 0),
        (", ".join(map(str, TWINS)), 0),
        (f"list of files of {CLIP.parent}", 0),
        (str(CLIP), 1),
    }
    assert sum(str(WEIGHTS) in line.partition(": ")[0] for line in found) == 2
    # The workspace asks for what the cache has to give back first.
    mend([*found[1:], found[0]])
    assert project.problems("--remote") == []


@pytest.mark.parametrize("remote", ["local"], indirect=True)
def test_in_a_clone_before_the_pull_each_missing_file_has_one_line(project, remote):
    for folder in ("data", "models", ".dvc/cache"):
        shutil.rmtree(folder)
    found = project.problems("--remote")
    assert len(found) == 8, "seven files and the list of a folder"
    assert {name for name in names(found) if "/toy/media/" in name} == {
        str(CLIP),
        str(CLIP.parent / "sub/b.mp4"),
    }
    assert all("dvc pull" in line or "dvc fetch" in line for line in found)


def test_paths_confine_it(project):
    flip(WEIGHTS)
    flip(CLIP)
    flip(cached(md5(TWINS[0])))
    assert len(project.problems()) == 3
    assert names(project.problems(CLIP.parent)) == [str(CLIP)]
    assert project.problems("results") == []
    status, lines = project.verify(CLIP)
    assert status == 1
    assert lines[-1] == "1 problem(s); read: 1 in the workspace, 2 in the cache"


def test_without_dvc_weights_and_clips_are_compared_with_their_own_records(project):
    shutil.rmtree(".dvc")
    assert project.problems() == []
    flip(WEIGHTS)
    flip(CLIP)
    found = project.problems()
    assert names(found) == [str(CLIP), str(WEIGHTS)]
    assert "not as in data/raw/toy/media.sha256; mend: rm -r data/raw/toy && " in found[0]
    assert f"not as in {CARD}; mend: rm -r {MODEL} && snakemake" in found[1]
    CARD.write_text("{")
    assert names(project.problems()) == [str(CLIP), str(CARD)]
    status, lines = project.verify("--remote")
    assert status == 2
    assert "no DVC repository here" in lines[-1]


@pytest.mark.parametrize(
    ("record", "table"),
    [
        ("data/features/toy/extract.json", "rejects.csv"),
        ("data/splits/toy/split.json", "split.csv"),
        ("results/gap/toy/seed0/gmm.json", "gap.csv"),
        ("results/search/toy/joint/chosen.json", "trials.csv"),
        ("results/evaluate/toy/joint/seed0/metrics.json", "predictions.csv"),
    ],
)
def test_without_dvc_tables_are_compared_with_the_records_beside_them(project, record, table):
    shutil.rmtree(".dvc")
    record, table = Path(record), Path(record).with_name(table)
    files.write_text(table, "a\n1\n2\n")
    vouch.write(record, {}, table)
    assert project.problems() == []
    files.write_text(table, "a\n1\n")
    (line,) = project.problems()
    assert line.startswith(f"{table}: not as in {record}; mend: rm -r {record.parent} && snakemake")


@pytest.mark.parametrize(
    "content", ["[]", "null", "", '{"files": []}', '{"files": {"a": 1}}', "[" * 3000]
)
@pytest.mark.parametrize("record", [CARD, Path("results/evaluate/toy/joint/seed0/metrics.json")])
def test_without_dvc_a_record_of_another_shape_is_named(project, record, content):
    """A list in place of a table was a traceback."""
    shutil.rmtree(".dvc")
    small_project.write(record, content)
    (line,) = (line for line in project.problems() if line.startswith(f"{record}: "))
    assert "cannot be read" in line


def test_a_damaged_card_is_blamed_and_not_its_weights(project):
    content = CARD.read_text()
    CARD.write_text(content.replace(content[-5:-2], "fff"))
    assert names(project.problems()) == [str(CARD)]


def test_a_file_that_the_disk_refuses_is_named(project):
    TABLE.unlink()
    TABLE.mkdir()
    (line,) = project.problems()
    assert line.startswith(f"{TABLE}: unreadable (Is a directory)")


def test_a_model_that_other_weights_taught_is_named(project):
    teacher = json.loads(CARD.read_text())["weights_sha256"]
    card = MODEL.parents[1] / "umt/seed0/model.json"
    told = {"weights_sha256": sha256(WEIGHTS), "settings": {"teacher": MODEL.parent.name}}
    small_project.write(card.with_name(WEIGHTS.name), "weights")
    small_project.write(card, json.dumps({**told, "teacher_sha256": teacher}))
    assert project.problems() == []
    small_project.write(card, json.dumps({**told, "teacher_sha256": teacher[::-1]}))
    assert project.problems() == [
        f"{card}: taught by other weights than those of {MODEL}; "
        f"mend: rm -r {card.parent} && snakemake --cores all {card} all"
    ]
