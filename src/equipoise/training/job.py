"""What the stages warmup and train share: from files to a trained model and back to files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise import files, layout, registry, vouch
from equipoise.console import log
from equipoise.errors import UserError
from equipoise.methods.base import Method, create
from equipoise.modalities.normalise import Normalisation
from equipoise.models.build import build_model
from equipoise.models.card import ModalityCard, ModelCard
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.models.weights import Placed
from equipoise.params import TrainJob, WarmupJob
from equipoise.stages.job import Job
from equipoise.training import pretrained
from equipoise.training.auto_precision import settled
from equipoise.training.checkpoint import Checkpoints
from equipoise.training.data import Data, read_split, split_digest
from equipoise.training.device import in_format, make_deterministic, seed_everything
from equipoise.training.inference import LoadedModel, load_model
from equipoise.training.loop import Best, Row, Trainer
from equipoise.training.precision import expect_right
from equipoise.training.run import Run, make_optimizer, parameter_groups
from equipoise.training.shares import share
from equipoise.training.teacher import expect_same, freeze, load_teacher, weights_of
from equipoise.training.world import current, local_size, own_device

if TYPE_CHECKING:
    import torch

    from equipoise.gap.artefacts import GapArtefacts
    from equipoise.store.inputs import Inputs


@dataclass
class Start:
    """Where a run starts."""

    first_epoch: int = 1
    warm: LoadedModel | None = None
    """The warmed-up model to continue from."""
    gap: GapArtefacts | None = None
    teacher: LoadedModel | None = None
    """The trained run that the method reads."""


def train_model(
    job: Job,
    settings: WarmupJob | TrainJob,
    key: str,
    options: Mapping[str, Any],
    last_epoch: int,
    outputs: Mapping[str, Path],
    start: Start,
    store: Inputs,
) -> None:
    """Train method ``key`` on the features in ``store`` and write the final files.

    Raises:
        UserError: Settings, features and split do not belong together; the loss diverged.
        Stopped: A signal asked to stop; the same call continues.
    """
    from equipoise import tracking

    trainer = make_trainer(job, settings, key, options, last_epoch, start, store)
    with _alone(job, trainer), trainer.stop.catch(), tracking.run(job, settings) as tracked:

        def on_epoch(row: Row) -> None:
            numbers = {k: v for k, v in row.items() if k not in ("epoch", "phase")}
            tracked.metrics(numbers, step=row["epoch"])

        if settings.train.precision == "auto":
            tracked.tags({"precision": trainer.run.settings.precision})
        best = trainer.fit(on_epoch)
        if not trainer.run.world.first:
            return
        card = _card(job, settings, key, options, trainer.run, store)
        _write(outputs, card, best, trainer)
        for path in outputs.values():
            tracked.artifact(path)
    if job.code:
        trainer.checkpoints.finish()
    else:  # nobody would say whether the code is still the same
        trainer.checkpoints.remove()
    log.info("%s: kept epoch %d, accuracy %.4f", job.name, best.epoch, best.accuracy)


def _alone(job: Job, trainer: Trainer) -> contextlib.AbstractContextManager[None]:
    """Keep another process from training this cell: both would write the same files."""
    if not trainer.run.world.first:
        return contextlib.nullcontext()
    lock = layout.checkpoints(job.stage, job.dataset, job.method, str(job.seed)) / ".lock"
    return files.alone(lock, "another process trains this", needed=False)


def make_trainer(
    job: Job,
    settings: WarmupJob | TrainJob,
    key: str,
    options: Mapping[str, Any],
    last_epoch: int,
    start: Start,
    store: Inputs,
) -> Trainer:
    """Build everything that training method ``key`` on the features in ``store`` needs.

    Raises:
        UserError: Settings, features and split do not belong together.
    """
    check_modalities(key, list(store.modalities))
    name, _, _ = registry.method_of(key)
    if registry.methods()[name].needs_teacher and start.teacher is None:
        raise UserError(f"method {name!r} reads a trained run; put it in methods.with_teacher")
    method = create(key, options)
    run = _make_run(job, settings, method, start, last_epoch, store)
    checkpoints = Checkpoints(_state(job, settings, store), job.runtime.checkpoint_seconds)
    return Trainer(run, method, checkpoints)


def start_of(job: Job, settings: TrainJob, store: Inputs) -> Start:
    """Return where a run of the method of ``job`` starts, with what it reads of other runs.

    Raises:
        UserError: The files of the warm-up, of stage gap or of the teacher are missing or damaged.
    """
    from equipoise.gap.artefacts import read_gap

    if settings.warmup is None or settings.gap is None:
        teacher = settings.teacher
        return Start(teacher=load_teacher(job, teacher) if teacher else None)
    seed = str(job.seed)
    return Start(
        first_epoch=settings.warmup.epochs + 1,
        warm=load_model(layout.warmup(job.dataset, seed)["model"].parent),
        gap=read_gap(layout.gap(job.dataset, seed), store.sample_ids, settings.gap),
    )


def _make_run(
    job: Job,
    settings: WarmupJob | TrainJob,
    method: Method[Any],
    start: Start,
    last_epoch: int,
    store: Inputs,
) -> Run:
    device, world, first = own_device(job.runtime.device), current(), (job.seed, start.first_epoch)
    make_deterministic(device, job.threads // local_size())
    placed = pretrained.place(settings.encoders, store)
    data = _data(job, settings, start, store, placed, device)
    seed_everything(job.seed)
    model = _model(job, settings, method, start, store, placed, data).to(device)
    train = settings.train
    if train.precision == "auto":
        train = settled(model, data, train, first, _state(job, settings, store), world)
    expect_right(in_format(model, train.precision), data, train, first)
    share(model.encoders, world)
    if start.teacher is not None:
        cards = modality_cards(data, settings, store)
        digest = split_digest(data.splits, data.sample_ids)
        expect_same(start.teacher.card, cards, settings.model.features, data.classes, digest)
        freeze(start.teacher, device, world)
    return Run(
        model=model,
        optimizer=make_optimizer(parameter_groups(model), train),
        data=data,
        settings=train,
        device=device,
        seed=job.seed,
        first_epoch=start.first_epoch,
        last_epoch=last_epoch,
        phase=job.stage,
        gap=start.gap,
        teacher=start.teacher,
        world=world,
    )


def _data(
    job: Job,
    settings: WarmupJob | TrainJob,
    start: Start,
    store: Inputs,
    placed: Mapping[str, Placed],
    device: torch.device,
) -> Data:
    splits = read_split(layout.split(job.dataset)["split"], store.sample_ids)
    if start.warm is not None:
        start.warm.card.expect_split(split_digest(splits, store.sample_ids))
        known = _normalisation(start.warm, store, _warm_weights(job))
    else:
        known = pretrained.expected(placed, store, settings.augment)
    gib, window = job.runtime.resident_gib, settings.train.shuffle_window
    return Data(store, splits, device, gib, known, settings.augment, window)


def _model(
    job: Job,
    settings: WarmupJob | TrainJob,
    method: Method[Any],
    start: Start,
    store: Inputs,
    placed: Mapping[str, Placed],
    data: Data,
) -> MultimodalClassifier:
    model = build_model(
        data.streams.inputs,
        pretrained.complete(settings.encoders, placed),
        method.fusion(settings.model.fusion),
        settings.model.features,
        len(data.classes),
        store.embedded,
    )
    if start.warm is not None:
        _continue_from(model, start.warm, _warm_weights(job))
    else:
        pretrained.load(model, placed)
    return model


def _warm_weights(job: Job) -> Path:
    return layout.warmup(job.dataset, str(job.seed))["weights"]


def check_modalities(key: str, modalities: Sequence[str]) -> None:
    """Refuse a method that cannot work with so many modalities, before anything is read.

    Raises:
        UserError: Too few or too many.
    """
    try:
        registry.expect_modalities(key, modalities, "the feature store")
    except ValueError as error:
        raise UserError(str(error)) from None


def _normalisation(warm: LoadedModel, store: Inputs, path: Path) -> dict[str, Normalisation]:
    cards = warm.card.modalities
    if sorted(cards) != sorted(store.modalities) or warm.card.classes != list(store.classes):
        raise UserError(
            f"{path}: trained on {', '.join(cards)} and {len(warm.card.classes)} classes, the "
            f"features hold {', '.join(store.modalities)} and {len(store.classes)} classes; "
            "run stage warmup again"
        )
    return {m: card.normalisation for m, card in cards.items()}


def _continue_from(model: MultimodalClassifier, warm: LoadedModel, path: Path) -> None:
    weights = warm.model.state_dict()
    for name, value in model.state_dict().items():
        if name not in weights or weights[name].shape != value.shape:
            raise UserError(
                f"{path}: the warm-up (fusion {warm.card.fusion!r}) holds no fitting {name!r}; "
                "use the same model in warm-up and method, or train from scratch"
            )
    wanted = model.state_dict().keys()
    model.load_state_dict({name: value for name, value in weights.items() if name in wanted})


def _state(job: Job, settings: WarmupJob | TrainJob, store: Inputs) -> Path:
    """Return the folder of the checkpoints; other code, settings or data never resume from it."""
    inputs: dict[str, Any] = {"settings": settings.model_dump(mode="json"), "code": job.code}
    inputs["split"] = files.sha256(layout.split(job.dataset)["split"])
    inputs["features"] = {name: str(value) for name, value in store.attributes.items()}
    if isinstance(settings, TrainJob) and settings.warmup is not None:
        inputs["warmup"] = files.sha256(_warm_weights(job))
    if isinstance(settings, TrainJob) and settings.teacher is not None:
        inputs["teacher"] = files.sha256(weights_of(job, settings.teacher))
    cell = layout.checkpoints(job.stage, job.dataset, job.method, str(job.seed))
    return cell / files.digest(inputs)


def modality_cards(
    data: Data, settings: WarmupJob | TrainJob, store: Inputs
) -> dict[str, ModalityCard]:
    """Return what a model that is trained on ``data`` must know of each modality."""
    placed = pretrained.place(settings.encoders, store)
    encoders = pretrained.complete(settings.encoders, placed)
    origins = pretrained.origins(placed, store)
    before = {m: Normalisation.of_json(made["before"]) for m, made in store.made_with.items()}
    identity = json.loads(store.attributes.get("identity", "{}"))
    return {
        m: ModalityCard(
            table=dict(store.tables[m]),
            identity=identity.get(m, {}),
            augment=settings.augment.get(m, {}),
            encoder=encoders[m],
            shape=store.shape(m),
            normalisation=data.streams.normalisation[m],
            embedded=m in store.embedded,
            weights=origins.get(m),
            before=before.get(m),
        )
        for m in data.modalities
    }


def _card(
    job: Job,
    settings: WarmupJob | TrainJob,
    key: str,
    options: Mapping[str, Any],
    run: Run,
    store: Inputs,
) -> dict[str, Any]:
    data = run.data
    return {
        "stage": job.stage,
        "dataset": job.dataset,
        "method": key,
        "options": dict(options),
        "seed": job.seed,
        "modalities": modality_cards(data, settings, store),
        "fusion": run.model.fusion.name,
        "features": settings.model.features,
        "classes": data.classes,
        "selection": settings.train.selection,
        "split_digest": split_digest(data.splits, data.sample_ids),
        "settings": settings.model_dump(mode="json"),
        "precision": run.settings.precision if settings.train.precision == "auto" else "",
        "teacher_sha256": run.teacher.card.weights_sha256 if run.teacher else "",
    }


def _write(outputs: Mapping[str, Path], card: dict[str, Any], best: Best, trainer: Trainer) -> None:
    from safetensors.torch import save_file

    header: dict[str, None] = {}
    for row in trainer.history:
        header |= dict.fromkeys(row)
    files.write_csv(outputs["history"], list(header), trainer.history)
    with files.atomic_path(outputs["weights"]) as temporary:
        save_file(best.weights, temporary)
    whole = ModelCard(
        **card,
        structure=best.structure,
        epoch=best.epoch,
        weights_sha256=files.sha256(outputs["weights"]),
    )
    # A card has always said what was asked; what was chosen, where there was a choice.
    left_out = set() if whole.precision else {"precision"}
    told = whole.model_dump(mode="json", exclude={vouch.OWN, *left_out})
    vouch.write(outputs["model"], told, outputs["history"])
