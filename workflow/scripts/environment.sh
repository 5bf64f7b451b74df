# Sourced by the scripts here: the project folder, and the programs of its .venv if no other
# installation is active.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# `dvc exp run --temp` and `--queue` work in a copy below .dvc/tmp/exps, which has no .venv, and
# which is deleted together with an mlflow.db made there.
home=${PWD%%/.dvc/tmp/exps/*}
command -v snakemake > /dev/null || PATH="$home/.venv/bin:$PATH"
if [[ $home != "$PWD" && -f $home/mlflow.db ]]; then
    export MLFLOW_TRACKING_URI=${MLFLOW_TRACKING_URI-sqlite:///$home/mlflow.db}
fi
export PYTHONPATH="$PWD/src:$PWD/workflow/scripts${PYTHONPATH:+:$PYTHONPATH}"
