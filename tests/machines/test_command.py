"""`python -m otelq_verify machines`, as a user runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from otelq.model import Created, NewJob
from otelq.sqlite.state import SqliteState
from otelq_verify.commands import main
from otelq_verify.machines import MACHINES


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["machines", *words])


async def forgets(state: SqliteState, jobs: Sequence[NewJob], **call: Any) -> Any:
    return [Created(chain_id=job.chain_id) for job in jobs], []


def test_it_runs_every_machine_and_says_what_they_made(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path}/jobs.db", "--examples", "1", "--steps", "5")

    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"ok    {machine.__name__}" for machine in MACHINES]


def test_it_shows_the_way_to_what_is_wrong() -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SqliteState, "create", forgets)
        result = run("memory://", "--only", "Dedup", "--examples", "50", "--steps", "5")

    assert result.exit_code == 1
    assert "FAIL  DedupMachine" in result.output
    assert "state = DedupMachine()" in result.output


def test_it_wants_a_number_of_examples() -> None:
    assert run("memory://", "--examples", "0").exit_code == 2
