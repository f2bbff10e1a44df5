"""The list of workers on SQLite: killed processes are left out, and idle workers write nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import otelq
from otelq.model import WorkerBeat
from otelq.sqlite.state import SqliteState

from .conftest import Open

jobs = otelq.Jobs()


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


def beat(id: str, *, pid: int, host: str) -> WorkerBeat:
    return WorkerBeat(id=id, name=id, host=host, pid=pid, version="1", slots=1)


async def test_a_killed_worker_of_this_machine_is_left_out_at_once(another: Open) -> None:
    state = await another()
    here = socket.gethostname()
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    await state.beat([beat("killed", pid=other.pid, host=here), beat("mine", pid=os.getpid(), host=here)])
    assert {worker.id for worker in await state.workers()} == {"killed", "mine"}
    other.kill()
    await other.wait()
    assert [worker.id for worker in await state.workers()] == ["mine"]
    await state.beat([beat("far", pid=other.pid, host="elsewhere.example")])
    assert {worker.id for worker in await state.workers()} == {"mine", "far"}


async def test_a_row_with_a_pid_that_no_process_can_have_harms_nothing(another: Open, file: Path) -> None:
    state = await another()
    await state.beat([beat(f"{n}", pid=pid, host=socket.gethostname()) for n, pid in enumerate((0, -1, 2**62))])
    assert {worker.id for worker in await state.workers()} <= {"0", "1", "2"}


async def test_an_idle_worker_writes_once_when_it_starts_and_once_when_it_stops(another: Open, file: Path) -> None:
    state = await another()
    with closing(sqlite3.connect(file)) as observer:

        def version() -> int:
            found: int = observer.execute("PRAGMA data_version").fetchone()[0]
            return found

        async with otelq.connect(f"sqlite:///{file}") as client:
            before = version()
            async with otelq.Worker(client, jobs) as worker:
                while not await state.workers():  # noqa: ASYNC110  # another connection writes
                    await asyncio.sleep(0.002)
                started = version()
                assert worker._current is not None  # pyright: ignore[reportPrivateUsage]  # to run rounds without a wait
                keeper = worker._current.keeper
                for _ in range(50):
                    keeper.wake()
                    await asyncio.sleep(0.002)
                assert version() == started > before
            assert version() > started


async def test_asking_in_vain_to_lead_writes_nothing(another: Open, file: Path) -> None:
    state = await another()
    assert isinstance(state, SqliteState)
    assert await state.lead("sweep", holder="one", seconds=30)
    with closing(sqlite3.connect(file)) as observer:
        version = "PRAGMA data_version"
        before = observer.execute(version).fetchone()
        assert await state.lead("sweep", holder="two", seconds=30) is None
        assert observer.execute(version).fetchone() == before
