# From arrays to models: warmup, gap, search, train. One thread each, so that jobs run side by side;
# `--set-threads train=8` gives them more, `--set-resources train:gpu=1 --resources gpu=1` lets
# them share one GPU in turn (the cluster profile sets both).

WARMUP = paths(layout.warmup("{dataset}", "{seed}"))
GAP = paths(layout.gap("{dataset}", "{seed}"))
SEARCH = paths(layout.search("{dataset}", "{method}"))


rule warmup:
    input:
        features=FEATURES["features"],
        split=SPLIT["split"],
        embeddings=EMBED["embeddings"],
    output:
        **WARMUP,
    log:
        "logs/warmup/{dataset}/seed{seed}.log",
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=settings("warmup"),
        code=code("warmup"),
    message:
        "{wildcards.dataset}, seed {wildcards.seed}: train jointly as warm-up"
    shell:
        command("warmup")


rule gap:
    input:
        features=FEATURES["features"],
        split=SPLIT["split"],
        embeddings=EMBED["embeddings"],
        weights=WARMUP["weights"],
        model=WARMUP["model"],
    output:
        **{**GAP, "histogram": report(GAP["histogram"], category="Modality gap")},
    log:
        "logs/gap/{dataset}/seed{seed}.log",
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=settings("gap"),
        code=code("gap"),
    message:
        "{wildcards.dataset}, seed {wildcards.seed}: measure modality gaps and fit the mixture"
    shell:
        command("gap")


rule search:
    input:
        unpack(train_inputs),
    output:
        **SEARCH,
    log:
        "logs/search/{dataset}/{method}.log",
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=settings("search"),
        code=code("search"),
    message:
        "{wildcards.dataset}, {wildcards.method}: choose hyper-parameters"
    shell:
        command("search")


rule train:
    input:
        unpack(train_inputs),
        chosen=SEARCH["chosen"],
    output:
        **paths(layout.train("{dataset}", "{method}", "{seed}")),
    log:
        "logs/train/{dataset}/{method}/seed{seed}.log",
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=settings("train"),
        code=code("train"),
    message:
        "{wildcards.dataset}, {wildcards.method}, seed {wildcards.seed}: train"
    shell:
        command("train")
