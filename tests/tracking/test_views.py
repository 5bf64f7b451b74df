"""An experiment offers the comparison of its methods as links."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from tracked import Settings

from equipoise import tracking
from equipoise.stages.job import Job
from equipoise.tracking import names, views

JOB = Job("train", "toy", "lfm-heuristic", seed=3)


def experiment() -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking.store_uri()).get_experiment_by_name("toy")


def track() -> None:
    with tracking.run(JOB, Settings()):
        pass


def test_the_links_lead_to_views_that_exist(project: Path) -> None:
    track()
    tags, number = experiment().tags, experiment().experiment_id
    addresses = [part.partition(")")[0] for part in tags[views.NOTE].split("](")[1:]]
    assert len(addresses) == len(views.VIEWS) == 2
    for address in addresses:
        page, _, query = address.partition("?")
        assert page == f"#/experiments/{number}/runs"
        (key,) = parse_qs(query)["viewStateShareKey"]
        shown = json.loads(tags[views.TAG + key])
        assert shown["searchFilter"] == f"tags.stage = '{JOB.stage}'"
        for group in shown.get("groupBy", {}).get("groupByKeys", []):
            assert names.tags_of(JOB, Settings())[group["groupByData"]] == JOB.method


def test_a_description_of_the_user_stays(project: Path) -> None:
    from mlflow import MlflowClient

    track()
    client, number = MlflowClient(tracking_uri=tracking.store_uri()), experiment().experiment_id
    client.set_experiment_tag(number, views.NOTE, "mine")
    client.set_experiment_tag(number, f"{views.TAG}methods", "of an older version")
    track()
    assert experiment().tags[views.NOTE] == "mine"
    assert json.loads(experiment().tags[f"{views.TAG}methods"])["groupBy"]


def test_views_that_cannot_be_made_cost_no_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuse(*_: object) -> None:
        raise MlflowException("no")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    track()
    assert MlflowClient(tracking_uri=tracking.store_uri()).search_runs([experiment().experiment_id])
    assert list(Path("state/tracking").iterdir()) == []
