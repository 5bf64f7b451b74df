"""The real corpus ``avdigits``, after AV-MNIST (Vielzeuf et al. 2018, CentralNet).

Each clip pairs a handwritten digit (the 10,000 test images of MNIST) with a person who says the
same digit (Free Spoken Digit Dataset v1.0.10: 3,000 recordings, 6 speakers x 10 digits x 50). Only
the pairing, the filming and the noise of the camera are made here; the paper used other speech
(TIDIGITS), spectrograms with added noise and images with most of their energy removed, so figures
of the two are not comparable.

The official split is speaker-disjoint. Speakers in alphabetical order, so that nobody chose: the
first four train, ``theo`` is for validation, ``yweweler`` for test. One speaker on a side means
that the accuracy of the sound is that of this one voice. An image is used at most once; who wrote
it is not known from these files, so writers may stand on two sides.
"""

from __future__ import annotations

import math
import re
import wave
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from equipoise import files
from equipoise.data import idx
from equipoise.data.fetch import fetch
from equipoise.data.sources import source
from equipoise.errors import UserError
from equipoise.media.clips import write_clip
from equipoise.parallel import on_all_cores
from equipoise.section import Section, Seed

HEADER = ("sample_id", "label", "split", "group", "video", "audio", "mnist_row")
SUBSETS = {
    "george": "train",
    "jackson": "train",
    "lucas": "train",
    "nicolas": "train",
    "theo": "val",
    "yweweler": "test",
}
RATE = 8000
"""Samples per second of every recording."""
FRAME_RATE = 16
"""Frames per second."""
SECONDS = 1.0
"""Shortest clip; a longer recording (less than 1 % are) makes a longer clip."""
SIZE = 48
"""Height and width of a frame in pixels."""
DRIFT = 6.0
"""Farthest that the centre of the digit is from the centre of the frame, in pixels."""
NOISE = 0.1
"""Standard deviation of the camera's noise; white is 1."""


class Settings(Section):
    """Options under ``datasets.avdigits.download`` of params.yaml."""

    clips: Annotated[int, Field(ge=60, le=3000)] | None = None
    """Use only so many recordings, as equal in digits and speakers as can be; null: all 3,000."""
    seed: Seed = 0
    """Which image goes with which recording, and how it drifts."""


@dataclass(frozen=True, order=True)
class Recording:
    """One file of the Free Spoken Digit Dataset; sorts by repetition, digit, speaker."""

    repetition: int
    digit: int
    speaker: str

    @property
    def sample_id(self) -> str:
        """``7_theo_31``: the name of the recording."""
        return f"{self.digit}_{self.speaker}_{self.repetition}"

    def row(self, image: int) -> dict[str, str]:
        """The row of the manifest; sound and picture share a file."""
        path = f"media/{self.sample_id}.mp4"
        subset = SUBSETS[self.speaker]
        values = (self.sample_id, str(self.digit), subset, self.speaker, path, path, str(image))
        return dict(zip(HEADER, values, strict=True))


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/*.mp4``; clips that are already there are kept.

    What was fetched stays in ``destination/sources``, which is no part of the data set.

    Raises:
        UserError: A source cannot be fetched or is not what it should be, or ffmpeg fails.
    """
    folder = destination / "sources"
    images, labels, speech = (
        folder / "t10k-images-idx3-ubyte.gz",
        folder / "t10k-labels-idx1-ubyte.gz",
        folder / "free-spoken-digit-dataset",
    )
    fetch(source("mnist-test-images"), images)
    fetch(source("mnist-test-labels"), labels)
    fetch(source("free-spoken-digit-dataset"), speech)
    digits = idx.read(images, 3)
    found = recordings(speech / "recordings")
    image_of = pair(found, idx.read(labels, 1), settings.seed)
    media = destination / "media"
    media.mkdir(parents=True, exist_ok=True)

    def make(recording: Recording) -> None:
        rng = np.random.default_rng([settings.seed, *recording.sample_id.encode()])
        sound = read_sound(speech / "recordings" / f"{recording.sample_id}.wav")
        count = math.ceil(max(SECONDS, len(sound) / RATE) * FRAME_RATE)
        frames = film(digits[image_of[recording]], count, rng)
        write_clip(media / f"{recording.sample_id}.mp4", frames, FRAME_RATE, sound, RATE)

    used = found[: settings.clips]
    missing = [r for r in used if not (media / f"{r.sample_id}.mp4").exists()]
    on_all_cores(make, missing, "avdigits: clips")
    files.write_csv(destination / "manifest.csv", HEADER, (r.row(image_of[r]) for r in used))


def recordings(folder: Path) -> list[Recording]:
    """List the recordings, in an order whose every beginning is balanced.

    Raises:
        UserError: There is none, or one with an unexpected name or an unknown speaker.
    """
    found = []
    for path in folder.glob("*.wav"):
        parts = re.fullmatch(r"(\d)_([a-z]+)_(\d+)\.wav", path.name)
        if not parts or parts[2] not in SUBSETS:
            raise UserError(f"{path}: expected <digit>_<speaker>_<number>.wav of a known speaker")
        found.append(Recording(int(parts[3]), int(parts[1]), parts[2]))
    if not found:
        raise UserError(f"{folder}: no recordings; delete this folder and run again")
    return sorted(found)


def pair(found: list[Recording], labels: npt.NDArray[np.uint8], seed: int) -> dict[Recording, int]:
    """Give every recording an image of its digit, each image at most once.

    Args:
        found: All recordings (also those that will not be used: a limit changes no pair).
        labels: The digit on each image, shape (images,).
        seed: Of the random choice.

    Raises:
        UserError: More recordings of a digit than images.
    """
    rng = np.random.default_rng(seed)
    pools = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    taken: Counter[int] = Counter()
    chosen = {}
    for recording in found:
        pool, number = pools[recording.digit], taken[recording.digit]
        if number == len(pool):
            raise UserError(f"avdigits: only {number} images of digit {recording.digit}")
        chosen[recording] = int(pool[number])
        taken[recording.digit] += 1
    return chosen


def read_sound(path: Path) -> npt.NDArray[np.int16]:
    """Read a recording as samples, shape (samples,).

    Raises:
        UserError: Not a wave file of 16-bit mono sound at :data:`RATE`.
    """
    try:
        with wave.open(str(path)) as file:
            form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            content = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise UserError(f"{path}: not a wave file: {error}") from None
    if form != (RATE, 1, 2):
        raise UserError(f"{path}: expected {RATE} Hz, 1 channel, 2 bytes; got {form}")
    return np.frombuffer(content, "<i2")


def film(
    image: npt.NDArray[np.uint8], count: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Film an image that drifts in a straight line, dimmed, through a noisy camera.

    Args:
        image: Shape (height, width), not larger than :data:`SIZE` minus twice :data:`DRIFT`.
        count: Number of frames.
        rng: Where the drift goes, how bright the digit is, the noise.

    Returns:
        Shape (count, SIZE, SIZE).
    """
    from scipy.ndimage import shift

    high, wide = ((SIZE - length) // 2 for length in image.shape)
    canvas: npt.NDArray[Any] = np.zeros((SIZE, SIZE))
    canvas[high : high + image.shape[0], wide : wide + image.shape[1]] = image / 255
    canvas *= rng.uniform(0.5, 1.0)
    begin, end = rng.uniform(-DRIFT, DRIFT, (2, 2))
    steps = np.linspace(0, 1, count)[:, None]
    moved = np.stack([shift(canvas, by, order=1) for by in begin + steps * (end - begin)])
    noisy = moved + rng.normal(0, NOISE, moved.shape)
    return np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
