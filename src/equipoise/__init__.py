"""equipoise: from raw media to an honest comparison of balanced multimodal learning methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from equipoise.prediction import TrainedModel

__version__ = "0.1.0"


def load(model: Path | str, device: str = "cpu") -> TrainedModel:
    """Return a trained model with its preparation as one ``torch.nn.Module``.

    >>> model = load("models/train/keypad/joint/seed0")         # doctest: +SKIP
    >>> model({"video": clips, "audio": sounds}).logits.shape   # doctest: +SKIP
    torch.Size([32, 10])

    See :func:`equipoise.prediction.load`; torch is imported when it is called.
    """
    from equipoise.prediction import load as of_folder

    return of_folder(model, device)
