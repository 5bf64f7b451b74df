"""Settings that kinds of pictures share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from equipoise.section import Section

Size = Annotated[int, Field(ge=8)]


class Views(Section):
    """What is random in training for every kind of picture."""

    shift: Annotated[int, Field(ge=0)] = 0
    """Pictures move by up to so many pixels; the border repeats (0: off)."""
    share: str = ""
    """Modalities with the same word here get the same random numbers: one crop for two cameras."""
