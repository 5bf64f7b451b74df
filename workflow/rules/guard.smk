# Warns when files are not those of the last Snakemake run (dvc pull, git checkout, an edit): its
# records then tell of other files, and a change of a parameter would go unnoticed.

import provenance

# Under DVC, which removes what a cell is to make and records it; and in sync.
QUIET = bool(os.environ.keys() & {"DVC_STAGE", "EQUIPOISE_SYNC"})


def guard():
    if QUIET or "--mode" in sys.argv:  # within a job
        return
    foreign = provenance.foreign(PARAMS)
    if foreign:
        message = (
            f"{len(foreign)} file(s), e.g. {foreign[0]}, are not those of the last Snakemake run "
            "(dvc pull or git checkout?): run workflow/scripts/sync first, or delete them"
        )
        if "EQUIPOISE_RECORD" in os.environ:
            sys.exit(f"error: {message}")
        print(f"WARNING: {message}", file=sys.stderr)


def remind_of_record():
    """After a run, where DVC is in use; record is not for the results of overlays."""
    if not QUIET and Path("dvc.lock").exists() and not OVERLAYS:
        print("Not yet in dvc.lock: workflow/scripts/record", file=sys.stderr)


guard()
