"""Every parameter of the project: names, types, limits, meaning. There is no other definition.

``params.yaml`` holds the values (Snakemake, DVC and the command line all read that file), overlays
in ``configs/`` change some of them, ``workflow/schemas/params.schema.json`` is generated from here.
"""

from equipoise.params.files import apply, load, parse, parse_json, read_yaml, schema
from equipoise.params.grid import DatasetEntry, Methods, Params
from equipoise.params.jobs import (
    JOBS,
    AuditJob,
    CompareJob,
    DownloadJob,
    EmbedJob,
    ExtractJob,
    SearchJob,
    SplitJob,
    TrainJob,
    WarmupJob,
    job_settings,
)
from equipoise.params.sections import (
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
from equipoise.section import Section, explain, overlay

__all__ = [
    "JOBS",
    "AuditJob",
    "Compare",
    "CompareJob",
    "DatasetEntry",
    "DownloadJob",
    "EmbedJob",
    "Encoder",
    "Evaluate",
    "Extract",
    "ExtractJob",
    "Gap",
    "Methods",
    "Model",
    "Params",
    "Runtime",
    "Search",
    "SearchJob",
    "Section",
    "Split",
    "SplitJob",
    "Train",
    "TrainJob",
    "Warmup",
    "WarmupJob",
    "apply",
    "explain",
    "job_settings",
    "load",
    "overlay",
    "parse",
    "parse_json",
    "read_yaml",
    "schema",
]
