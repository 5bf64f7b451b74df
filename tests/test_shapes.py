"""What stages write has the shape that readers ask for."""

from pathlib import Path

import pytest

from equipoise import shapes
from equipoise.errors import UnreadableError

FIT = Path("results/gap/d/seed0/gmm.json")


def test_a_mixture_that_was_not_fitted_has_no_bic() -> None:
    shapes.expect(FIT, {"bic": {"1": 10.0, "4": None}, "means": []}, "")


def test_the_wrong_value_is_named() -> None:
    with pytest.raises(UnreadableError, match=r"gmm\.json: bic\.1.*'x'.*; again"):
        shapes.expect(FIT, {"bic": {"1": "x"}}, "again")
