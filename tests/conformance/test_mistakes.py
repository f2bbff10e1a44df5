"""The commands of `python -m otelq_verify` answer what is wrong with one sentence, and clean up if interrupted."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otelq_verify.commands import main
from otelq_verify.torture.fleet import wait_for

COMMANDS = sorted(main.commands)
LOOKED_THROUGH = [command for command in COMMANDS if command != "torture"]
MANY = {"machines": ["--examples", "10000"], "interleave": ["--examples", "10000"], "torture": ["--seconds", "600"]}


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_cannot_be_opened_is_told_in_one_sentence(command: str, tmp_path: Path) -> None:
    result = run(command, f"sqlite:///{tmp_path}/nowhere/app.db")

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), "it ended with a traceback"
    assert result.output.splitlines()[-1].endswith(f"the directory {tmp_path}/nowhere does not exist")


@pytest.mark.parametrize("url", ["memory://", "sqlite://", "sqlite:///:memory:"])
@pytest.mark.parametrize("command", ["crashpoints", "interleave", "torture"])
def test_what_one_process_keeps_for_itself_is_refused(command: str, url: str) -> None:
    result = run(command, url)

    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit), "it ended with a traceback"
    assert "; give one" in result.output


@pytest.mark.parametrize("command", LOOKED_THROUGH)
def test_a_name_that_nothing_has_is_a_mistake_and_no_success(command: str, tmp_path: Path) -> None:
    result = run(command, f"sqlite:///{tmp_path}/app.db", "--only", "no such name")

    assert result.exit_code == 2
    assert "has 'no such name' in its name" in result.output


@pytest.mark.timeout(120)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupted_run_ends_its_processes_and_leaves_no_jobs(command: str, tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    words = [sys.executable, "-m", "otelq_verify", command, f"sqlite:///{file}", *MANY.get(command, [])]
    output = tmp_path / "output"
    with output.open("wb") as sink:
        run = subprocess.Popen(
            words, stdout=sink, stderr=sink, start_new_session=True, env={**os.environ, "TMPDIR": str(tmp_path)}
        )
    try:
        wait_for(lambda: _jobs(file), "there are jobs")
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(60) == 1
    finally:
        run.kill()
        run.wait()
    assert output.read_text().endswith("Aborted!\n")
    assert "Traceback" not in output.read_text()
    assert _jobs(file) == 0
    assert not _has_members(run.pid)
    assert not list(tmp_path.glob("otelq-*"))


def _jobs(file: Path) -> int:
    """How many jobs are stored in all schemas of a file, without waiting for anybody."""
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'otelq%\\_job' ESCAPE '\\'")
        tables = [name for (name,) in names if not name.endswith("open_job")]
        return sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
