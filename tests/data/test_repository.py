import os
import subprocess

import pytest

from equipoise.data.fetch import fetch
from equipoise.data.sources import RepositorySource
from equipoise.errors import UserError

URL = "https://git.invalid/somebody/speech.git"


def git(folder, *arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": "n" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "n@n" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        ["git", "-C", folder, *arguments], env=environment, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


@pytest.fixture
def upstream(tmp_path):
    folder = tmp_path / "upstream"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_bytes(b"one\r\ntwo\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "v1")
    return folder


@pytest.fixture(params=["bundle", "bare"])
def mirror(request, tmp_path, upstream, monkeypatch):
    place = tmp_path / "mirror" / "git.invalid" / "somebody" / "speech.git"
    place.parent.mkdir(parents=True)
    if request.param == "bundle":
        git(upstream, "bundle", "create", place, "v1")
    else:
        git(upstream, "clone", "-q", "--bare", upstream, place)
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(tmp_path / "mirror"))
    return place


def repository(upstream, **change):
    commit = git(upstream, "rev-parse", "HEAD")
    values = {"urls": [URL], "tag": "v1", "commit": commit, "licence": "none", **change}
    return RepositorySource(**values)


def test_clone_from_the_mirror_is_kept(mirror, upstream, tmp_path):
    target = tmp_path / "out" / "speech"
    source = repository(upstream)
    fetch(source, target)
    assert (target / "a.txt").read_bytes() == b"one\r\ntwo\n"
    assert [p.name for p in target.parent.iterdir()] == ["speech"]
    before = target.stat().st_ino
    fetch(source, target)
    assert target.stat().st_ino == before


def test_changed_clone_is_made_again(mirror, upstream, tmp_path):
    target = tmp_path / "speech"
    fetch(repository(upstream), target)
    (target / "a.txt").write_text("edited")
    fetch(repository(upstream), target)
    assert (target / "a.txt").read_bytes() == b"one\r\ntwo\n"


def test_moved_tag_is_refused(mirror, upstream, tmp_path):
    wrong = "0" * 40
    source = repository(upstream, commit=wrong, urls=[str(mirror)])
    with pytest.raises(UserError) as caught:
        fetch(source, tmp_path / "out" / "speech")
    message = str(caught.value)
    assert f"expected {wrong}, got {git(upstream, 'rev-parse', 'HEAD')}" in message
    assert "\n" not in message
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_tag_then_second_remote(mirror, upstream, tmp_path, monkeypatch):
    monkeypatch.delenv("EQUIPOISE_MIRROR")
    urls = [f"file://{tmp_path}/nothing.git", str(mirror)]
    fetch(repository(upstream, urls=urls), tmp_path / "speech")
    assert (tmp_path / "speech" / "a.txt").exists()
    with pytest.raises(UserError, match=r"nothing\.git.* \| .*EQUIPOISE_MIRROR") as caught:
        fetch(repository(upstream, urls=urls, tag="v2"), tmp_path / "other")
    assert "\n" not in str(caught.value)


def test_variables_of_a_surrounding_repository_do_no_harm(mirror, upstream, tmp_path, monkeypatch):
    source = repository(upstream)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    fetch(source, tmp_path / "speech")
    assert not (tmp_path / "elsewhere").exists()


def test_git_not_installed(mirror, upstream, tmp_path, monkeypatch):
    source = repository(upstream)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="install git"):
        fetch(source, tmp_path / "speech")


def test_a_commit_without_a_tag(mirror, upstream, tmp_path):
    target = tmp_path / "out" / "speech"
    fetch(repository(upstream, tag=""), target)
    assert (target / "a.txt").read_bytes() == b"one\r\ntwo\n"
    (target / "mark").touch()
    git(target, "config", "status.showUntrackedFiles", "no")
    fetch(repository(upstream, tag=""), target)
    assert (target / "mark").exists()  # kept: nothing was cloned again
    with pytest.raises(UserError, match="no source gave the right commit"):
        fetch(repository(upstream, tag="", commit=40 * "0"), target)
