"""`memory://`: a temporary database of one client's own, never synced, and gone when the client is closed."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import otelq
from otelq.sqlite import adapter

from .conftest import opened

jobs = otelq.Jobs()


@jobs.job("double")
async def double(attempt: otelq.Attempt[int]) -> int:
    return 2 * attempt.input


URLS = ["memory://", "memory:", "sqlite://", "sqlite:///", "sqlite:///:memory:"]

PROGRAM = """
import asyncio, os, signal
import otelq

async def main():
    client = otelq.connect("memory://")
    await client.open()
    await client.start(otelq.JobType("a", input=int, output=int), 1)
    {end}

asyncio.run(main())
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("url", URLS)
async def test_a_worker_runs_jobs_and_the_files_go_when_the_client_is_closed(url: str, temporary: Path) -> None:
    async with otelq.connect(url) as client, otelq.Worker(client, jobs):
        assert await client.result(await client.start(double, 4), timeout=10) == 8
        assert files(temporary) == ["otelq.db", "otelq.db-shm", "otelq.db-wal"]
    assert files(temporary) == []


async def test_two_clients_share_nothing() -> None:
    async with otelq.connect("memory://") as one, otelq.connect("memory://") as other:
        chain = await one.start(double, 4)
        with pytest.raises(otelq.NotFound):
            await other.chain(chain)


async def test_a_client_that_is_opened_again_finds_an_empty_store() -> None:
    client = otelq.connect("memory://")
    async with client:
        await client.start(double, 4)
    async with client:
        assert await client.count() == otelq.Count(0, exact=True)


async def test_it_is_made_even_where_nothing_is_to_be_migrated() -> None:
    async with otelq.connect("memory://", migrate=False) as client:
        await client.start(double, 4)
        assert await client.count() == otelq.Count(1, exact=True)


async def test_nothing_is_synced() -> None:
    state = opened(adapter("memory://", synchronous="full"))
    await state.open()
    assert await state._database._write_thread.run(_synchronous) == 0
    async with state.begin() as tx:
        found = await tx.handle.execute("PRAGMA synchronous")
        assert await found.fetchone() == (0,)
    await state.close()


def _synchronous(connection: sqlite3.Connection) -> int:
    level: int = connection.execute("PRAGMA synchronous").fetchone()[0]
    return level


async def test_nobody_asks_it_for_what_other_processes_wrote() -> None:
    assert adapter("memory://").watch_interval is None


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "raise SystemExit(3)"], ids=["killed", "left"])
def test_a_process_that_ends_without_closing_leaves_little_behind(end: str, tmp_path: Path) -> None:
    program = [sys.executable, "-W", "ignore", "-c", PROGRAM.format(end=end)]
    done = subprocess.run(program, env=os.environ | {"TMPDIR": str(tmp_path)}, check=False, capture_output=True)

    left = [file for file in tmp_path.glob("otelq-*/*") if file.is_file()]
    assert done.returncode in (-signal.SIGKILL, 3)
    assert sum(file.stat().st_size for file in left) < 1_000_000
    assert not left or done.returncode != 3


async def test_where_no_file_can_be_made_the_error_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", f"{tmp_path}/nowhere")
    with pytest.raises(otelq.OtelqError, match=r"no folder for a temporary database.*set TMPDIR"):
        await otelq.connect("memory://").open()


@pytest.mark.parametrize("turns", range(1, 4))
async def test_an_open_that_is_cancelled_leaves_no_folder(turns: int, temporary: Path) -> None:
    client = otelq.connect("memory://")
    opening = asyncio.create_task(client.open())
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    assert opening.cancelled()
    assert os.listdir(temporary) == []
