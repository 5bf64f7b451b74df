"""The result table in the terminal, read back from comparison.csv."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise import layout, vouch
from equipoise.errors import UserError
from equipoise.evaluation.collect import read_strings
from equipoise.evaluation.comparison import LEADING, read_numbers
from equipoise.evaluation.findings import p_text, signed

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    Record = dict[str, str]
    Columns = dict[str, list[str]]

WIDEST = 140


def format_table(path: Path, markdown: bool = False, differences: bool = False) -> str:
    """Return comparison.csv as text: one table for each data set, mean ± half the interval in %.

    Where the report and the MLflow store are stands below, except in Markdown.

    Args:
        path: comparison.csv of stage compare.
        markdown: As Markdown, without a limit to the width.
        differences: With the paired difference to the baseline in points, its interval and Holm's
            p-value, and the cost of training in place of macro-F1 and the modality gap.

    Raises:
        UserError: No such file, or not a comparison.
    """
    from rich.console import Console

    table = read_strings(path)
    columns = list(table.columns)
    if tuple(columns[: len(LEADING)]) != LEADING or "modality_gap" not in columns or table.empty:
        raise UserError(f"{path}: not a comparison; run `equipoise compare`")
    _expect_whole(path, table)
    modalities = columns[len(LEADING) : columns.index("modality_gap")]
    shown = ["accuracy", *modalities]
    if not differences:
        shown = ["accuracy", "macro_f1", *modalities, "modality_gap"]
    width = max(min(shutil.get_terminal_size((100, 24)).columns, WIDEST), 60)
    width = 1000 if markdown else width
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        for name, group in table.groupby("dataset", sort=False):
            records = _records(group)
            values = _values(records, shown)
            if differences:
                values |= _differences(records)
            console.print(_table(str(name), records, values, markdown))
    if markdown:
        return "\n".join(line.rstrip() for line in capture.get().strip().splitlines())
    return "\n".join([capture.get().rstrip(), "", *places(path)])


def _expect_whole(path: Path, table: pd.DataFrame) -> None:
    """Refuse a table that was cut, or is not the one for which comparison.json vouches.

    Raises:
        UserError: It is.
    """
    cut = f"{path}: cut or damaged; restore it (git checkout -- {path}) or run `equipoise compare`"
    if table.isna().any(axis=None) or not path.read_bytes().endswith(b"\n"):
        raise UserError(cut)
    numbers = set(table.columns) - {"dataset", "method", "variant", "key", "selection", "control"}
    for name in sorted(numbers):
        if not table[name].map(_is_number).all():
            raise UserError(cut)
    known = path.with_suffix(".json")
    if known.exists():
        vouch.expect(path, read_numbers(known), known)


def _is_number(cell: str) -> bool:
    try:
        float(cell or 0)
    except ValueError:
        return False
    return True


def _records(table: pd.DataFrame) -> list[Record]:
    return [{str(k): str(v) for k, v in record.items()} for record in table.to_dict("records")]


def places(table: Path) -> list[str]:
    """Return the lines that say where the report and the MLflow store are."""
    from equipoise.tracking import shown_uri

    report = table.parent / layout.compare()["report"].name
    return [f"report: {report.resolve()}", f"MLflow: {shown_uri()} (make ui)"]


def _table(dataset: str, records: list[Record], columns: Columns, markdown: bool) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    level, seeds = float(records[0]["level"]), int(records[0]["seeds"])
    title = f"{escape(dataset)}: test split, %, mean"
    if seeds > 1:
        title += f" ± {100 * level:g} % interval over {seeds} seeds"
    else:
        title += " of one seed: no interval"
    table = Table(
        title=title, title_justify="left", box=box.MARKDOWN if markdown else box.SIMPLE_HEAD
    )
    table.add_column("method", no_wrap=True)
    for heading in columns:
        table.add_column(heading, justify="right")
    for index, record in enumerate(records):
        oracle = "oracle_test" in record.get("selection", "")
        label = record["key"] + (" (chosen on test)" if oracle else "")
        table.add_row(escape(label), *(column[index] for column in columns.values()))
    return table


def _values(records: list[Record], names: list[str]) -> Columns:
    return {
        _heading(name): [_plus_minus(record, name) for record in records]
        for name in names
        if any(record[name] for record in records)
    }


def _differences(records: list[Record]) -> Columns:
    from equipoise.evaluation.cost import relative_costs

    # Only the baseline is not compared with itself.
    baseline = next((r["key"] for r in records if not r["difference"]), records[0]["key"])
    costs = relative_costs(records[0]["dataset"], [r["key"] for r in records], baseline)
    return {
        f"difference to {baseline}": [_difference(record) for record in records],
        "p (Holm)": [_p_value(record) for record in records],
        "cost": [f"{costs[r['key']]:.1f}" if r["key"] in costs else "–" for r in records],
    }


def _heading(name: str) -> str:
    if name.startswith("accuracy_"):
        return f"{name.removeprefix('accuracy_')} alone"
    return {"macro_f1": "macro-F1", "modality_gap": "modality gap"}.get(name, name)


def _plus_minus(record: Record, name: str) -> str:
    if not record[name]:
        return "–"
    mean = f"{100 * float(record[name]):.1f}"
    low, high = record[f"{name}_low"], record[f"{name}_high"]
    return f"{mean} ± {50 * (float(high) - float(low)):.1f}" if low and high else mean


def _difference(record: Record) -> str:
    if not record["difference"]:
        return "–"
    mean, low, high = (
        signed(float(record[name])) if record[name] else ""
        for name in ("difference", "difference_low", "difference_high")
    )
    return f"{mean} [{low}, {high}]" if low and high else mean


def _p_value(record: Record) -> str:
    return p_text(float(record["p_value_holm"])) if record["p_value_holm"] else "–"
