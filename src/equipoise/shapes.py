"""Of which types the values of each record are.

A digest tells that a record is as it was written, not by whom: a list where a number is read would
end a command with a traceback. So every record that is read is compared with its shape first. A key
that is not there is told by who needs it; keys that nobody reads may hold anything.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from equipoise import layout
from equipoise.errors import UnreadableError
from equipoise.section import explain

Counts = dict[str, int]
Numbers = dict[str, float]


class Shape(BaseModel):
    """A table: of keys that are there, the types."""

    model_config = ConfigDict(
        extra="allow",
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        defer_build=True,  # of forty shapes, a command compares few
    )


class Fact(Shape):
    """What the extraction did to the clips of a modality."""

    clips: int = 0
    mean: float = 0
    most: float = 0
    rows: list[int] = []


class Tables(Shape):
    """Settings of stage extract."""

    modalities: dict[str, dict[str, Any]] = {}


class Extract(Shape):
    """extract.json."""

    dataset: str = ""
    decoder: str = ""
    classes: Counts = {}
    facts: dict[str, Fact] = {}
    samples: int = 0
    rejects: int = 0
    manifest_rows: int = 0
    manifest_sha256: str = ""
    media_sha256: str = ""
    settings: Tables = Tables()
    shapes: dict[str, list[int]] = {}
    types: dict[str, str] = {}


class Shown(Shape):
    """A stored sample of one modality."""

    png: str = ""
    text: str = ""


class Sample(Shape):
    """A stored sample."""

    label: str = ""
    sample_id: str = ""
    modalities: dict[str, Shown] = {}


class Samples(RootModel[list[Sample]]):
    """samples.json."""


class Side(Shape):
    """One side of a split."""

    classes: Counts = {}
    groups: list[str] = []
    samples: int = 0


class Split(Shape):
    """split.json."""

    protocol: str = ""
    subsets: dict[str, Side] = {}
    shared_groups: list[str] = []


class Embed(Shape):
    """embed.json."""

    samples: int = 0
    made_with: dict[str, dict[str, Any]] = {}
    shapes: dict[str, list[int]] = {}


class Some(Shape):
    """How many of how many, and what about them."""

    samples: int = 0
    of: int = 0
    share: float = 0
    right: int = 0
    agree: int = 0
    ties: int = 0
    among: int = 0
    word: str = ""


class Finding(Some):
    """One finding of stage audit."""

    by: str = ""
    modality: str = ""
    things: str = ""
    how: str = ""
    side: str = ""
    other: str = ""
    official: bool = False
    contents: int = 0
    mean: float = 0
    most: float = 0
    words: int = 0
    pure: int = 0
    column: str = ""
    against: int = 0
    best_accuracy: Numbers = {}
    class_words: Some = Some()
    test: Some = Some()
    pure_words: list[Some] = []
    sides: dict[str, Some] = {}
    lost: list[str] = []
    thinned: dict[str, Some] = {}
    ids: list[str | list[str | list[str]]] = []


class Audit(Shape):
    """What stage audit found."""

    dataset: str = ""
    samples: Counts = {}
    leaks: list[Finding] = []
    contradictions: list[Finding] = []
    cut: list[Finding] = []
    constant: list[Finding] = []
    rejects: Finding = Finding()
    label_words: list[Finding] = []
    raters: list[Finding] = []


class Subset(Shape):
    """The balanced subset."""

    samples: int = 0
    per_class: Counts = {}
    part_per_class: Numbers = {}
    filled_classes: list[str] = []


class Fit(Shape):
    """gmm.json; the others are accuracies of modalities."""

    __pydantic_extra__: Numbers
    subset: Subset = Subset()
    files: dict[str, Any] = {}
    record_digest: str = ""
    means: list[float] = []
    variances: list[float] = []
    weights: list[float] = []
    bic: dict[str, float | None] = {}
    balanced_component: int | None = None
    log_likelihood: float | None = None
    converged: bool = False
    identifiable: bool = False
    signed: bool = False
    scores: str = ""
    posterior: str = ""
    reason: str = ""
    samples: int = 0

    @model_validator(mode="after")
    def _even(self) -> "Fit":
        if not len(self.means) == len(self.variances) == len(self.weights):
            raise ValueError("means, variances and weights are not of equally many components")
        return self


class Chosen(Shape):
    """chosen.json."""

    train: dict[str, Any] = {}
    options: dict[str, Any] = {}
    trial: int = 0
    trials: int = 0


class Scores(Shape):
    """What is measured on one side of the split."""

    samples: int = 0
    accuracy: float = 0
    macro_f1: float = 0
    map: float = 0
    ece: float = 0
    accuracy_by_modality: Numbers = {}
    macro_f1_by_modality: Numbers = {}
    map_by_modality: Numbers = {}
    ece_by_modality: Numbers = {}
    absent_classes: list[int] = []
    confusion: list[list[int]] = []
    modality_gap: float | None = None


class Damaged(Shape):
    """Accuracy with one modality damaged, by severity."""

    accuracy: list[float] = []
    area: float = 0


class Robustness(Shape):
    """What damage to one modality costs."""

    severity: list[float] = []
    mean_area: float = 0
    modalities: dict[str, Damaged] = {}

    @model_validator(mode="after")
    def _even(self) -> "Robustness":
        if any(len(one.accuracy) != len(self.severity) for one in self.modalities.values()):
            raise ValueError("there are not as many accuracies as severities")
        return self


class Cost(Shape):
    """What a prediction costs."""

    parameters: int = 0
    flops_per_sample: int = 0
    seconds_per_sample: float = 0
    batch: int = 0
    device: str = ""


class Metrics(Shape):
    """metrics.json."""

    dataset: str = ""
    method: str = ""
    name: str = ""
    variant: str = ""
    seed: int = 0
    epoch: int = 0
    selection: str = ""
    classes: list[str] = []
    model_sha256: str = ""
    val: Scores = Scores()
    test: Scores = Scores()
    test_unspoiled: Scores | None = None
    subsets: dict[str, Numbers] = {}
    shapley: Numbers | None = None
    robustness: Robustness = Robustness()
    cost: Cost = Cost()


class Coverage(Shape):
    """What of a published list is absent."""

    absent: dict[str, Counts] = {}
    samples: list[str] = []


class Named(Shape):
    """An encoder, or weights."""

    name: str = ""
    sha256: str = ""
    licence: str = ""
    trained_on: str = ""


class CardModality(Shape):
    """One modality of a model."""

    table: dict[str, Any] = {}
    augment: dict[str, Any] = {}
    encoder: Named = Named()
    shape: list[int] = []
    weights: Named | None = None


class Warmup(Shape):
    """Settings of stage warmup."""

    epochs: int = 0


class CardSettings(Shape):
    """Settings of a training."""

    warmup: Warmup | None = None
    teacher: str | None = None
    options: dict[str, Any] = {}


class Card(Shape):
    """model.json for who does not load the weights; for the others :mod:`equipoise.models.card`."""

    modalities: dict[str, CardModality] = {}
    settings: CardSettings = CardSettings()
    fusion: str = ""
    features: int = 0
    epoch: int = 0
    classes: list[str] = []
    weights_sha256: str = ""
    teacher_sha256: str = ""


class Across(Shape):
    """Ranks of methods over two data sets and more."""

    data_sets: int = 0
    critical_difference: float = 0
    p_value_friedman: float = 0
    methods: dict[str, Numbers] = {}


class Compared(Shape):
    """comparison.json: data set to method to numbers."""

    __pydantic_extra__: dict[str, dict[str, dict[str, float | str]]]
    across: Across = Field(Across(), alias="across data sets")
    files: dict[str, Any] = {}
    record_digest: str = ""


#: Record, in any data set, method and seed, to its shape.
SHAPES: Mapping[Path, type[BaseModel]] = {
    layout.raw("*")["manifest"].with_name("coverage.json"): Coverage,
    layout.features("*")["record"]: Extract,
    layout.features("*")["samples"]: Samples,
    layout.split("*")["record"]: Split,
    layout.embed("*")["record"]: Embed,
    layout.audit("*")["audit"]: Audit,
    layout.gap("*", "*")["fit"]: Fit,
    layout.search("*", "*")["chosen"]: Chosen,
    layout.evaluate("*", "*", "*")["metrics"]: Metrics,
    layout.warmup("*", "*")["model"]: Card,
    layout.train("*", "*", "*")["model"]: Card,
    layout.compare()["metrics"]: Compared,
}


def expect(path: Path, content: Any, otherwise: str) -> None:
    """Refuse a record of another shape than the stage that writes it gives it.

    Args:
        path: Where it was read.
        content: What was read.
        otherwise: What to do then, for the message.

    Raises:
        UnreadableError: Which value is wrong, and how.
    """
    shape = next((one for place, one in SHAPES.items() if path.match(str(place))), None)
    if shape is None:
        return
    try:
        shape.model_validate(content)
    except ValidationError as error:
        raise UnreadableError(f"{path}: {explain(shape, error)}; {otherwise}") from None
