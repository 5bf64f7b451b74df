"""Slurm that does not answer for a while."""

import asyncio
import importlib
import inspect
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def outages(monkeypatch):
    scripts = Path(__file__).resolve().parents[2] / "workflow/scripts"
    monkeypatch.setattr(sys, "path", [str(scripts), *sys.path])
    return importlib.import_module("outages")


def test_no_answer_is_waited_for_and_said_once(outages, monkeypatch):
    said = []
    logger = SimpleNamespace(warning=said.append)
    answers = iter([(None, None), (None, None), ({"7": "RUNNING"}, 0.1)])

    async def query(command, logger):
        assert command == "squeue"
        return next(answers)

    ages = iter([300])
    plugin = SimpleNamespace(query_job_status=query, get_min_job_age=lambda: next(ages))
    monkeypatch.setattr(outages, "SECONDS", 0)
    outages.wait_out(plugin)
    answer = asyncio.run(plugin.query_job_status("squeue", logger))
    assert answer == ({"7": "RUNNING"}, 0.1)
    assert said == ["Slurm does not answer; asking until it does"]
    assert plugin.get_min_job_age() == 300, "asked once, while Slurm answered"


def test_the_plugin_asks_by_the_two_functions_that_are_replaced():
    import snakemake_executor_plugin_slurm as plugin

    assert inspect.iscoroutinefunction(plugin.query_job_status)
    asks = inspect.getsource(plugin.Executor.check_active_jobs)
    assert "await query_job_status(" in asks and "get_min_job_age()" in asks
