"""``crema_d``: emotion in a face and a voice (Cao et al., IEEE Trans. Affective Computing 2014).

7,442 clips of 91 actors who say twelve sentences in six emotions. The field has three lists of
6,698 training and 744 test clips, all different and none disjoint in actors; ``list`` names the
one that is used, or ``actors``: actors in numerical order, the first 63 train, the next 14 are for
validation, the last 14 for test. Labels are the acted emotion; what raters said stands in columns.

The picture is that of the FLV files (Sorenson), the sound that of the WAV files (for
1064_IEO_DIS_MD the two differ; some MP3 files hold no speech). Pointers in the authors' repository
give size and sha256 of each file.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Literal

from equipoise import files
from equipoise.data import lfs, published
from equipoise.data.fetch import fetch
from equipoise.data.published import Item, Published
from equipoise.errors import UserError

LABELS = {
    **{"Anger": "ANG", "Disgust": "DIS", "Fear": "FEA"},
    **{"Happy": "HAP", "Neutral": "NEU", "Sad": "SAD"},
}
"""Names in the lists of MLA and of Multi-Modal-Base; the others have the codes of file names."""
NAME = re.compile(r"(\d{4})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX)")
"""Actor, sentence, emotion, level."""
SIDES = {
    "ogm_ge": ("train", "test"),
    "relearn": ("train", "val", "test"),
    "mla": ("train", "test"),
    "multi_modal_base": ("train", "test"),
}
"""Lists and the sides they name. OGM-GE (CVPR 2022) is what most papers use; D&R (ECCV 2024) cuts
744 validation clips from its training part; MLA (CVPR 2024) and Multi-Modal-Base are others."""
ACTORS = {"train": 63, "val": 14, "test": 14}
VOTES = ("VoiceVote", "FaceVote", "MultiModalVote")
KEPT = "files"
"""Folder beside those of stage download, one for each set of options."""
RATERS = {"audio": "VoiceVote", "video": "FaceVote"}
"""Column of media to the column with what raters said who had these media alone."""


class Settings(Published):
    """Options under ``datasets.crema_d.download`` of params.yaml.

    Without ``media``, files are fetched, all of them: 3.0 GB of the 7.5 GB that the repository has.
    They are kept in ``state/download/crema_d/files``, whatever the other options are: another list
    asks for nothing again.
    """

    list: Literal["ogm_ge", "relearn", "mla", "multi_modal_base", "actors"] = "ogm_ge"
    """Which clip stands on which side."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/{VideoFlash,AudioWAV}/``.

    Raises:
        UserError: A list or a file cannot be fetched, or files are absent in your folder.
    """
    ratings = published.lines(destination, "crema-d-ratings")
    votes = {row["FileName"]: row for row in csv.DictReader(ratings)}
    if settings.list in SIDES:
        prefix = f"crema-d-{settings.list.replace('_', '-')}"
        lists = {s: published.lines(destination, f"{prefix}-{s}") for s in SIDES[settings.list]}
        sides = {name: side for side in lists for name in parse(lists[side], f"{prefix}-{side}")}
    else:
        sides = by_actor(list(votes))
    items = [item(name, side, votes.get(name, {})) for name, side in sides.items()]
    if settings.media:
        how = "fill in the form of github.com/CheyneyComputerScience/CREMA-D and clone with git lfs"
        published.take(destination, items, settings, how)
        return
    _fetch_media(destination, items)
    published.refuse(destination / "media", items)
    published.write(destination, items)


def parse(lines: list[str], where: str) -> list[str]:
    """Return the clips of a list, in its order: ``id,CODE`` or ``id.flv Word``, header or not.

    Raises:
        UserError: A line is none of these, or its label is not that of the clip's name.
    """
    names = []
    for number, line in enumerate(lines, 1):
        name, _, label = line.strip().replace(" ", ",").partition(",")
        if (name, label) == ("name", "label") and number == 1:
            continue
        name = name.removesuffix(".flv")
        found = NAME.fullmatch(name)
        if not found or found[3] != LABELS.get(label, label):
            raise UserError(f"{where}: line {number}: {line!r} is no clip with its emotion")
        names.append(name)
    return names


def by_actor(names: list[str]) -> dict[str, str]:
    """Return each clip's side by its actor: actors in numerical order, 63, 14, 14.

    Raises:
        UserError: Other than 91 actors.
    """
    actors = sorted({name[:4] for name in names})
    if len(actors) != sum(ACTORS.values()):
        raise UserError(f"crema_d: 91 actors expected in the table of ratings, got {len(actors)}")
    sides = [side for side, count in ACTORS.items() for _ in range(count)]
    side_of = dict(zip(actors, sides, strict=True))
    return {name: side_of[name[:4]] for name in names if NAME.fullmatch(name)}


def item(name: str, side: str, votes: dict[str, str]) -> Item:
    """Return a clip; actor is the group, and what raters said stands in columns."""
    actor, sentence, emotion, level = NAME.fullmatch(name).groups()  # type: ignore[union-attr]
    media = {"video": f"VideoFlash/{name}.flv", "audio": f"AudioWAV/{name}.wav"}
    cells = {"sentence": sentence, "level": level} | {vote: votes.get(vote, "") for vote in VOTES}
    return Item(name, emotion, side, media, actor, cells)


def agreement(vote: str, label: str) -> float:
    """Return how far the raters' vote is the label: 1, or 1 / k where k emotions lead, or 0.

    summaryTable.csv has the winner as the first letter of the emotion, and several as ``A:D``; how
    many raters were of which mind is in tabulatedVotes.csv, which is not fetched.
    """
    winners = vote.split(":")
    return winners.count(label[0]) / len(winners)


def _fetch_media(destination: Path, items: list[Item]) -> None:
    """Fetch what the pointers of the authors' repository stand for: GitHub, then the mirror.

    Into a folder beside, which no option names; from there they are linked, so that no byte lies
    on the disk twice.
    """
    repository = published.source("crema-d")
    kept = destination.parent / KEPT
    clone = kept / "pointers"
    fetch(repository, clone)
    commit = getattr(repository, "commit", "")
    roots = (
        f"https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/{commit}",
        "https://gitlab.com/cs-cooper-lab/crema-d-mirror/-/raw/HEAD",
    )
    paths = [path for item in items for path in item.media.values()]
    lfs.fetch_all(
        [
            (
                lfs.pointer(clone / p, [f"{root}/{p}" for root in roots], repository.licence),
                kept / p,
            )
            for p in paths
        ],
        kept,
    )
    for path in paths:
        files.link_or_copy(kept / path, destination / "media" / path)
