"""The card of a trained model, ``model.json``: all that is needed to use its weights."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from equipoise import files, vouch
from equipoise.errors import UserError
from equipoise.modalities.normalise import Normalisation
from equipoise.models.weights import Origin
from equipoise.params import Encoder
from equipoise.section import Section, explain


class ModalityCard(Section):
    """One modality of a model."""

    table: dict[str, Any]
    """``{kind, column, ...settings}``: how a sample is read and stored."""
    identity: dict[str, str] = {}
    """What other files decide readings: of a tokenizer, its sha256."""
    augment: dict[str, Any]
    """What was random in training."""
    encoder: Encoder
    shape: tuple[int, ...]
    """Shape of one stored sample."""
    normalisation: Normalisation
    embedded: bool = False
    """Whether the samples went through the frozen encoder before, in stage embed."""
    weights: Origin | None = None
    """The weights that the encoder started from."""
    before: Normalisation | None = None
    """Of the input of the frozen encoder, where stage embed ran it."""


class ModelCard(Section):
    """What a folder with trained weights says of itself."""

    schema_version: Literal[2] = 2
    stage: str
    """``warmup`` or ``train``."""
    dataset: str
    method: str
    """``<method>[-<variant>[-<label>]]``."""
    options: dict[str, Any]
    """Options of the method."""
    structure: dict[str, Any]
    """What the method needs to rebuild the layers it added; empty for most."""
    seed: int
    modalities: dict[str, ModalityCard]
    fusion: str
    features: int
    classes: list[str]
    selection: str
    epoch: int
    """The epoch whose weights these are, counted from 1, warm-up included."""
    settings: dict[str, Any]
    """Settings of the job."""
    split_digest: str
    """Of the names of its training and validation samples."""
    weights_sha256: str
    precision: str = ""
    """What ``train.precision: auto`` was in this training; empty: it was not asked."""
    teacher_sha256: str = ""
    """Of the weights of the run that taught it, that of ``settings.teacher``; empty: none did."""
    files: dict[str, dict[str, Any]] = {}
    """Name of another file of its stage to ``rows`` and ``sha256`` (:mod:`equipoise.vouch`)."""
    record_digest: str = ""
    """Of all its other values; empty: an older equipoise wrote it."""

    def expect_split(self, digest: str) -> None:
        """Refuse a split other than the one of the training: it may test on trained samples.

        Raises:
            UserError: Which stage to run again.
        """
        if self.split_digest != digest:
            raise UserError(
                f"the model of stage {self.stage} ({self.dataset}, {self.method}, seed "
                f"{self.seed}) was trained on another split.csv; run stage {self.stage} again"
            )


def read_card(folder: Path) -> ModelCard:
    """Read ``model.json``.

    Raises:
        UserError: No such folder or file, not a card of this version, or changed since training.
    """
    path = Path(folder) / "model.json"
    try:
        text = files.regular(path).read_text(encoding="utf-8")
        card = ModelCard.model_validate_json(text)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; is this the folder of a trained model?") from None
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror or error}; name the folder of a trained model"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; restore it or train again") from None
    except ValidationError as error:
        raise UserError(f"{path}: {explain(ModelCard, error)}; train again") from None
    vouch.expect_card(path, json.loads(text))
    return card
