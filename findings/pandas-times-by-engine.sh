#!/usr/bin/env bash
# The engine that pandas reads a CSV with decides whether a start time is a text.
#
# GUESS:     engine="pyarrow" of read_csv is the default engine, only faster.
# VERSION:   pandas 3.1.1, PyArrow 25.0.1, NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   the default engine leaves "00:01:30" and "2026-01-02" as texts. With PyArrow's they become
#            datetime.time and datetime.date objects. Joining with a table that the other engine read finds
#            nothing, and splitting a start time at ":" fails. "01:02:75", no time of a day, keeps the whole
#            column a text, so the type depends on the rows.
# Output (type of "start", of "day", of a "start" with 01:02:75 in it; rows that join):
#   c        str   str   str
#   pyarrow  time  date  str
#   joined: 0 of 2
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'pandas==3.1.1' 'pyarrow==25.0.1' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import pandas

with open("clips.csv", "w") as out:
    out.write("clip,start,day\na,00:01:30,2026-01-02\nb,00:02:00,2026-01-03\n")
with open("odd.csv", "w") as out:
    out.write("clip,start\na,00:01:30\nb,01:02:75\n")
tables, seen = {}, {}
for engine in ("c", "pyarrow"):
    tables[engine] = table = pandas.read_csv("clips.csv", engine=engine)
    odd = pandas.read_csv("odd.csv", engine=engine)
    cells = table["start"][0], table["day"][0], odd["start"][0]
    seen[engine] = [type(cell).__name__ for cell in cells]
    print("{:8} {:5} {:5} {}".format(engine, *seen[engine]))
joined = int(tables["c"]["start"].isin(set(tables["pyarrow"]["start"])).sum())
print(f"joined: {joined} of 2")
assert seen == {"c": ["str", "str", "str"], "pyarrow": ["time", "date", "str"]}
assert joined == 0
PY
