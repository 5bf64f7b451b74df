"""Texts: read, stored, shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.errors import MediaError
from equipoise.modalities.base import Input, Reader, Reading, Shown, Stored, Trace
from equipoise.modalities.suffixes import SOUNDS, STILLS
from equipoise.modalities.text import KIND, Settings
from equipoise.modalities.text.find import tokens
from equipoise.modalities.text.tokens import Tokens

#: One emoji with what belongs to it: skin colour, variation, joined others, the half of a flag.
_PIECE = "[\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
_EMOJI = re.compile(
    f"(?:[\U0001f1e6-\U0001f1ff]{{2}}|{_PIECE}[\ufe0f\U0001f3fb-\U0001f3ff]*"
    f"(?:\u200d{_PIECE}[\ufe0f\U0001f3fb-\U0001f3ff]*)*)"
)
_WORD = re.compile(r"(?:# ?)?\w+(?:['\u2019]\w+)*|[^\w\s]+")
_MEDIA = (*SOUNDS, *STILLS, *KIND.suffixes)


class TextReader(Reader[Settings]):
    """Stored and given (2, length): ids, and 1 where there is a token."""

    facts = ("cut", "unknown")
    things = "texts"

    @cached_property
    def tokens(self) -> Tokens:
        """The tokenizer.

        Raises:
            UserError: It is not there.
        """
        return tokens(self.settings)

    def stored(self) -> Stored:
        """Return (2, length)."""
        return Stored((2, self.settings.length), "int32")

    def input(self) -> Input:
        """Return (2, length), and how many tokens there are."""
        return Input("tokens", (2, self.settings.length), self.tokens.vocabulary)

    def identity(self) -> dict[str, str]:
        """Return a digest of the tokenizer's files."""
        return {"tokenizer": self.tokens.identity}

    def read(self, source: Path | str) -> Reading:
        """Read a file, or the cell itself."""
        text = self._text(source)
        text = text.lower() if self.settings.lower_case else text
        if self.settings.space_emoji:
            text = _EMOJI.sub(r" \g<0> ", text).strip()
        if not text.strip() and self.settings.empty == "refuse":
            raise MediaError("the text is empty; say empty: keep, if it shall count")
        length = self.settings.length
        encoded = self.tokens.encode(text, length)
        array = np.zeros((2, length), np.int32)
        array[0] = self.tokens.padding
        array[0, : len(encoded.ids)] = encoded.ids
        array[1, : len(encoded.ids)] = 1
        cut = 1 - len(encoded.ids) / max(encoded.total, 1)
        return Reading(array, {"cut": cut, "unknown": encoded.unknown})

    def show(self, stored: NDArray[Any]) -> Shown:
        """Return the text that the tokens stand for."""
        return Shown(text=self.tokens.decode(stored[0][stored[1] == 1].tolist()))

    def trace(self, stored: NDArray[Any], source: Path | str) -> Trace:
        """Compare the whole text: no case, one blank for every gap, one way to write a letter.

        (Unicode's NFC: an accent of its own is that of its letter.)
        """
        text = unicodedata.normalize("NFC", self._text(source)).casefold()
        same = " ".join(text.split())
        return Trace(same, empty="" if same else "empty", words=tuple(words(text)))

    def _text(self, source: Path | str) -> str:
        return self._cell(str(source)) if self.settings.inline else self._file(Path(source))

    def _cell(self, cell: str) -> str:
        if not re.search(r"\s", cell) and Path(cell).suffix.lower() in _MEDIA:
            raise MediaError(f"{cell!r} looks like a path; if the column is one, inline: false")
        return cell

    def _file(self, path: Path) -> str:
        encoding = self.settings.encoding
        try:
            return path.read_text(encoding=encoding).removeprefix("\ufeff")
        except FileNotFoundError:
            raise MediaError(
                "no such file; if the column holds the text itself, say inline: true"
            ) from None
        except UnicodeDecodeError as error:
            raise MediaError(
                f"byte {error.object[error.start]:#04x} at {error.start} is not {encoding}; say "
                "encoding: NAME"
            ) from None
        except (OSError, LookupError) as error:
            raise MediaError(f"not readable: {error}") from None


def words(text: str) -> list[str]:
    """Return the words of a text; a hashtag is one, also where a blank follows its sign."""
    return [word.replace(" ", "") for word in _WORD.findall(text)]


def propose(sources: Sequence[Path | str]) -> dict[str, Any]:
    """Return settings to start from: bytes, as many as the longest of some texts."""
    inline = not any(isinstance(source, Path) for source in sources)
    texts = []
    for source in sources:
        try:
            texts.append(source if isinstance(source, str) else source.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue  # refused by its row, by who reads all
    if 2 * len(texts) <= len(sources):
        return {}
    longest = max((len(text.encode("utf-8")) for text in texts), default=0)
    table: dict[str, Any] = {"tokenizer": "bytes", "length": min(max(longest + 1, 16), 512)}
    return table | ({"inline": True} if inline else {})
