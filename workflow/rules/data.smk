# From raw media to arrays: download, extract, split.

RAW = layout.raw("{dataset}")
FEATURES = paths(layout.features("{dataset}"))
SPLIT = paths(layout.split("{dataset}"))


rule download:
    input:
        code=code("download"),
    output:
        **paths(RAW, "manifest", "checksums"),
        media=directory(str(RAW["media"])),
    log:
        "logs/download/{dataset}.log",
    retries: 2
    threads: CORES
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        settings=settings("download"),
    message:
        "{wildcards.dataset}: fetch or make the raw media"
    shell:
        command("download")


# The list of checksums stands for the folder of media: content, not the age of a folder.
rule extract:
    input:
        **paths(RAW, "manifest", "checksums"),
        code=code("extract"),
    output:
        **FEATURES,
    log:
        "logs/extract/{dataset}.log",
    threads: CORES
    resources:
        mem_mb=8000,
        runtime=720,
    params:
        settings=settings("extract"),
    message:
        "{wildcards.dataset}: decode the media into arrays"
    shell:
        command("extract")


rule split:
    input:
        manifest=str(RAW["manifest"]),
        features=FEATURES["features"],
        code=code("split"),
    output:
        **SPLIT,
    log:
        "logs/split/{dataset}.log",
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("split"),
    message:
        "{wildcards.dataset}: assign the clips to training, validation and test"
    shell:
        command("split")
