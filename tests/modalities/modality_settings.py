"""The one table of all kinds of modalities: the tests of test_every_kind.py run on each row.

A new kind needs a row here, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from media_files import ffmpeg


@dataclass(frozen=True)
class Row:
    """How a kind is tried."""

    kind: str
    settings: dict[str, Any]
    write: Callable[[Path, int], Path | str]
    """(folder, n) to the source of sample n, which it writes; each n has another sample."""
    augment: dict[str, Any] = field(default_factory=dict)
    """All that is random, at once."""
    name: str = ""

    @property
    def id(self) -> str:
        return f"{self.kind}-{self.name}" if self.name else self.kind


def video(folder: Path, n: int) -> Path:
    path = folder / f"{n}.mkv"
    picture = f"testsrc2=s=64x48:r=10:d={0.8 + 0.2 * n},hue=h={60 * n}"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "ffv1", "-bitexact", str(path))
    return path


def still(folder: Path, n: int) -> Path:
    path = folder / f"{n}.png"
    picture = f"testsrc2=s=64x48,hue=h={60 * n}"
    ffmpeg("-f", "lavfi", "-i", picture, "-frames:v", "1", str(path))
    return path


def recording(folder: Path, n: int) -> Path:
    path = folder / f"{n}.wav"
    ffmpeg("-f", "lavfi", "-i", f"sine=f={300 + 200 * n}:r=8000:d={0.5 + 0.2 * n}", str(path))
    return path


def words(folder: Path, n: int) -> str:
    return f"sample number {n} 😀 of a few"


def written(folder: Path, n: int) -> Path:
    path = folder / f"{n}.txt"
    path.write_text(words(folder, n), encoding="utf-8")
    return path


def array(folder: Path, n: int, values: np.ndarray) -> Path:
    path = folder / f"{n}.npy"
    np.save(path, values)
    return path


def depth(folder: Path, n: int) -> Path:
    values = np.random.default_rng(n).integers(500, 4000, (24, 20, 5 + n))
    return array(folder, n, values.astype(np.uint16))


def sensor(folder: Path, n: int) -> Path:
    return array(folder, n, np.random.default_rng(n).normal(3, 2, (20 + n, 4)))


def vector(folder: Path, n: int) -> str:
    return " ".join(f"{value:.3f}" for value in np.random.default_rng(n).normal(size=5))


VIEWS = {"shift": 2, "flip": 0.5, "crop": {"size": [24, 16]}}
COLOUR = {"colour": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4}}
SOUND = {"rate": 8000, "seconds": 0.6, "n_fft": 128, "hop": 64}
HEARD = {"window": 0.4, "shift": 0.1, "gain": 3.0, "mask_time": 0.3}
DEPTH = {"size": [24, 20], "channels": 1, "bits": 16, "range": [400, 4500]}
POINTS = {"channels": 4, "length": 16, "coordinates": 2}
JPEG = {"store": "jpeg", "quality": 85}
FEW = {"pick": {"even": 3}, "size": [30, 40]}

ROWS = [
    Row("flow", FEW | {"bound": 5.0}, video, VIEWS | {"window": 2}),
    Row("frames", FEW, video, VIEWS | COLOUR | {"window": 2}),
    Row("frames", DEPTH | {"pick": {"first": 4}, "axes": "hwt"}, depth, {"segments": 2}, "depth"),
    Row("frames", FEW | JPEG, video, VIEWS | COLOUR | {"window": 2}, "jpeg"),
    Row("image", {"size": [30, 40], "fit": "crop"}, still, VIEWS | COLOUR),
    Row("image", {"size": [30, 40], "channels": 1} | JPEG, still, VIEWS, "jpeg"),
    Row("signal", {"channels": 4, "length": 16}, sensor, {"window": 12, "shift": 0.2}),
    Row("signal", POINTS, sensor, {"shift": 0.2}, "points"),
    Row("signal", {"channels": 5, "inline": True}, vector, {"scale": 0.1, "jitter": 0.1}, "vector"),
    Row("sound", SOUND, recording, HEARD | {"mask_frequency": 0.2, "masks": 2}),
    Row("sound", SOUND | {"features": "log_mel", "n_mels": 20}, recording, HEARD, "log_mel"),
    Row("sound", SOUND | {"features": "fbank", "n_mels": 20}, recording, HEARD, "fbank"),
    Row("sound", SOUND | {"features": "waveform"}, recording, HEARD, "waveform"),
    Row("text", {"tokenizer": "bytes", "length": 24, "inline": True}, words, {"dropout": 0.3}),
    Row("text", {"tokenizer": "bytes", "length": 40}, written, {"dropout": 0.3}, "file"),
]
