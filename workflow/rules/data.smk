# From raw media to what models read: download, extract, split, audit, embed.

RAW = layout.raw("{dataset}")
FEATURES = paths(layout.features("{dataset}"))
SPLIT = paths(layout.split("{dataset}"))
AUDIT = paths(layout.audit("{dataset}"))
EMBED = paths(layout.embed("{dataset}"))


# A user's folder is an input; what it holds is compared as one digest among the params, so that a
# changed label, row or clip counts, and a new time of a file does not.
rule download:
    output:
        **paths(RAW, "manifest", "checksums"),
        media=directory(str(RAW["media"])),
    log:
        "logs/download/{dataset}.log",
    retries: 2
    conda:
        ENVIRONMENT
    threads: CORES
    params:
        settings=settings("download"),
        code=code("download"),
        origin=lambda wildcards: origin.digest(
            wildcards.dataset, PARAMS.datasets[wildcards.dataset].download
        ),
    message:
        "{wildcards.dataset}: fetch or make the raw media"
    shell:
        command("download")


# With extract.parts above 1: every N-th shard, on a node of its own. What it makes lies in state/,
# which survives a failed job; the record says that it is there, and goes when that was joined.
rule extract_part:
    input:
        **paths(RAW, "manifest", "checksums"),
    output:
        temp(str(layout.part("{dataset}", "{part}"))),
    log:
        "logs/extract/{dataset}/part{part}.log",
    conda:
        ENVIRONMENT
    threads: CORES
    params:
        settings=settings("extract"),
        code=code("extract"),
    message:
        "{wildcards.dataset}, part {wildcards.part}: decode the media into shards"
    shell:
        command("extract", "part")


# The list of checksums stands for the folder of media: content, not the age of a folder.
rule extract:
    input:
        **paths(RAW, "manifest", "checksums"),
        parts=parts_of,
    output:
        **FEATURES,
    log:
        "logs/extract/{dataset}.log",
    conda:
        ENVIRONMENT
    threads: CORES
    params:
        settings=settings("extract"),
        code=code("extract"),
    message:
        "{wildcards.dataset}: decode the media into arrays"
    shell:
        command("extract")


rule split:
    input:
        **paths(RAW, "manifest", "checksums"),
        features=FEATURES["features"],
    output:
        **SPLIT,
    log:
        "logs/split/{dataset}.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("split"),
        code=code("split"),
    message:
        "{wildcards.dataset}: assign the clips to training, validation and test"
    shell:
        command("split")


# Nothing is trained on what it says; the report is made with it.
rule audit:
    input:
        **paths(RAW, "manifest", "checksums"),
        **paths(FEATURES, "features", "rejects", "record"),
        split=SPLIT["split"],
        sides=SPLIT["record"],
    output:
        **AUDIT,
    log:
        "logs/audit/{dataset}.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("audit"),
        code=code("audit"),
    message:
        "{wildcards.dataset}: look for leaks, contradictions and cut clips"
    shell:
        command("audit")


# Only an encoder that is frozen as a whole is run here; where there is none, the store is empty.
rule embed:
    input:
        features=FEATURES["features"],
        split=SPLIT["split"],
    output:
        **EMBED,
    log:
        "logs/embed/{dataset}.log",
    conda:
        ENVIRONMENT
    threads: CORES
    params:
        settings=settings("embed"),
        code=code("embed"),
    message:
        "{wildcards.dataset}: run frozen encoders once"
    shell:
        command("embed")
