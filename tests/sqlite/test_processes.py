"""Several processes on one file, killed while they hold leases."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from otelq.sqlite.state import SqliteState

from .shortcuts import job

WaitUntil = Callable[[Callable[[], bool]], None]
CHAINS = 200
KILLS = 6


@contextmanager
def worker(url: str, name: str, *, stdin: int) -> Generator[subprocess.Popen[str]]:
    """A worker process; killed at the end."""
    command = [sys.executable, "-m", "tests.sqlite.work", url, name]
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def settle_once_and_die_with_leases(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 0
    process.stdin.write("go on\n")
    process.stdin.flush()
    assert int(process.stdout.readline()) > 0
    process.kill()


async def test_killed_workers_lose_and_double_nothing(
    state: SqliteState, sqlite_url: str, file: Path, wait_until: WaitUntil
) -> None:
    jobs = [job("first", input=str(number)) for number in range(CHAINS)]
    await state.create(jobs)
    for number in range(KILLS // 2):
        with (
            worker(sqlite_url, f"left-{number}", stdin=subprocess.PIPE) as left,
            worker(sqlite_url, f"right-{number}", stdin=subprocess.PIPE) as right,
        ):
            settle_once_and_die_with_leases(left)
            settle_once_and_die_with_leases(right)
    connection = sqlite3.connect(file)
    with worker(sqlite_url, "last", stdin=subprocess.DEVNULL):
        wait_until(lambda: _number(connection, "SELECT count(*) FROM otelq_open_job") == 0)

    assert _number(connection, "SELECT count(*) FROM otelq_attempt WHERE verb = 'reap'") >= KILLS
    assert len(await state.outcomes([job.chain_id for job in jobs])) == CHAINS
    statuses = connection.execute(
        "SELECT position, status, count(*), count(DISTINCT chain_id) FROM otelq_outcome GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    assert statuses == [(0, "continued", CHAINS, CHAINS), (1, "completed", CHAINS, CHAINS)]
    assert _number(connection, TOKENS_USED_TWICE) == 0
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


TOKENS_USED_TWICE = """
SELECT count(*) FROM (
    SELECT chain_id, position, token FROM otelq_outcome UNION ALL SELECT chain_id, position, token FROM otelq_attempt
) GROUP BY chain_id, position, token HAVING count(*) > 1 LIMIT 1
"""


def _number(connection: sqlite3.Connection, sql: str) -> int:
    row: tuple[int] | None = connection.execute(sql).fetchone()
    return row[0] if row else 0
