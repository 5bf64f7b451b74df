"""Fusions: how the features of several modalities become one prediction.

A new fusion is a class in a module here, with a ``name``, in :data:`FUSIONS`; it is then a value of
``model.fusion``. Every fusion takes any number of modalities, one included, and depends on their
order nowhere, except where its definition does (FiLM has a target, the transformer has positions).
"""

from collections.abc import Sequence

from equipoise.errors import UserError, nearest
from equipoise.models.fusion.additive import Concat, Cosine, Sum, Weighted
from equipoise.models.fusion.base import Fusion
from equipoise.models.fusion.late import Late
from equipoise.models.fusion.mixing import Film, Gated
from equipoise.models.fusion.transformer import Simbamm

__all__ = [
    "FUSIONS",
    "Concat",
    "Cosine",
    "Film",
    "Fusion",
    "Gated",
    "Late",
    "Simbamm",
    "Sum",
    "Weighted",
    "build",
]

FUSIONS: dict[str, type[Fusion]] = {
    f.name: f for f in (Concat, Sum, Weighted, Cosine, Film, Gated, Simbamm, Late)
}


def build(name: str, modalities: Sequence[str], features: int, classes: int) -> Fusion:
    """Build a fusion by name.

    Raises:
        UserError: No such fusion.
    """
    if name not in FUSIONS:
        raise UserError(f"model.fusion: unknown fusion {name!r}{nearest(name, FUSIONS)}")
    return FUSIONS[name](modalities, features, classes)
