"""Worker processes are started again, replaced, stopped, and never left behind, and no job is lost with them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import pytest

import otelq
from otelq.cli.options import WorkerOptions
from otelq.cli.supervisor import Limits, Supervisor
from otelq.errors import OtelqError

from ..behaviour.support import until
from .shell import read_until, started

SHOP = '''
import asyncio
import os
import signal
from pathlib import Path

import otelq

jobs = otelq.Jobs()


@jobs.job("process")
async def process(attempt: otelq.Attempt[None]) -> int:
    return os.getpid()


@jobs.job("linger", lease=1.0)
async def linger(attempt: otelq.Attempt[float]) -> int:
    """Ends `input` seconds after its worker began to stop; at once where an earlier attempt crashed."""
    if attempt.number == 1:
        print("lingering", flush=True)
        Path("running").write_text(str(os.getpid()))
        await attempt.stopping.wait()
        print("asked to stop", flush=True)
        await asyncio.sleep(attempt.input)
    return os.getpid()


@jobs.job("fork")
async def fork(attempt: otelq.Attempt[None]) -> list[int]:
    """Leaves a process behind that holds all files of its worker."""
    child = os.fork()
    if child == 0:
        signal.pause()
    return [os.getpid(), child]
'''

process = otelq.JobType("process", input=type(None), output=int)
linger = otelq.JobType("linger", input=float, output=int)
fork = otelq.JobType("fork", input=type(None), output=list[int])


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an application in it, which is the current one."""
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@asynccontextmanager
async def supervised(
    url: str, *targets: str, processes: int = 1, limits: Limits | None = None
) -> AsyncGenerator[Supervisor]:
    """A supervisor in this process, once all of its processes run."""
    options = WorkerOptions(targets=targets or ("shop:jobs",), url=url, poll_interval=0.05, log_level="warning")
    supervisor = Supervisor(options, processes=processes, limits=limits)
    run = asyncio.create_task(supervisor.run())
    try:
        await until(lambda: all(child and child.has_started for child in supervisor._current.values()) or run.done())
        yield supervisor
    finally:
        supervisor.request_stop()
        await run


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def pids(supervisor: Supervisor) -> dict[int, int]:
    return {number: child.pid for number, child in supervisor._current.items() if child is not None}


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
async def test_the_job_of_a_killed_process_runs_again_and_a_new_process_starts(
    backend: str, shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with otelq.connect(backend) as client, supervised(backend, processes=2) as supervisor:
        before = pids(supervisor)
        chain = await client.start(linger, 0.0)
        await until(lambda: (shop / "running").exists() and (shop / "running").read_text() != "")
        running = int((shop / "running").read_text())
        os.kill(running, signal.SIGKILL)
        await until(lambda: is_alive(running) is False and len({*pids(supervisor).values()} - {*before.values()}) == 1)
        assert await client.result(chain, timeout=30) != running
        assert f"(pid {running}) was ended by SIGKILL; a new one starts in 0.1 s" in caplog.text


async def test_a_killed_process_is_replaced_though_a_process_that_its_handler_forked_lives_on(
    shop: Path, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with otelq.connect(sqlite_url) as client, supervised(sqlite_url) as supervisor:
        killed, forked = await client.result(await client.start(fork, None), timeout=30)
        try:
            os.kill(killed, signal.SIGKILL)
            await until(lambda: (new := supervisor._current[1]) is not None and new.pid != killed and new.has_started)
            assert is_alive(forked)
        finally:
            os.kill(forked, signal.SIGKILL)
        assert f"(pid {killed}) was ended by SIGKILL; a new one starts in 0.1 s" in caplog.text


async def test_the_stop_of_a_process_that_has_ended_is_not_waited_for(shop: Path, sqlite_url: str) -> None:
    async with supervised(sqlite_url) as supervisor:
        process = supervisor._current[1]
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.wait([process.ended])
        process.stop()
        assert process._killing is None


async def test_processes_that_reached_their_limit_are_replaced_without_losing_a_job(
    shop: Path, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="otelq.cli")
    async with otelq.connect(sqlite_url) as client, supervised(sqlite_url, limits=Limits(jobs=20)) as supervisor:
        first = {*pids(supervisor).values()}
        ran: set[int] = set()
        async with asyncio.timeout(40):
            while len(ran) < 3:
                chains = await client.start_many(process, [None] * 20)
                ran |= {await client.result(chain, timeout=30) for chain in chains}
                assert {(await client.chain(chain)).tail.attempt for chain in chains} == {1}
        assert first < ran
        assert "is replaced: it has run" in caplog.text


async def test_a_wrong_command_line_stops_all_processes_at_once(shop: Path, sqlite_url: str) -> None:
    with pytest.raises(click.UsageError, match=r"module 'shop' has no 'jobz'; in the module there are jobs"):
        async with supervised(sqlite_url, "shop:jobz", processes=2) as supervisor:
            await until(lambda: not supervisor._running)


async def test_a_database_that_cannot_be_reached_at_the_start_ends_the_command(shop: Path) -> None:
    with pytest.raises(OtelqError, match=r"cannot connect to PostgreSQL at 127\.0\.0\.1:9"):
        async with supervised("postgresql://ada:s3cret@127.0.0.1:9/app"):
            pass


async def test_a_process_that_cannot_start_later_is_tried_again(
    shop: Path, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    (shop / "away.py").write_text(
        "import os, otelq, shop\n"
        "async def worker():\n"
        "    if os.path.exists('away'): raise ConnectionError('the cache is away')\n"
        f"    async with otelq.connect({sqlite_url!r}) as client: yield otelq.Worker(client, shop.jobs)\n"
    )
    async with supervised(sqlite_url, "away:worker") as supervisor:
        (shop / "away").touch()
        killed = pids(supervisor)[1]
        os.kill(killed, signal.SIGKILL)
        await until(lambda: "ConnectionError: the cache is away" in caplog.text)
        (shop / "away").unlink()
        await until(lambda: (child := supervisor._current[1]) is not None and child.pid != killed and child.has_started)


async def test_the_health_of_all_processes_is_that_of_the_worst(shop: Path, sqlite_url: str) -> None:
    async with supervised(sqlite_url, processes=2) as supervisor:
        async with asyncio.timeout(30):
            while not (await supervisor.health()).ready:  # noqa: ASYNC110  # other processes decide
                await asyncio.sleep(0.01)
        stopped = pids(supervisor)[2]
        os.kill(stopped, signal.SIGSTOP)
        await until(lambda: "\nState:\tT" in Path(f"/proc/{stopped}/status").read_text())
        health = await supervisor.health()
        os.kill(stopped, signal.SIGCONT)
        assert (health.live, health.ready, health.problem) == (False, False, "process 2 does not answer")
    assert (await supervisor.health()).problem == "it is stopping"


@pytest.fixture
def command(sqlite_url: str) -> list[str]:
    return ["otelq", "worker", "shop:jobs", "--url", sqlite_url, "--processes", "2"]


async def test_a_signal_stops_all_processes_once_their_attempts_have_finished(
    command: list[str], shop: Path, sqlite_url: str
) -> None:
    async with otelq.connect(sqlite_url) as client:
        chain = await client.start(linger, 0.2)
        with started(command, folder=shop) as worker:
            read_until(worker, "lingering")
            worker.terminate()
            read_until(worker, "all worker processes have ended")
            assert worker.wait() == 0
        assert await client.result(chain, timeout=10)


async def test_a_second_signal_cancels_the_attempts_of_all_processes(
    command: list[str], shop: Path, sqlite_url: str
) -> None:
    async with otelq.connect(sqlite_url) as client:
        chain = await client.start(linger, 3600.0)
        with started(command, folder=shop) as worker:
            read_until(worker, "lingering")
            worker.terminate()
            read_until(worker, "asked to stop")
            worker.terminate()
            assert "killed" not in read_until(worker, "all worker processes have ended")
            assert worker.wait() == 0
        tail = (await client.chain(chain)).tail
        assert (tail.status, tail.attempt) == ("ready", 0)


async def test_a_signal_to_the_whole_group_cancels_nothing(command: list[str], shop: Path, sqlite_url: str) -> None:
    async with otelq.connect(sqlite_url) as client:
        chain = await client.start(linger, 0.2)
        with started(command, folder=shop, start_new_session=True) as worker:
            read_until(worker, "lingering")
            os.killpg(worker.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
            read_until(worker, "all worker processes have ended")
            assert worker.wait() == 0
        assert await client.result(chain, timeout=10)


async def test_processes_stop_gracefully_by_themselves_if_their_supervisor_is_killed(
    command: list[str], shop: Path, sqlite_url: str
) -> None:
    async with otelq.connect(sqlite_url) as client:
        chain = await client.start(linger, 0.0)
        with started(command, folder=shop) as worker:
            read_until(worker, "lingering")
            children = children_of(worker)
            worker.kill()
            assert await client.result(chain, timeout=30) in children
            await until(lambda: not any(map(is_alive, children)))


def children_of(process: subprocess.Popen[str]) -> list[int]:
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(found) == 2
    return [int(pid) for pid in found]
