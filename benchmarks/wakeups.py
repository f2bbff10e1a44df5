"""
``python -m benchmarks.wakeups``: how soon other processes hear of work, and what that costs.

Measured in two processes with default settings: from a start to the handler, and to the result; by each driver, on a
worker that is idle. Then the rate of commits of 64 callers with and without notifications, the claims of 200 idle
workers for one job, the messages for a job under load, and the statements, the CPU and the memory of an idle worker.
``--pgqueuer PYTHON`` names an interpreter that has pgqueuer, to be measured in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

import otelq
from otelq_verify.drivers import application
from otelq_verify.wire import LossyProxy, SentStatements
from tests.servers import postgres

from .__main__ import Figures, commit

jobs, others = otelq.Jobs(), otelq.Jobs()
SETTINGS = {"fsync": "on", "synchronous_commit": "on"}
CALLERS = 64
PROCESSES = 4
WORKERS = 200


@jobs.job("bench.now")
async def now(attempt: otelq.Attempt[None]) -> float:
    """Return the time of the system's monotonic clock, which all processes share."""
    return time.monotonic()


@others.job("bench.other")
async def other(attempt: otelq.Attempt[None]) -> None:
    return None


async def serve(url: str, driver: str, served: otelq.Jobs) -> None:
    """Run a worker with default settings until the parent closes the pipe."""
    async with application(url, driver) as app, otelq.connect(app.target) as client, otelq.Worker(client, served):
        while not client.engine.hears_others:  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        print("up", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@asynccontextmanager
async def process(*command: str) -> AsyncGenerator[Process]:
    """A process that has printed that it is up; it ends with the block."""
    started = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert started.stdin is not None
    assert started.stdout is not None
    assert await started.stdout.readline() == b"up\n"
    yield started
    started.stdin.close()
    await started.wait()


def worker(url: str, driver: str, *, serves: str = "jobs") -> Any:
    return process(sys.executable, "-m", "benchmarks.wakeups", "--serve", url, driver, serves)


def add_quantiles(figures: Figures, name: str, seconds: Sequence[float]) -> None:
    found = sorted(each * 1000 for each in seconds)
    figures.add(f"{name}, p50 ms", found[len(found) // 2])
    figures.add(f"{name}, p99 ms", found[int(len(found) * 0.99)])


async def latency(url: str, driver: str, figures: Figures, *, count: int) -> None:
    """Measure a start in this process and its handler in another one, which is idle before."""
    waits: list[float] = []
    results: list[float] = []
    async with (
        application(url, driver) as app,
        otelq.connect(app.target) as client,
        worker(url, driver),
    ):
        for number in range(count + 5):
            await asyncio.sleep(random.uniform(0.03, 0.1))
            began = time.monotonic()
            handled = await client.result(await client.start(now, None), timeout=30)
            if number >= 5:
                waits.append(handled - began)
                results.append(time.monotonic() - began)
    add_quantiles(figures, f"start to handler, two processes, {driver}", waits)
    add_quantiles(figures, f"start to result, two processes, {driver}", results)


async def commits(url: str, *, notify: str | None, clients: int, seconds: float) -> float:
    """Return the commits a second of callers, each in transactions of its own, while another process listens."""
    ends, done = 0.0, 0

    async def call(client: otelq.Client) -> None:
        nonlocal done
        while time.perf_counter() < ends:
            async with client.transaction() as tx:
                await client.start(now, None, delay=3600, tx=tx)
            done += 1

    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"notify": notify, "max_size": CALLERS // clients}
        made = [await stack.enter_async_context(otelq.connect(url, **options)) for _ in range(clients)]
        ends = time.perf_counter() + seconds
        await asyncio.gather(*(call(made[number % clients]) for number in range(CALLERS)))
    return done / seconds


async def commit_rate(url: str, figures: Figures, *, seconds: float) -> None:
    """Measure what notifications cost web processes whose requests commit at the same time."""
    async with worker(url, "asyncpg", serves="others"):
        for clients in (PROCESSES, CALLERS):
            off = await commits(url, notify=None, clients=clients, seconds=seconds)
            on = await commits(url, notify="auto", clients=clients, seconds=seconds)
            name = f"commits of {CALLERS} callers by {clients} clients"
            figures.add(f"{name}, no notifications, 1/s", off)
            figures.add(f"{name}, with them, % of that", 100 * on / off)


async def herd(url: str, figures: Figures) -> None:
    """Count the claims of many idle workers, each with a client of its own, for one job."""
    claims = 0

    def count(client: otelq.Client) -> None:
        state: Any = client.engine.state
        claim = state.claim

        async def counting(*args: Any, **options: Any) -> Any:
            nonlocal claims
            claims += 1
            return await claim(*args, **options)

        state.claim = counting

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(otelq.connect(url))
        for _ in range(WORKERS):
            each = await stack.enter_async_context(otelq.connect(url, max_size=1))
            count(each)
            await stack.enter_async_context(otelq.Worker(each, jobs))
            while not each.engine.hears_others:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.005)
        await asyncio.sleep(33)  # by then a beat has told each worker how many there are
        claims, began = 0, time.monotonic()
        handled = await client.result(await client.start(now, None), timeout=30)
        await asyncio.sleep(3)
        figures.add(f"{WORKERS} idle workers and one job: claims", claims)
        figures.add(f"{WORKERS} idle workers and one job: start to handler, ms", (handled - began) * 1000)


async def messages(url: str, figures: Figures, *, seconds: float) -> None:
    """Count the messages that all processes hear while many clients start jobs and one worker runs them."""
    heard, done = 0, 0
    connection = await asyncpg.connect(url)

    def hear(*_: object) -> None:
        nonlocal heard
        heard += 1

    await connection.add_listener("otelq_hints_otelq", hear)
    async with worker(url, "asyncpg"), otelq.connect(url) as client:
        ends = time.perf_counter() + seconds

        async def call() -> None:
            nonlocal done
            while time.perf_counter() < ends:
                await client.start(now, None)
                done += 1

        await asyncio.gather(*(call() for _ in range(CALLERS)))
    await connection.close()
    figures.add("messages for a job under load", heard / done)
    figures.add("jobs a second under that load", done / seconds)


async def idle(url: str, driver: str, figures: Figures, *, seconds: float) -> None:
    """Measure a worker that has nothing to do, by way of a proxy that reads its statements."""
    said: Counter[str] = Counter()

    def note(sent: SentStatements) -> bool:
        said["pings" if "pg_notify" in sent[-1] else "statements"] += 1
        return False

    async with AsyncExitStack() as stack:
        if url.startswith("postgres"):
            proxy = await stack.enter_async_context(LossyProxy(url))
            proxy.lose(note)
            url = proxy.url
        running = await stack.enter_async_context(worker(url, driver))
        await asyncio.sleep(min(5.0, seconds))
        said.clear()
        began = cpu_of(running.pid)
        await asyncio.sleep(seconds)
        spent, memory = cpu_of(running.pid) - began, memory_of(running.pid)
    if url.startswith("postgres"):
        figures.add(f"idle worker, {driver}: statements a second", said["statements"] / seconds)
        figures.add(f"idle worker, {driver}: pings a second", said["pings"] / seconds)
    figures.add(f"idle worker, {driver}: CPU, %", 100 * spent / seconds)
    figures.add(f"idle worker, {driver}: memory, MB", memory)


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def pgqueuer(url: str, python: str, figures: Figures, *, count: int) -> None:
    """Measure pgqueuer in the same way: one process starts, another one runs."""
    script = str(Path(__file__).with_name("pgqueuer_peer.py"))
    async with process(python, script, "serve", url):
        started = await asyncio.create_subprocess_exec(python, script, "start", url, str(count), stdout=PIPE)
        out, _ = await started.communicate()
    add_quantiles(figures, "start to handler, two processes, pgqueuer", json.loads(out))


async def measure(asked: argparse.Namespace, url: str, sqlite: str, figures: Figures) -> None:
    """One repeat of everything that was asked for."""
    quick = 0.1 if asked.quick else 1.0
    count = int(asked.jobs * quick)
    if "latency" in asked.parts:
        for driver in ("asyncpg", "psycopg"):
            await latency(url, driver, figures, count=count)
        await latency(sqlite, "aiosqlite", figures, count=count)
        if asked.pgqueuer:
            await pgqueuer(url, asked.pgqueuer, figures, count=count)
    if "commits" in asked.parts:
        await commit_rate(url, figures, seconds=5 * quick)
    if "messages" in asked.parts:
        await messages(url, figures, seconds=5 * quick)
    if "herd" in asked.parts:
        await herd(url, figures)
    if "idle" in asked.parts:
        await idle(url, "asyncpg", figures, seconds=60 * quick)
        await idle(url, "psycopg", figures, seconds=60 * quick)
        await idle(sqlite, "aiosqlite", figures, seconds=60 * quick)


PARTS = ("latency", "commits", "messages", "herd", "idle")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--serve", nargs=3, metavar=("URL", "DRIVER", "JOBS"), help="run a worker; for the program itself"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, to see that it runs")
    parser.add_argument("--pgqueuer", metavar="PYTHON")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.serve:
        url, driver, name = asked.serve
        return asyncio.run(serve(url, driver, {"jobs": jobs, "others": others}[name]))
    figures = Figures("wake-ups", SETTINGS)
    limits = {"max_connections": "1000"}
    with postgres(18, durable=True, settings=limits) as server:
        assert server.cluster is not None
        for _ in range(asked.repeats):
            sqlite = f"sqlite:///{server.cluster.directory}/{otelq.new_id()}.db"
            asyncio.run(measure(asked, server.create_migrated_database(), sqlite, figures))
    figures.show()
    if asked.out:
        about = {"commit": commit(), "jobs": asked.jobs, "machine": "2 cores", "settings": SETTINGS}
        asked.out.write_text(json.dumps({**about, "repeats": figures.repeats}, indent=2) + "\n")


if __name__ == "__main__":
    main()
