# From models to the answer: evaluate, compare.

EVALUATE = paths(layout.evaluate("{dataset}", "{method}", "{seed}"))


rule evaluate:
    input:
        manifest=str(RAW["manifest"]),
        features=FEATURES["features"],
        split=SPLIT["split"],
        embeddings=EMBED["embeddings"],
        weights=rules.train.output.weights,
        model=rules.train.output.model,
    output:
        **EVALUATE,
    log:
        "logs/evaluate/{dataset}/{method}/seed{seed}.log",
    conda:
        ENVIRONMENT
    threads: 1
    params:
        settings=settings("evaluate"),
        code=code("evaluate"),
    message:
        "{wildcards.dataset}, {wildcards.method}, seed {wildcards.seed}: evaluate"
    shell:
        command("evaluate")


COMPARE = paths(layout.compare())


rule compare:
    input:
        evaluated=grid(*EVALUATE.values()),
        trained=grid(rules.train.output.model, rules.train.output.history),
        gaps=grid(*GAP.values()),
        searched=grid(*SEARCH.values()),
        warmups=grid(WARMUP["model"], WARMUP["history"]),
        splits=grid(*SPLIT.values()),
        extracted=grid(FEATURES["rejects"], FEATURES["record"], FEATURES["samples"]),
        audits=grid(*AUDIT.values()),
        manifests=grid(str(RAW["manifest"])),
    output:
        metrics=COMPARE["metrics"],
        curves=COMPARE["curves"],
        crate=COMPARE["crate"],
        table=report(COMPARE["table"], category="Comparison"),
        report=report(COMPARE["report"], category="Comparison"),
    log:
        "logs/compare/compare.log",
    conda:
        ENVIRONMENT
    params:
        settings=settings("compare"),
        code=code("compare"),
    message:
        "compare all runs: table, curves, report"
    shell:
        command("compare")
