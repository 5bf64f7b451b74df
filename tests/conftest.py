"""Puts this folder on the import path: toy_data and the media files serve tests of all packages."""

import logging
import random
import sys
from collections.abc import Iterator

import pytest
from media_files import clips

__all__ = ["clips"]


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """What a test draws without a seed does not depend on which tests ran before it."""
    random.seed(0)
    if "torch" in sys.modules:  # a test that needs none does not wait for it
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def package_log() -> Iterator[None]:
    """The package's log as it is on import, whatever a test before this one set up."""
    yield
    log = logging.getLogger("equipoise")
    log.handlers.clear()
    log.propagate = True
    log.setLevel(logging.NOTSET)
