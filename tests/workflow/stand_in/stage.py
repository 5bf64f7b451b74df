"""A stage that computes nothing: every output is a digest of the inputs, the settings and the cell.

TRACE in the environment names a file that gets one line for each job; FAIL names a stage that fails
after its first output, PAUSE one that takes five minutes, KILL one that is killed the first time;
SALT changes what comes out.
"""

import hashlib
import json
import os
import signal
import time
from pathlib import Path

from equipoise import layout

TABLE = (
    "dataset,method,variant,seeds,accuracy,accuracy_low,accuracy_high,macro_f1,gap_auroc,"
    "accuracy_video,modality_gap,accuracy_video_low,accuracy_video_high,macro_f1_low,macro_f1_high,"
    "modality_gap_low,modality_gap_high,level,key\n"
    "keypad,joint,concat,1,0.9,,,0.9,,0.9,0.1,,,,,,,0.95,joint\n"
)


def inputs(job, settings):
    # One search serves all seeds of a method: which one it trains with, its settings say.
    seed = str(settings.seed if job.stage == "search" else job.seed)
    features = layout.features(job.dataset)["features"]
    split = layout.split(job.dataset)["split"]
    embeddings = layout.embed(job.dataset)["embeddings"]
    raw = layout.raw(job.dataset)
    warm = layout.warmup(job.dataset, seed)
    gap = layout.gap(job.dataset, seed)
    match job.stage:
        case "download":
            return []
        case "extract":
            parts = settings.extract.parts if job.part is None else 1
            names = map(str, range(parts if parts > 1 else 0))
            expected = [layout.part(job.dataset, name) for name in names]
            assert all(path.exists() for path in expected), "the join runs behind all parts"
            return [raw["manifest"], raw["checksums"]]
        case "split":
            return [raw["manifest"], raw["checksums"], features]
        case "audit":
            extracted = layout.features(job.dataset)
            record = layout.split(job.dataset)["record"]
            mine = [extracted["rejects"], extracted["record"], split, record]
            return [raw["manifest"], raw["checksums"], features, *mine]
        case "embed":
            return [features, split]
        case "warmup":
            return [features, split, embeddings]
        case "gap":
            return [features, split, embeddings, warm["weights"], warm["model"]]
        case "search" | "train":
            told = settings.train if job.stage == "search" else settings
            more = (
                [] if job.stage == "search" else [layout.search(job.dataset, job.method)["chosen"]]
            )
            if told.warmup:
                more += [warm["weights"], warm["model"], gap["gap"], gap["fit"], gap["subset"]]
            if told.teacher:
                teacher = layout.train(job.dataset, told.teacher, seed)
                more += [teacher["weights"], teacher["model"]]
            return [features, split, embeddings, *more]
        case "evaluate":
            model = layout.train(job.dataset, job.method, seed)
            data = [raw["manifest"], features, split, embeddings]
            return [*data, model["weights"], model["model"]]
        case "compare":
            return [
                layout.evaluate(dataset, method, str(seed))["metrics"]
                for dataset in settings.datasets
                for method in settings.methods
                for seed in settings.seeds
            ]


def outputs(job):
    if job.part is not None:
        return [layout.part(job.dataset, str(job.part))]
    values = {"dataset": job.dataset, "method": job.method, "seed": str(job.seed)}
    cell = [values[name] for name in layout.CELL[job.stage]]
    return layout.outputs(job.stage, *cell).values()


def run(job, settings):
    print(f"child of {os.getppid()}", flush=True)  # into the log of the job
    if "TRACE" in os.environ:
        with Path(os.environ["TRACE"]).open("a") as file:
            file.write(f"{job.stage}:{job.name}\n")
    # In how many parts a data set is extracted changes nothing in what comes of it.
    exclude = {"extract": {"parts"}} if job.stage == "extract" else None
    what = settings.model_dump_json(exclude=exclude)
    told = f"{job.stage} {job.name} {what} {os.environ.get('SALT', '')}"
    digest = hashlib.sha256(told.encode())
    for path in inputs(job, settings):
        digest.update(path.read_bytes())
    if os.environ.get("KILL") == job.stage and not (killed := Path("killed", job.name)).exists():
        killed.mkdir(parents=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("PAUSE") == job.stage:
        time.sleep(300)
    for path in outputs(job):
        text = json.dumps({"digest": digest.hexdigest(), "file": path.name})
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "media":
            path.mkdir(exist_ok=True)
            for clip in ("a.mp4", "b.mp4"):
                (path / clip).write_text(text)
        elif path.name == "comparison.json":  # `equipoise show` compares the table with it
            from equipoise.evaluation.comparison import write_numbers

            numbers = {"data set": {"method": json.loads(text)}}
            write_numbers(path, numbers, path.with_suffix(".csv"))
        else:
            path.write_text(TABLE if path.name == "comparison.csv" else text)
        if os.environ.get("FAIL") == job.stage:
            raise RuntimeError("as asked")
