import os
import stat
import sys
import threading
import time

import pytest

from equipoise.errors import UserError
from equipoise.media import ffmpeg
from equipoise.media.ffmpeg import MediaError, binary, run


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


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright", "vsync"),
        ("ffmpeg version 6.1.1 Copyright", "fps_mode"),
        ("ffmpeg version n7.1-17-g2a57 Copyright", "fps_mode"),
        ("ffmpeg version N-118000-gabc Copyright", "fps_mode"),
    ],
)
def test_option_of_each_version(monkeypatch, line, option):
    monkeypatch.setattr(ffmpeg, "version", lambda: line)
    ffmpeg.passthrough.cache_clear()
    assert ffmpeg.passthrough() == {option: "passthrough"}
    ffmpeg.passthrough.cache_clear()


WRITER = """
import os, sys
one, two = (int(name.split(":")[1]) for name in sys.argv[1:])
sys.stderr.write("log\\n" * 100_000)
for _ in range(40):
    os.write(two, b"b" * 100_000)  # far more than a pipe holds, and in an unkind order
for _ in range(40):
    os.write(one, b"a" * 100_000)
sys.exit(3)
"""


def test_pipes_cannot_block_each_other():
    one, two = bytearray(), bytearray()
    status, log = run(
        lambda names: [sys.executable, "-c", WRITER, *names], [one.extend, two.extend]
    )
    assert status == 3
    assert one == b"a" * 4_000_000
    assert two == b"b" * 4_000_000
    assert log == "log\n" * 100_000


def test_a_standstill_ends(monkeypatch):
    monkeypatch.setattr(ffmpeg, "IDLE_SECONDS", 0.3)
    start = time.monotonic()
    with pytest.raises(MediaError, match="stood still"):
        run(lambda names: ["sleep", "20"], [bytearray().extend])
    assert time.monotonic() - start < 10


def test_many_at_once_do_not_close_each_others_pipes():
    def work():
        for number in range(15):
            text = bytearray()
            echo = f"echo {number} > /proc/self/fd/"
            run(lambda names, echo=echo: ["sh", "-c", echo + names[0][5:]], [text.extend])
            if text != f"{number}\n".encode():
                wrong.append(bytes(text))

    wrong = []
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
