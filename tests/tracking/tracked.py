"""Settings of a job that the tests track; also imported by processes that they start."""

from equipoise.section import Section


class Settings(Section):
    epochs: int = 2
    name: str = "x"
