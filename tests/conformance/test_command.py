"""`python -m otelq_verify conformance`, as a user runs it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from click.testing import CliRunner, Result

from otelq.model import NewJob
from otelq.sqlite import adapter
from otelq_verify.commands import main
from otelq_verify.commands.stores import SCHEMA

from .notify_faults import NOTIFY_FAULTS

CHAIN = "01a1f845-d300-7000-8000-000000000001"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["conformance", *words])


async def _start(url: str, *, schema: str) -> None:
    state = adapter(url, schema=schema)
    await state.open()
    await state.create([NewJob(chain_id=CHAIN, type="work", input="1")])
    await state.close()


async def _exists(url: str, *, schema: str) -> bool:
    state = adapter(url, schema=schema)
    await state.open()
    outcomes = await state.outcomes([CHAIN])
    await state.close()
    return CHAIN in outcomes


def test_it_prints_a_table_and_the_count(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path}/jobs.db", "--only", "retry.")

    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "sqlite: 5 of 5 promises kept"


def test_what_is_a_store_and_a_notifier_gets_two_reports() -> None:
    result = run("memory://", "--only", ".begin")

    assert result.exit_code == 0
    assert "sqlite: " in result.output
    assert "of the notifier 7 cases are not run" in result.output
    assert result.output.splitlines()[-1] == "memory notifier: 3 of 3 promises kept"


def test_a_notifier_that_breaks_a_promise_is_shown() -> None:
    (fault,) = (fault for fault in NOTIFY_FAULTS if fault.name == "closes_once")
    with fault.planted():
        result = run("memory://", "--only", "lifecycle.end_twice")

    assert result.exit_code == 1
    assert "FAIL  lifecycle.end_twice" in result.output
    assert "but: RuntimeError: closed already" in result.output


def test_it_runs_some_cases_again_and_again_beside_the_jobs_that_are_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    asyncio.run(_start(url, schema="otelq"))

    results = [run(url, "--only", "retry.") for _ in range(2)]

    assert [result.exit_code for result in results] == [0, 0], results[0].output
    assert "retry.may_be_at_once" in results[0].output
    assert asyncio.run(_exists(url, schema="otelq"))


def test_it_refuses_a_schema_that_holds_jobs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    asyncio.run(_start(url, schema=SCHEMA))

    result = run(url, "--only", "retry.")

    assert result.exit_code == 1
    assert f"the schema {SCHEMA} holds jobs" in result.output
    assert asyncio.run(_exists(url, schema=SCHEMA))


def test_it_names_the_adapters_that_there_are() -> None:
    result = run("mysql://localhost/jobs")

    assert result.exit_code == 2
    assert "no adapter for mysql: is installed; known are memory" in result.output
