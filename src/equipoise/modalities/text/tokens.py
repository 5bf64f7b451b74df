"""Tokenizers: bytes, or a ``tokenizers`` one from a folder or the Hugging Face hub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Encoded:
    """A text as tokens."""

    ids: list[int]
    """At most as many as asked for."""
    total: int
    """How many there would be."""
    unknown: float
    """Share of unknown tokens among those that are not special."""


class Tokens(ABC):
    """A tokenizer."""

    vocabulary: int
    """Largest id + 1."""
    padding: int
    hidden: int
    """What stands for a token that is hidden: the mask token, or the unknown one."""
    special: tuple[int, ...]
    """Ids that stand for no part of a text, such as those of its beginning and end."""
    identity: str
    """Equal for equal tokenizers only."""

    @abstractmethod
    def encode(self, text: str, length: int) -> Encoded:
        """Return the first ``length`` tokens of a text, special ones included."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Return a text of tokens, for a person."""


class Bytes(Tokens):
    """Bytes of UTF-8: 0 padding, 1 beginning, 2 hidden, then byte + 3."""

    vocabulary, padding, hidden, special, identity = 259, 0, 2, (0, 1), "bytes"

    def encode(self, text: str, length: int) -> Encoded:
        """Return the beginning and the bytes; none is unknown."""
        ids = [1, *(byte + 3 for byte in text.encode("utf-8"))]
        return Encoded(ids[:length], len(ids), 0.0)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text; a character that is cut in two is shown as the replacement character."""
        return bytes(id - 3 for id in ids if id >= 3).decode("utf-8", errors="replace")


class Library(Tokens):
    """A tokenizer of the library ``tokenizers``.

    Args:
        tokenizer: ``tokenizers.Tokenizer``.
        roles: ``unk_token``, ``pad_token``, ``mask_token`` to the token, where there is one.
        identity: Equal for equal tokenizers only.
    """

    def __init__(self, tokenizer: Any, roles: dict[str, str], identity: str) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        # A text that says "[SEP]" means these five characters.
        tokenizer.encode_special_tokens = True
        self._tokenizer, self.identity = tokenizer, identity
        self.vocabulary = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        found = {role: tokenizer.token_to_id(token) for role, token in roles.items()}
        known = {role: number for role, number in found.items() if number is not None}
        self._unknown = known.get("unk_token")
        self.padding = known.get("pad_token", 0)
        self.hidden = known.get("mask_token", known.get("unk_token", self.padding))
        added = tokenizer.get_added_tokens_decoder()
        special = {number for number, token in added.items() if token.special}
        self.special = tuple(sorted(special - {self._unknown}))

    def encode(self, text: str, length: int) -> Encoded:
        """Return the tokens; where they are cut, the special ones of the end stay."""
        encoding = self._tokenizer.encode(text)
        total = len(encoding.ids)
        if total > length:
            self._tokenizer.enable_truncation(length)
            encoding = self._tokenizer.encode(text)
            self._tokenizer.no_truncation()
        own = [
            number
            for number, special in zip(encoding.ids, encoding.special_tokens_mask, strict=True)
            if not special
        ]
        unknown = sum(number == self._unknown for number in own) / max(len(own), 1)
        return Encoded(list(encoding.ids), total, unknown)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text as the tokenizer puts it together, without special tokens."""
        kept = [number for number in ids if number not in self.special]
        text: str = self._tokenizer.decode(kept, skip_special_tokens=False)
        return text
