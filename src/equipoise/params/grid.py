"""The whole of params.yaml: the grid of data sets, methods and seeds, and the sections."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any

from pydantic import Field, model_validator

from equipoise import registry
from equipoise.errors import UserError, nearest
from equipoise.params.moved import refuse
from equipoise.params.sections import (
    ADDITIVE,
    Compare,
    Encoder,
    Evaluate,
    Extract,
    Gap,
    Model,
    Runtime,
    Search,
    Split,
    Train,
    Warmup,
)
from equipoise.params.streams import Stream, encoders, streams
from equipoise.section import Name, Section, Seed, known, merged


class DatasetEntry(Section):
    """One data set to run.

    The last four tables change the section of the same name for this data set.
    """

    download: dict[str, Any] = {}
    """Options of the data set itself; ``{folder: PATH}`` for your own folder with a manifest."""
    modalities: dict[Name, dict[str, Any]] = {}
    """Modality to ``{kind: KIND, column: COLUMN, …settings of the kind}``; one or more. The column
    is called as the modality where it is not named. ``like: NAME`` takes the settings of a preset
    (docs/datasets.md) that do not stand here."""
    encoders: dict[Name, str | Encoder] = {}
    """Modality to its encoder: a name, or a table (see :class:`Encoder`); that of its kind where
    none is named."""
    augment: dict[Name, dict[str, Any]] = {}
    """Modality to what is random in training."""
    extract: dict[str, Any] = {}
    split: dict[str, Any] = {}
    model: dict[str, Any] = {}
    train: dict[str, Any] = {}


class Methods(Section):
    """The methods to run: ``<method>[-<variant>[-<label>]>: options``."""

    from_scratch: dict[Name, dict[str, Any]] = {}
    """Trained from random weights."""
    from_warmup: dict[Name, dict[str, Any]] = {}
    """Continued from the warm-up weights, with the posteriors of stage gap at hand."""
    with_teacher: dict[Name, dict[str, Any]] = {}
    """Trained from random weights, with the trained run of ``teacher`` at hand: that of the same
    data set and seed."""
    teacher: Name = "unimodal"
    """The method of ``from_scratch`` or ``from_warmup`` whose runs those of ``with_teacher`` read.
    """

    @property
    def tables(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Name of each table to its methods."""
        names = ("from_scratch", "from_warmup", "with_teacher")
        return {name: getattr(self, name) for name in names}

    def table_of(self, method: str) -> str:
        """Return the name of the table that a method of the grid stands in."""
        return next(name for name, table in self.tables.items() if method in table)


class Params(Section):
    """The whole of params.yaml."""

    datasets: Annotated[dict[Name, DatasetEntry], Field(min_length=1)]
    methods: Methods
    seeds: Annotated[list[Seed], Field(min_length=1)]
    extract: Extract = Extract()
    split: Split = Split()
    model: Model = Model()
    warmup: Warmup = Warmup()
    gap: Gap = Gap()
    search: Search = Search()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    compare: Compare = Compare()
    runtime: Runtime = Runtime()

    @model_validator(mode="before")
    @classmethod
    def _of_this_version(cls, values: Any) -> Any:
        refuse(values)
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: the same seed twice; name each once")
        for name, entry in self.datasets.items():
            registry.check_dataset(name, entry.download)
            self.encoders_of(name)
            for section in ("extract", "split", "model", "train"):
                merged(
                    getattr(self, section), getattr(entry, section), f"datasets.{name}.{section}"
                )
            fusion = self.model_of(name).fusion
            known(fusion, registry.methods()["joint"].variants, "model.fusion:")
            split = self.split_of(name)
            if split.protocol != "official" and split.val_fraction + split.test_fraction >= 1:
                raise ValueError(
                    f"split of {name!r}: val_fraction and test_fraction leave nothing for training"
                )
        self._check_methods()
        self._check_gap()
        known(self.compare.baseline, self.method_names, "compare.baseline: method")
        self._check_search()
        for name in self.datasets:
            if self.methods.from_warmup and self.warmup.epochs >= self.train_of(name).epochs:
                raise ValueError(
                    f"warmup.epochs ({self.warmup.epochs}) leaves nothing of train.epochs "
                    f"({self.train_of(name).epochs}) of {name!r} to the methods in from_warmup"
                )
        return self

    def _check_methods(self) -> None:
        tables = self.methods.tables
        for (one, first), (two, second) in combinations(tables.items(), 2):
            if both := first.keys() & second.keys():
                raise ValueError(f"methods: {min(both)!r} stands in {one} and in {two}")
        if not self.method_names:
            raise ValueError("methods: none named; put at least one in methods.from_scratch")
        for start, table in tables.items():
            for name, options in table.items():
                registry.check_method(name, options, start, self)
                for dataset, entry in self.datasets.items():
                    where = f"methods.{start}.{name}: data set {dataset!r}"
                    registry.expect_modalities(name, list(entry.modalities), where)
        students, teacher = self.methods.with_teacher, self.methods.teacher
        others = [name for name in self.method_names if name not in students]
        if teacher in students:
            raise ValueError(
                f"methods.teacher: {teacher!r} stands in with_teacher and would be taught by "
                "itself; name a method of from_scratch or from_warmup"
            )
        if students and teacher not in others:
            raise ValueError(
                f"methods.teacher: {teacher!r} is not in the grid, but methods.with_teacher reads "
                f"its runs; put it in methods.from_scratch{nearest(teacher, others)}"
            )

    def _check_gap(self) -> None:
        """Check what stage gap would refuse after the warm-up."""
        if not self.methods.from_warmup:
            return
        if self.gap.scores == "split":
            self.expect_additive("gap.scores")
        for name, entry in self.datasets.items():
            count = len(entry.modalities)
            if count < 2:
                raise ValueError(
                    f"methods.from_warmup: a modality gap needs two modalities, {name!r} has "
                    f"{count} ({', '.join(entry.modalities)}); leave methods.from_warmup empty"
                )
            if self.gap.signed and count != 2:
                raise ValueError(
                    f"gap.signed: a signed gap is defined for two modalities, {name!r} has "
                    f"{count}; set it to false"
                )

    def _check_search(self) -> None:
        search = self.search
        for change in search.train:
            if fixed := change.keys() & {"epochs", "selection"}:
                raise ValueError(f"search.train: {min(fixed)!r} is the same for every trial")
            for name in self.datasets:
                merged(self.train_of(name), change, "search.train")
        for method in search.options:
            known(method, self.method_names, "search.options: method")
        for start, table in self.methods.tables.items():
            for method, options in table.items():
                changes = search.options.get(method, [])
                for change in changes:
                    registry.check_method(method, {**options, **change}, start, self)
                # As training.search.draw pairs them: unchanged, too.
                settings = (1 + len(search.train)) * (1 + len(changes))
                if settings < search.trials:
                    raise ValueError(
                        f"search.trials is {search.trials}, but the candidates for {method!r} make "
                        f"only {settings} settings; add some to search.train"
                    )

    @property
    def method_names(self) -> list[str]:
        """All methods of the grid, those from scratch first."""
        return [method for table in self.methods.tables.values() for method in table]

    def expect_additive(self, where: str) -> None:
        """Check that scores can be split by modality, whatever the data set.

        Raises:
            ValueError: A fusion is not a sum over modalities; begins with ``where``.
        """
        for fusion in (self.model_of(name).fusion for name in self.datasets):
            if fusion not in ADDITIVE:
                raise ValueError(
                    f"{where}: fusion {fusion!r} cannot be split by modality; "
                    f"say heads, or set model.fusion to one of {', '.join(ADDITIVE)}"
                )

    def expect(self, dataset: str, method: str) -> None:
        """Check that a cell named on the command line is in the grid (empty names are).

        Raises:
            UserError: With the nearest name of the grid.
        """
        if dataset and dataset not in self.datasets:
            raise UserError(f"unknown data set {dataset!r}{nearest(dataset, self.datasets)}")
        if method and method not in self.method_names:
            raise UserError(f"unknown method {method!r}{nearest(method, self.method_names)}")

    def extract_of(self, dataset: str) -> Extract:
        """Section ``extract`` as it holds for one data set."""
        return merged(self.extract, self.datasets[dataset].extract, f"datasets.{dataset}.extract")

    def split_of(self, dataset: str) -> Split:
        """Section ``split`` as it holds for one data set."""
        return merged(self.split, self.datasets[dataset].split, f"datasets.{dataset}.split")

    def streams_of(self, dataset: str) -> dict[str, Stream]:
        """The modalities of one data set, checked."""
        entry = self.datasets[dataset]
        return streams(entry.modalities, entry.augment, dataset)

    def augment_of(self, dataset: str) -> dict[str, dict[str, Any]]:
        """Return modality to what is random in training, for JSON."""
        streams = self.streams_of(dataset)
        return {name: stream.augment.model_dump(mode="json") for name, stream in streams.items()}

    def encoders_of(self, dataset: str) -> dict[str, Encoder]:
        """The encoder of each modality of one data set, checked."""
        chosen, where = self.datasets[dataset].encoders, f"datasets.{dataset}"
        return encoders(chosen, self.streams_of(dataset), where)

    def embedded(self, dataset: str) -> list[str]:
        """Modalities of one data set whose encoder is frozen as a whole: stage embed runs it."""
        return [m for m, one in self.encoders_of(dataset).items() if one.freeze == "body"]

    def model_of(self, dataset: str) -> Model:
        """Section ``model`` as it holds for one data set."""
        return merged(self.model, self.datasets[dataset].model, f"datasets.{dataset}.model")

    def train_of(self, dataset: str) -> Train:
        """Section ``train`` as it holds for one data set."""
        return merged(self.train, self.datasets[dataset].train, f"datasets.{dataset}.train")
