"""The comparison everybody wants, two clicks away in the MLflow UI: experiment, link.

An experiment's description gets a link to each of :data:`VIEWS`. What a view shows is kept as
MLflow keeps the views that users share ("Views" in the UI): as a tag of the experiment. Read from
the source of MLflow 3.17's user interface; a version that knows no such tag shows plain charts.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "mlflow.sharedViewState."
NOTE = "mlflow.note.content"
_CURVES = {
    "searchFilter": "tags.stage = 'train'",
    "runsHiddenMode": "SHOW_ALL",
    "chartsSearchFilter": "val/",
}
_BY_METHOD = {
    "aggregateFunction": "average",
    "groupByKeys": [{"mode": "tag", "groupByData": "method"}],
}
#: Title of the link, key of the view, what it shows.
VIEWS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("methods (mean over seeds)", "methods", {**_CURVES, "groupBy": _BY_METHOD}),
    ("methods × seeds", "seeds", _CURVES),
)


def add(client: MlflowClient, experiment: str, tags: Mapping[str, str]) -> None:
    """Give an experiment its views and the links to them; a description it has already stays.

    Args:
        client: Speaks to the store.
        experiment: Id.
        tags: Of the experiment, as they are.
    """
    from mlflow.exceptions import MlflowException

    links = (f"[{title}]({_address(experiment, key)})" for title, key, _ in VIEWS)
    wanted = {TAG + key: json.dumps(shown) for _, key, shown in VIEWS}
    wanted[NOTE] = tags.get(NOTE) or f"Learning curves: {', '.join(links)}"
    # Of several first jobs that do this at once a data base may refuse all but one.
    with contextlib.suppress(MlflowException):
        for tag, value in wanted.items():
            if tags.get(tag) != value:
                client.set_experiment_tag(experiment, tag, value)


def _address(experiment: str, key: str) -> str:
    options = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={key}"
    return f"#/experiments/{experiment}/runs?{options}"
