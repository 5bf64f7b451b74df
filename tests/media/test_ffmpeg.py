import os
import stat

import pytest

from equipoise.errors import UserError
from equipoise.media import ffmpeg
from equipoise.media.ffmpeg import binary


@pytest.fixture
def fresh(monkeypatch):
    monkeypatch.delenv(ffmpeg.CHOICE, raising=False)
    for cached in (binary, ffmpeg.version):
        cached.cache_clear()
    yield
    for cached in (binary, ffmpeg.version):
        cached.cache_clear()


def program(folder, text="#!/bin/sh\n"):
    path = folder / "ffmpeg"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_wheel_s_program_whatever_is_on_path(fresh, tmp_path, monkeypatch):
    program(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "ffmpeg"))
    assert "imageio_ffmpeg" in binary()
    assert ffmpeg.version().startswith("ffmpeg version ")


@pytest.mark.parametrize("by", ["path", "name"])
def test_another_program_is_named_by_path_or_by_name(fresh, tmp_path, monkeypatch, by):
    mine = program(tmp_path, "#!/bin/sh\necho ffmpeg version mine Copyright somebody\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv(ffmpeg.CHOICE, str(mine) if by == "path" else "ffmpeg")
    assert binary() == str(mine)
    assert ffmpeg.version() == "ffmpeg version mine"


def test_a_named_program_that_is_not_there_is_refused(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv(ffmpeg.CHOICE, str(tmp_path / "ffmpeg"))
    with pytest.raises(UserError, match=r"^EQUIPOISE_FFMPEG=.*ffmpeg: no such program"):
        binary()
    program(tmp_path, "not a program")
    with pytest.raises(UserError, match=r"does not run .*; name another ffmpeg"):
        ffmpeg.version()


def test_a_wheel_without_a_program(fresh, tmp_path, monkeypatch):
    """conda's package holds none: there, that of the environment is taken; never that on PATH."""
    monkeypatch.setattr(ffmpeg.resources, "files", lambda package: tmp_path)
    monkeypatch.setattr(ffmpeg.sys, "prefix", str(tmp_path / "env"))
    (tmp_path / "env/bin").mkdir(parents=True)
    own = program(tmp_path / "env/bin")
    monkeypatch.setenv("PATH", str(own.parent))
    with pytest.raises(UserError, match=r"holds none for this machine; .*EQUIPOISE_FFMPEG"):
        binary()
    (tmp_path / "env/conda-meta").mkdir()
    assert binary() == str(own)
