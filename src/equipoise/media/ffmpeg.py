"""The ffmpeg program, which writes media: where it is. What is read, PyAV reads."""

import os
import shutil
import subprocess
import sys
from functools import cache
from importlib import resources
from pathlib import Path

from equipoise.errors import UserError

#: Environment variable that names another ffmpeg program than the one that is installed with us.
CHOICE = "EQUIPOISE_FFMPEG"
_OTHER = f"name another ffmpeg in {CHOICE}"


@cache
def binary() -> str:
    """Return the ffmpeg program: the one inside the imageio-ffmpeg wheel, never the one on PATH.

    Versions decode some files differently, so that a machine must not choose. Another program is
    named by ``EQUIPOISE_FFMPEG``. In a conda environment, whose imageio-ffmpeg holds no program, it
    is that of the environment.

    Raises:
        UserError: What the variable names is no program, or there is none for this machine.
    """
    if named := os.environ.get(CHOICE):
        if found := shutil.which(Path(named).expanduser()):
            return str(Path(found).absolute())
        raise UserError(f"{CHOICE}={named}: no such program; name an ffmpeg, or unset it")
    wheel = Path(str(resources.files("imageio_ffmpeg.binaries")))
    places = sorted(wheel.glob("ffmpeg-*"))
    if Path(sys.prefix, "conda-meta").is_dir():
        places.append(Path(sys.prefix, "bin", "ffmpeg"))
    for path in places:
        if os.access(path, os.X_OK):
            return str(path)
    raise UserError(
        f"ffmpeg: imageio-ffmpeg holds none for this machine; install one and name it in {CHOICE}"
    )


@cache
def version() -> str:
    """Return the first line of ``ffmpeg -version``, without the copyright."""
    try:
        done = subprocess.run([binary(), "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UserError(f"{binary()}: does not run ({error.strerror}); {_OTHER}") from None
    if done.returncode:
        raise UserError(f"{binary()}: does not run (exit {done.returncode}); {_OTHER}")
    return done.stdout.partition("\n")[0].partition(" Copyright")[0]
