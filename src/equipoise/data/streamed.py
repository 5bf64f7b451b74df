"""Clips out of archives that nobody has room for: what is listed and absent is brought, no more.

Each archive is read through the network (:mod:`equipoise.data.archives`); clips go to
``FOLDER/<part>/``, and ``FOLDER/archives/<part>/`` says what each archive holds, so that one is
read a second time only for a clip that is no longer there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from equipoise.console import log, progress
from equipoise.data import archives, room, sources
from equipoise.data.ask import WrongError
from equipoise.errors import UserError

IN_A_ROW = 3
"""So many archives that cannot be read, one after the other, end it: the server is out of reach."""


class Clips:
    """What is wanted, and what of it is there.

    Args:
        root: A folder of the user.
        wanted: Name of a file to the part of the data set in which it is.
        there: The names that are in ``root`` already.
        salvage: Of a damaged archive, keep the clips before the damage.
    """

    def __init__(
        self, root: Path, wanted: Mapping[str, str], there: Iterable[str], salvage: bool = False
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.wanted, self.there, self._salvage = root, wanted, set(there), salvage

    def incomplete(self) -> set[str]:
        """Return the parts of which a clip is not there."""
        return {part for name, part in self.wanted.items() if name not in self.there}

    def expect_room(self, mean_bytes: int) -> None:
        """Refuse a disk without room for what is still to come, by the mean size of a clip.

        Raises:
            UserError: How much is needed and how much is free.
        """
        missing = len(self.wanted) - len(self.there)
        room.expect(self.root, mean_bytes * missing, about=True)

    def pick(self, part: str) -> archives.Pick:
        """Return what is wanted of the archives of one part."""
        return lambda member: member if member in self.wanted and member not in self.there else ""

    def came(self, names: set[str], part: str) -> None:
        """Note what an archive has brought."""
        self.there |= names

    def read(self, part: str, source: str, faults: list[str]) -> None:
        """Read all archives of one part that may hold a clip that is not there.

        Args:
            part: Its name.
            source: Its entry in sources.toml.
            faults: Receives a line for each archive that could not be read to its end.

        Raises:
            UserError: :data:`IN_A_ROW` archives cannot be read, one after the other.
        """
        try:
            urls = archives.addresses(sources.stream(source))
        except WrongError as error:
            faults.append(str(error))
            return
        in_a_row = 0
        with progress(len(urls), f"{source}: archives") as bar:
            for url in urls:
                try:
                    self._take(url, part)
                    in_a_row = 0
                except WrongError as error:
                    faults.append(f"{url}: {error}")
                    log.warning("%s", faults[-1])
                    in_a_row += 1
                if in_a_row == IN_A_ROW:
                    raise UserError(
                        f"{IN_A_ROW} archives in a row cannot be read, last {faults[-1]}; check "
                        "the connection and run again: it goes on from there"
                    )
                bar.advance()

    def _take(self, url: str, part: str) -> None:
        name = Path(urlsplit(url).path).name
        index = self.root / "archives" / part / f"{name}.txt"
        members = archives.known(index)
        if members is None or any(map(self.pick(part), members)):
            folder, pick = self.root / part, self.pick(part)
            kept = archives.take(url, folder, index, pick, self._salvage)
            log.info("%s: %d clips", url, kept)
            self.came(set(filter(None, map(pick, archives.known(index) or ()))), part)


def expect_folder(media: str) -> None:
    """Refuse ``download.stream`` without ``download.media``.

    Raises:
        UserError: No folder is named.
    """
    if not media:
        raise UserError("download.stream: name with download.media the folder for the clips")


def lost(faults: list[str]) -> str:
    """Say in a few words why clips are absent after all archives were read."""
    if not faults:
        return "no archive holds them"
    return f"archives that could not be read: {len(faults)}, first {faults[0]}"
