"""`python -m otelq_verify interleave`, as a user runs it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from otelq_verify.commands import main
from otelq_verify.interleave import ANYWHERE, BY_STATEMENT

from ..servers import PostgresServer


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["interleave", *words])


def names(result: Result) -> list[str]:
    return [line.split(":")[0].split()[1] for line in result.output.splitlines() if line.startswith("ok ")]


def test_it_plays_the_named_cases_and_runs_the_machine(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path}/jobs.db", "--examples", "1", "--steps", "3")

    assert result.exit_code == 0, result.output
    assert names(result) == [*(case.name for case in ANYWHERE), "InterleavingMachine"]


def test_on_postgresql_it_plays_those_that_stop_before_every_statement(postgres18: PostgresServer) -> None:
    url = postgres18.create_migrated_database()

    result = run(url, "--only", "idle_transaction")

    postgres18.drop_database(url)
    assert result.exit_code == 0, result.output
    assert names(result) == [case.name for case in BY_STATEMENT if "idle_transaction" in case.name]


def test_it_wants_a_store_that_others_can_reach() -> None:
    result = run("memory://")

    assert result.exit_code == 2
    assert "processes can share" in result.output
