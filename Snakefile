from snakemake.utils import min_version

min_version("9.14")


# For `--sdm apptainer`, built from envs/equipoise.def. Holds for the rules that follow it.
container: "envs/equipoise.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/guard.smk"


localrules:
    all,
    compare,


# One trial per method needs no training: nothing to queue for.
if PARAMS.search.trials == 1:

    localrules:
        search,


# Nor does an empty store of embeddings.
if not any(PARAMS.embedded(dataset) for dataset in PARAMS.datasets):

    localrules:
        embed,


# Must stand in this file: `default_target` in an included file is ignored.
rule all:
    default_target: True
    input:
        rules.compare.output,
    message:
        "everything is done"


onstart:
    init_tracking()
    prepare_cluster()
    start_forkserver()


onsuccess:
    provenance.note_in_git()
    import_tracked()
    remind_of_record()


onerror:
    import_tracked()
