"""What a result was made from is found out, or honestly empty."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from equipoise import files, layout, provenance, vouch


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    provenance.code.cache_clear()
    yield tmp_path
    provenance.code.cache_clear()


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_and_dirty_flag(project: Path) -> None:
    git("init", "--quiet")
    (project / "src").mkdir()
    for tracked in ("src/code.py", "dvc.lock"):
        (project / tracked).write_text("1")
        git("add", tracked)
    git("commit", "--quiet", "-m", "one")
    (project / "untracked").write_text("1")
    assert provenance.code() == provenance.Code(git("rev-parse", "HEAD"), dirty=False)
    (project / "dvc.lock").write_text("2")  # a result under git is not code
    provenance.code.cache_clear()
    assert not provenance.code().dirty
    (project / "src/code.py").write_text("2")
    provenance.code.cache_clear()
    assert provenance.code().dirty


def test_no_repository_no_commit_no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = provenance.Code("", dirty=False)
    assert provenance.code() == nothing
    git("init", "--quiet")
    provenance.code.cache_clear()
    assert provenance.code() == nothing
    monkeypatch.setenv("PATH", "")
    provenance.code.cache_clear()
    assert provenance.code() == nothing


def write_raw(manifest: str, checksums: str) -> None:
    raw = layout.raw("toy")
    files.write_text(raw["manifest"], manifest)
    files.write_text(raw["checksums"], checksums)


def test_data_hash_depends_on_manifest_and_media() -> None:
    seen = set()
    for manifest, checksums in [("a", "b"), ("a", "c"), ("d", "b"), ("", "ab"), ("ab", "")]:
        write_raw(manifest, checksums)
        seen.add(provenance.data_hash("toy"))
    assert len(seen) == 5
    assert all(len(value) == 64 for value in seen)


def test_data_hash_is_the_same_without_the_raw_folder(project: Path) -> None:
    write_raw("a", "b")
    with_raw = provenance.data_hash("toy")
    layout.raw("toy")["manifest"].unlink()
    assert provenance.data_hash("toy") == ""
    record = {
        "manifest_sha256": hashlib.sha256(b"a").hexdigest(),
        "media_sha256": hashlib.sha256(b"b").hexdigest(),
    }
    vouch.write(layout.features("toy")["record"], record)
    assert provenance.data_hash("toy") == with_raw


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"manifest_sha256": "a"}'])
def test_data_hash_of_a_strange_record_is_empty(text: str) -> None:
    files.write_text(layout.features("toy")["record"], text)
    assert provenance.data_hash("toy") == ""


def test_versions() -> None:
    import numpy as np

    found = provenance.versions()
    assert found["numpy"] == np.__version__
    assert found["equipoise"]
    assert "not-a-package" not in found
