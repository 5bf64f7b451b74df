"""Kind ``text``: words as tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from equipoise.registry import KindInfo
from equipoise.section import Fraction, Section


class Settings(Section):
    """How a text is stored: (2, length), int32: ids of tokens, and 1 where there is one."""

    tokenizer: Annotated[str, Field(min_length=1)]
    """``bytes`` (each byte of UTF-8 is a token; needs no files); a folder; a name of
    ``models/weights.toml``, whose files hold one; or an id of the Hugging Face hub, such as
    ``google-bert/bert-base-uncased``."""
    revision: str = "main"
    """Of a hub id: branch, tag or commit."""
    length: Annotated[int, Field(ge=4, lt=2**31)]
    """Tokens, special ones counted; a longer text is cut at its end, a shorter one filled up."""
    inline: bool = False
    """The column of the manifest holds the text itself, not a path."""
    encoding: str = "utf-8"
    """Of a file: how its bytes stand for characters."""
    lower_case: bool | None = None
    """true: the text is lower-cased before the tokenizer sees it. null: what the tokenizer does."""
    space_emoji: bool = True
    """Blanks are set around emoji: a word that touches one would become unknown with it."""
    empty: Literal["refuse", "keep"] = "refuse"
    """What becomes of a text without a token."""


class Augment(Section):
    """What is random in training."""

    dropout: Fraction = 0.0
    """Probability that a token becomes the mask token (the unknown token where there is none).
    Origin: word dropout of Iyyer et al., ACL 2015, section 3.2 (0.3), which leaves words out."""
    share: str = ""
    """Modalities with the same word here get the same random numbers."""


KIND = KindInfo(
    summary="a text, as tokens",
    settings=Settings,
    augment=Augment,
    reader="equipoise.modalities.text.reader:TextReader",
    feed="equipoise.modalities.text.feed:TextFeed",
    layout=lambda settings: "tokens",
    words=("sentence", "caption", "tweet", "transcript", "title"),
    propose="equipoise.modalities.text.reader:propose",
    encoder=lambda settings: "bag",
    suffixes=(".txt",),
    inline=lambda settings: bool(settings.inline),
)
