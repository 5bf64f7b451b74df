"""Push, pull and verify with remotes of three kinds."""

import shutil

import pytest
from dvc.repo import Repo
from small_project import CLIP, MODEL, md5


def rewrite(odb, path):
    """Flip a bit of the object of a file."""
    place = odb.oid_to_path(md5(path))
    with odb.fs.open(place, "rb") as file:
        content = bytearray(file.read())
    content[0] ^= 1
    odb.fs.remove(place)
    with odb.fs.open(place, "wb") as file:
        file.write(bytes(content))


@pytest.mark.parametrize("remote", ["local", "ssh", "s3"], indirect=True)
def test_what_was_pushed_comes_back_whole_and_a_flipped_bit_is_found(project, remote):
    before = CLIP.read_bytes()
    for folder in ("data", "models", ".dvc/cache"):
        shutil.rmtree(folder)
    with Repo() as repo:
        repo.pull()
        (listing,) = (out.hash_info.value for out in repo.index.outs if out.hash_info.isdir)
    assert CLIP.read_bytes() == before
    assert project.problems("--remote") == []

    weights = MODEL / "model.safetensors"
    rewrite(remote, weights)
    rewrite(remote, CLIP)
    assert project.problems() == [], "a remote is not read unasked"
    clip, model = project.problems("--remote", "store")
    assert clip.startswith(f"{CLIP}: damaged in remote 'store' (")
    assert model.startswith(f"{weights}: damaged in remote 'store' (")
    # What the lines say: these three are to be deleted, and one push mends both.
    for name, line in ((md5(weights), model), (md5(CLIP), clip), (listing, clip)):
        assert remote.oid_to_path(name) in line
        remote.fs.remove(remote.oid_to_path(name))
    with Repo() as repo:
        repo.push()
    assert project.problems("--remote") == []


def test_a_remote_that_does_not_answer_is_one_line(project):
    with Repo() as repo, repo.config.edit() as config:
        config["remote"] = {"gone": {"url": "ssh://127.0.0.1:9/far", "password": "x"}}
    status, lines = project.verify("--remote", "gone")
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("equipoise verify: error: remote 'gone' cannot be read: ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--remote"], "no remote specified"),
        (["--remote", "typo"], "remote 'typo' doesn't exist"),
        (["data/elsewhere"], "data/elsewhere: no file there is recorded"),
    ],
)
def test_what_is_not_there_is_one_line(arguments, reason, project):
    status, lines = project.verify(*arguments)
    assert status == 2
    assert len(lines) == 1
    assert reason in lines[0]
