"""`python -m otelq_verify crashpoints`, as a user runs it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otelq.model import NewJob
from otelq.sqlite import adapter
from otelq_verify.commands import main
from tests.servers import PostgresServer

from .conftest import SCHEMA

CHAIN = "01a1f845-d300-7000-8000-000000000001"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["crashpoints", *words])


async def _start(url: str) -> None:
    state = adapter(url, schema=SCHEMA)
    await state.open()
    await state.create([NewJob(chain_id=CHAIN, type="work", input="1")])
    await state.close()


def test_it_prints_a_row_for_each_scenario_and_that_all_survived(tmp_path: Path) -> None:
    results = [run(f"sqlite:///{tmp_path}/jobs.db", "--only", "renew") for _ in range(2)]

    assert [result.exit_code for result in results] == [0, 0], results[0].output
    assert results[0].output.startswith("ok    renew leases (renew): ")
    assert results[0].output.endswith("points: all survived\n")


def test_it_reaches_postgresql_by_its_url(postgres18: PostgresServer) -> None:
    url = postgres18.create_migrated_database()
    result = run(url, "--only", "release a claim")
    postgres18.drop_database(url)

    assert result.exit_code == 0, result.output
    assert "1 scenarios, 1 statements, 5 points: all survived" in result.output


def test_it_refuses_a_schema_that_holds_jobs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    asyncio.run(_start(url))

    result = run(url, "--only", "renew")

    assert result.exit_code == 1
    assert f"is '{SCHEMA}', which holds jobs" in result.output


@pytest.mark.parametrize("url", ["memory://", "sqlite://", "mysql://localhost/jobs"])
def test_it_refuses_what_processes_cannot_share(url: str) -> None:
    result = run(url)

    assert result.exit_code == 1
    assert "url: " in result.output
