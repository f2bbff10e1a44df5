"""`python -m otelq_verify machines`, as a user runs it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from otelq_verify.commands import main
from otelq_verify.machines import MACHINES

from ..conformance.faults import FAULTS


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["machines", *words])


def test_it_runs_every_machine_and_says_what_they_made(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path}/jobs.db", "--examples", "1", "--steps", "5")

    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"ok    {machine.__name__}" for machine in MACHINES]


def test_it_shows_the_way_to_what_is_wrong() -> None:
    (fault,) = (fault for fault in FAULTS if fault.name == "makes_illegal_moves")
    with fault.planted():
        result = run("memory://", "--only", "Dedup", "--examples", "50", "--steps", "5")

    assert result.exit_code == 1
    assert "FAIL  DedupMachine" in result.output
    assert "state = DedupMachine()" in result.output


def test_it_wants_a_number_of_examples() -> None:
    assert run("memory://", "--examples", "0").exit_code == 2
