"""The sections of params.yaml: every parameter of every stage, its type, limits and meaning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from equipoise.media.damage import Tolerance
from equipoise.section import Fraction, Name, Positive, Section, Seed


class Extract(Section):
    """Stage extract: raw media to arrays, for each modality of ``datasets.<name>.modalities``."""

    shard_rows: Positive = 256
    """Manifest rows in one shard: the unit of work that is kept when extraction is interrupted."""
    max_reject_fraction: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The stage fails when a larger part of the clips cannot be decoded."""
    tolerance: Tolerance = Tolerance()
    """Of the media, before they are refused as damaged or truncated."""
    parts: Positive = 1
    """Jobs that decode a data set, on as many nodes, before one joins what they made; the features
    are the same bytes. 1: one job does it all."""


class Split(Section):
    """Stage split: which sample is for training, validation and test."""

    protocol: Literal["auto", "official", "group_disjoint", "random"] = "auto"
    """``official``: the manifest's split column (val is cut from train where it has none);
    ``group_disjoint``: no group (speaker, subject) on two sides; ``random``: by label only;
    ``auto``: the first of these whose column is filled; a column filled in part is an error."""
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: Seed = 0
    allow_leaks: bool = False
    """The same file of your own data may stand on two sides; stage audit says which. (Lists that
    are published are split as they are.)"""


#: Values of model.fusion that are a sum over modalities, so that each one's share is known.
ADDITIVE = ("concat", "sum", "weighted")


class Encoder(Section):
    """One entry of ``datasets.<name>.encoders``; a name alone stands for ``{name: NAME}``."""

    name: str
    """A folder of ``equipoise/models/encoders``, see ``equipoise encoders``."""
    options: dict[str, Any] = {}
    """Its own options."""
    weights: str = ""
    """Weights to start from: a name of ``models/weights.toml``, a file or folder; empty: none."""
    freeze: Literal["none", "stem", "body"] = "none"
    """What keeps its weights: ``body`` (all but the projection) is run once, by stage embed."""
    rates: dict[Literal["stem", "body", "projection"], Annotated[float, Field(gt=0)]] = {}
    """Part to a factor on ``train.learning_rate`` (1 where it stands not here)."""


class Model(Section):
    """The model: one encoder for each modality, one fusion, one linear head for each modality."""

    features: Positive = 64
    """Length of every encoder's feature vector."""
    fusion: str = "concat"
    """How features become logits: a variant of ``joint``; a method may bring its own."""


class Warmup(Section):
    """Stage warmup: joint training until every modality is fit well enough to compare."""

    epochs: Positive = 12
    heads: Literal["trained", "probe"] = "trained"
    """``trained``: each modality's head also trains its encoder; ``probe``: heads read detached
    features, so that the encoders see the joint loss alone."""


class Gap(Section):
    """Stage gap: per-sample gaps between modalities and the Gaussian mixture behind them."""

    scores: Literal["heads", "split"] = "heads"
    """Unimodal scores from each modality's head, or from the fused classifier split by modality."""
    signed: bool = False
    """Signed difference (two modalities only) in place of the absolute one."""
    max_components: Annotated[int, Field(ge=2, le=8)] = 4
    """BIC is reported for 1 to this many components."""
    n_init: Positive = 5
    """Starts of each mixture fit."""
    min_weight: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """A component lighter than this is not a component: the fit is then 'not identifiable'."""
    min_separation: Annotated[float, Field(ge=0)] = 0.05
    """Means closer than this are not two components."""
    posterior: Literal["monotone", "bayes"] = "monotone"
    """Posterior of 'imbalanced'. ``monotone``: it never falls as the gap grows, and a gap below the
    balanced mean has the posterior of that mean; ``bayes``: Bayes' rule alone, by which the
    smallest gaps can count as imbalanced when the imbalanced component is the wider one."""
    subset_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Samples whose posterior of 'balanced' reaches this form the purified subset."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the mixture fits; scikit-learn takes 32 bits."""


class Train(Section):
    """Stage train (and the optimisation of stage warmup): one budget for every method."""

    epochs: Positive = 20
    """Total epochs. A method that continues from the warm-up spends what the warm-up left."""
    batch_size: Positive = 32
    optimizer: Literal["sgd", "adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    momentum: Fraction = 0.9
    """Momentum of SGD; AdamW does not read it."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    step_epochs: Positive = 70
    """Schedule ``step``: the learning rate is multiplied by step_factor every so many epochs."""
    step_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    precision: Literal["fp32", "bf16", "bf16_channels_last", "auto"] = "fp32"
    """``bf16``: on a CPU compared with float32 before the run. ``auto``: the fastest of the others,
    measured when a training begins and kept for it: not the same on every machine
    (docs/precision.md)."""
    shuffle_window: Positive | None = None
    """Samples that are shuffled together, for features that are larger than memory: chunks of 64
    neighbours are dealt into windows of about so many samples, and two windows are in memory.
    null: all samples are, each order equally likely."""
    selection: Literal["validation", "last", "oracle_test"] = "validation"
    """Which epoch is kept: best on validation; the last; best on test (for ablation only)."""


class Search(Section):
    """Stage search: the same number of hyper-parameter trials for every method of the grid.

    Trial 1 is the settings as they stand in the other sections; the others are drawn at random,
    none twice, from all pairs of a change in ``train`` and a change in ``options`` (Bergstra and
    Bengio, JMLR 2012). Validation accuracy, then loss, decides.
    """

    trials: Positive = 1
    """Trials of each method; 1: nothing is tried, the settings are those that stand here."""
    seed: Seed = 0
    """Of the draw. The trials themselves are trained with the first of ``seeds``."""
    train: list[dict[str, Any]] = []
    """Changes of section ``train`` to try with every method."""
    options: dict[Name, list[dict[str, Any]]] = {}
    """Method of the grid to changes of its options to try."""


class Evaluate(Section):
    """Stage evaluate: metrics of one trained model."""

    batch_size: Positive = 256


class Compare(Section):
    """Stage compare: the table, the differences and the report."""

    baseline: Name = "joint"
    """The method that the others are compared with, run by run of the same seed."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Level of every interval."""


class Runtime(Section):
    """How this machine works; nothing here changes a result, so that nothing here reruns a job."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``."""
    processes: Positive = 1
    """Processes on this machine that share one training job; on GPUs, one GPU for each."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Longest time between two training checkpoints."""
    resident_gib: Annotated[float, Field(ge=0)] = 8.0
    """Features up to this size are held in memory; larger ones are read row by row."""
    fork_server: bool = True
    """Snakemake on one machine without a GPU: jobs are forks of a process that imported PyTorch."""
