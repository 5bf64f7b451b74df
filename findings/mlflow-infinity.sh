#!/usr/bin/env bash
# MLflow gives an infinite loss back as a finite number.
#
# GUESS:     log_metric(inf) is refused, or read back as infinity, as NaN is read back as NaN.
# VERSION:   mlflow-skinny 3.17.2 with SQLAlchemy 2.0.58 and alembic 1.20.1 (SQLite).
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   a tracking store in a database keeps the largest double instead: 1.797e308, and minus that for
#            minus infinity. isinf() is false, isfinite() true, a filter "metrics.loss > 1e300" finds the
#            run, and a mean over seeds overflows. NaN stays NaN.
# Output:
#   loss  logged inf   read 1.7976931348623157e+308   isfinite True
#   gain  logged -inf  read -1.7976931348623157e+308  isfinite True
#   none  logged nan   read nan                       isfinite False
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'mlflow-skinny==3.17.2' 'sqlalchemy==2.0.58' 'alembic==1.20.1'
venv/bin/python - 2>log.txt <<'PY' || { cat log.txt >&2; exit 1; }
import math
import sys

import mlflow

logged = {"loss": math.inf, "gain": -math.inf, "none": math.nan}
mlflow.set_tracking_uri("sqlite:///tracking.db")
with mlflow.start_run() as run:
    mlflow.log_metrics(logged)
read = mlflow.get_run(run.info.run_id).data.metrics
for name, value in logged.items():
    print(f"{name}  logged {value!s:4}  read {read[name]!s:23}  isfinite {math.isfinite(read[name])}")
assert read["loss"] == sys.float_info.max
assert read["gain"] == -sys.float_info.max
assert math.isnan(read["none"])
PY
