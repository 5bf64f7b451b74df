"""The embedded corpus ``keypad``: someone presses a key, a handwritten digit drifts by.

Real handwriting (scikit-learn's copy of the UCI Optical Recognition of Handwritten Digits test
set; E. Alpaydin and C. Kaynak, 1998) is filmed while the telephone tone pair of the digit sounds.
Needs no network. Every image is used at most once, every group ("handset") has its own room,
microphone and camera, and a known share of the clips is spoiled in one modality: the manifest's
column ``corruption`` says how. Training never reads that column.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from equipoise import files
from equipoise.data import keypad_signal as signal
from equipoise.errors import UserError
from equipoise.media.clips import write_clip
from equipoise.parallel import on_all_cores
from equipoise.section import Section, Seed

CLASSES = 10
SPOILS = {
    "audio": ("noise", "silence", "wrong_digit"),
    "video": ("noise", "occlusion", "wrong_digit"),
}
HEADER = ("sample_id", "label", "split", "group", "video", "audio", "corruption")


class Settings(Section):
    """Options under ``datasets.keypad.download`` of params.yaml."""

    clips: Annotated[int, Field(ge=20, le=1700)] = 1500
    """Clips to make; there are 1797 images, and each is used at most once."""
    groups: Annotated[int, Field(ge=3)] = 30
    """Handsets; each clip belongs to one."""
    spoiled_fraction: Annotated[float, Field(ge=0, le=0.4)] = 0.12
    """Part of the clips spoiled in the sound, and as many others spoiled in the picture."""
    seed: Seed = 0
    """Same seed and same ffmpeg: the same bytes."""


@dataclass(frozen=True)
class Clip:
    """One row of the manifest and what is filmed for it."""

    number: int
    label: int
    group: int
    seen: int
    """Digit on the picture: the label, unless the picture is spoiled by a wrong digit."""
    heard: int
    """Digit that sounds: the label, unless the sound is spoiled by a wrong digit."""
    image: int
    """Row of ``sklearn.datasets.load_digits``."""
    corruption: str
    """``none`` or ``<modality>:<kind>``."""

    @property
    def sample_id(self) -> str:
        """``k0042``."""
        return f"k{self.number:04d}"

    def spoil(self, modality: str) -> str:
        """How a modality is spoiled; empty if it is not."""
        spoiled, _, kind = self.corruption.partition(":")
        return kind if spoiled == modality else ""

    def row(self) -> dict[str, str]:
        """The row of the manifest; sound and picture share a file."""
        path = f"media/{self.sample_id}.mp4"
        group = f"handset{self.group:02d}"
        values = (self.sample_id, str(self.label), "", group, path, path, self.corruption)
        return dict(zip(HEADER, values, strict=True))


def plan(settings: Settings, digits: npt.NDArray[Any]) -> list[Clip]:
    """Decide what every clip shows: labels and spoils in equal numbers, each image at most once.

    Args:
        settings: How many clips, groups and spoils.
        digits: The digit on each image, shape (images,).

    Raises:
        UserError: More clips of a digit are asked for than there are images.
    """
    rng = np.random.default_rng(settings.seed)
    pools = [list(rng.permutation(np.flatnonzero(digits == digit))) for digit in range(CLASSES)]
    spoils = _spoils(settings, rng)
    clips = []
    for number, corruption in enumerate(spoils):
        label = number % CLASSES
        group = number // CLASSES % settings.groups
        other = (label + int(rng.integers(1, CLASSES))) % CLASSES
        seen = other if corruption == "video:wrong_digit" else label
        heard = other if corruption == "audio:wrong_digit" else label
        if not pools[seen]:
            raise UserError(
                f"keypad: no image of digit {seen} is left for clip {number}; ask for fewer clips"
            )
        image = int(pools[seen].pop())
        clips.append(Clip(number, label, group, seen, heard, image, corruption))
    return clips


def _spoils(settings: Settings, rng: np.random.Generator) -> list[str]:
    """Return the corruption of every clip, in random order, each kind equally often."""
    each = round(settings.clips * settings.spoiled_fraction)
    kinds = [
        f"{modality}:{names[i % len(names)]}"
        for modality, names in SPOILS.items()
        for i in range(each)
    ]
    kinds += ["none"] * (settings.clips - len(kinds))
    return [kinds[i] for i in rng.permutation(settings.clips)]


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/*.mp4``; clips that are already there are kept.

    Raises:
        UserError: Too many clips of one digit, or ffmpeg cannot write one.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    clips = plan(settings, digits.target)
    folder = destination / "media"
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*.tmp*"):  # of a run that was killed
        leftover.unlink()
    missing = [clip for clip in clips if not (folder / f"{clip.sample_id}.mp4").exists()]
    traits = [
        signal.handset(np.random.default_rng([settings.seed, 1, group]))
        for group in range(settings.groups)
    ]

    def make(clip: Clip) -> None:
        rng = np.random.default_rng([settings.seed, 2, clip.number])
        handset, image = traits[clip.group], digits.images[clip.image] / 16
        frames = signal.picture(image, handset, rng, clip.spoil("video"))
        sound = signal.sound(clip.heard, handset, rng, clip.spoil("audio"))
        path = folder / f"{clip.sample_id}.mp4"
        write_clip(path, frames, signal.FRAME_RATE, sound, signal.RATE)

    on_all_cores(make, missing, "keypad: clips")
    files.write_csv(destination / "manifest.csv", HEADER, (clip.row() for clip in clips))
