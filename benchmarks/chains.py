"""
``python -m benchmarks.chains``: long chains and wide fans, on durable PostgreSQL and SQLite and on ``memory://``.

A chain of 1,000 steps: what a step costs at its beginning and at its end. A fan-in of 10,000 blockers and a fan-out to
10,000 dependents: how long from the close to the start, and how long one transaction held its locks meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

import otelq
from otelq import JobRecord

from .__main__ import Backend, Figures, backends, commit
from .workload import observe

jobs = otelq.Jobs()


@jobs.job("bench.countdown")
async def countdown(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
    if attempt.input <= 1:
        return 0
    return attempt.continue_with(countdown, attempt.input - 1)


@jobs.job("bench.part")
async def part(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("bench.total")
async def total(attempt: otelq.Attempt[None]) -> int:
    return sum(attempt.blockers(part))


@jobs.job("bench.gate")
async def gate(attempt: otelq.Attempt[None]) -> None:
    return None


@jobs.job("bench.follower")
async def follower(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


class Locks:
    """The longest time for which one transaction of otelq's held locks, seen by asking every few milliseconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self, connection: Any) -> None:
        while True:
            age = await connection.fetchval(
                "SELECT max(extract(epoch FROM clock_timestamp() - xact_start)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL"
            )
            self.longest = max(self.longest, float(age or 0))
            await asyncio.sleep(0.002)


@asynccontextmanager
async def observed(url: str) -> AsyncGenerator[Locks]:
    """Watches the locks of a PostgreSQL database; the others cannot tell."""
    locks = Locks()
    if not url.startswith("postgres"):
        yield locks
        return
    connection = await asyncpg.connect(url)
    watching = asyncio.create_task(locks.watch(connection))
    yield locks
    watching.cancel()
    await asyncio.wait([watching])
    await connection.close()


def resident() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def every(client: otelq.Client, chain: otelq.Chain[Any]) -> list[JobRecord]:
    """All jobs of a chain."""
    found: list[JobRecord] = []
    after: str | None = None
    while True:
        page = await client.jobs(chain=chain, limit=1000, after=after)
        found += page.items
        if page.next is None:
            return found
        after = page.next


async def long_chain(url: str, figures: Figures, steps: int) -> None:
    """Steps of one chain, one after the other."""
    async with otelq.connect(url) as client, otelq.Worker(client, jobs, concurrency=10):
        await client.result(await client.start(countdown, steps // 10), timeout=600)
        before = resident()
        chain = await client.start(countdown, steps)
        await client.result(chain, timeout=600)
        grown = resident() - before
        closed = [job.closed_at for job in await every(client, chain)]
        pace = [_seconds(closed[n], closed[n + 1]) * 1000 for n in range(len(closed) - 1)]
    figures.add(f"chain of {steps}: ms a step, first hundred", sum(pace[:100]) / 100)
    figures.add(f"chain of {steps}: ms a step, last hundred", sum(pace[-100:]) / 100)
    figures.add(f"chain of {steps}: memory grown, MB", grown)


async def fan_in(url: str, figures: Figures, width: int) -> None:
    """One job that waits for many."""
    async with otelq.connect(url) as client, observed(url) as locks:
        blockers: list[otelq.Chain[int]] = []
        for first in range(0, width, 1000):
            blockers += await client.start_many(part, range(first, min(first + 1000, width)))
        began = time.perf_counter()
        dependent = await client.start(total, None, blockers=blockers)
        figures.add(f"fan-in of {width}: s to start the dependent", time.perf_counter() - began)
        began = time.perf_counter()
        async with otelq.Worker(client, jobs, concurrency=200):
            assert await client.result(dependent, timeout=600) == sum(range(width))
        figures.add(f"fan-in of {width}: s to drain, all in all", time.perf_counter() - began)
        [attempt] = await client.attempts(f"{dependent.id}.0")
        last = max([(await client.chain(blocker)).tail.closed_at for blocker in blockers[-300:]], key=_stamp)
        assert attempt.started_at is not None
        figures.add(f"fan-in of {width}: ms from a last close to the start", _seconds(last, attempt.started_at) * 1000)
    figures.add(f"fan-in of {width}: ms that locks were held, at most", locks.longest * 1000)


async def fan_out(url: str, figures: Figures, width: int) -> None:
    """Many jobs that wait for one."""
    async with otelq.connect(url) as client, observed(url) as locks:
        first = await client.start(gate, None)
        followers: list[otelq.Chain[int]] = []
        for start in range(0, width, 1000):
            followers += await client.start_many(
                [otelq.Start(follower, number, blockers=[first]) for number in range(start, start + 1000)]
            )
        async with otelq.Worker(client, jobs, concurrency=200, reap_interval=0.5):
            await client.result(first, timeout=60)
            opened = (await client.chain(first)).tail.closed_at
            await asyncio.gather(*(client.result(chain, timeout=600) for chain in followers))
        starts = sorted([await _started(client, chain) for chain in (followers[:100] + followers[-100:])])
    figures.add(f"fan-out to {width}: ms from the close to the first start", _seconds(opened, starts[0]) * 1000)
    figures.add(f"fan-out to {width}: ms from the close to the last start", _seconds(opened, starts[-1]) * 1000)
    figures.add(f"fan-out to {width}: ms that locks were held, at most", locks.longest * 1000)


async def _started(client: otelq.Client, chain: otelq.Chain[Any]) -> datetime:
    started = (await client.attempts(f"{chain.id}.0"))[-1].started_at
    assert started is not None
    return started


def _stamp(moment: datetime | None) -> float:
    assert moment is not None
    return moment.timestamp()


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return _stamp(end) - _stamp(start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", nargs="+", default=["postgres18", "sqlite", "memory"])
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--width", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    observe()
    results: list[dict[str, Any]] = []
    with backends([name for name in asked.backends if name != "memory"]) as chosen:
        if "memory" in asked.backends:
            chosen.append(Backend("memory", {}, lambda: "memory://"))
        for backend in chosen:
            figures = Figures(backend.name, backend.settings)
            for _ in range(asked.repeats):
                asyncio.run(long_chain(backend.fresh(), figures, asked.steps))
                asyncio.run(fan_in(backend.fresh(), figures, asked.width))
                asyncio.run(fan_out(backend.fresh(), figures, asked.width))
            figures.show()
            results.append({"backend": backend.name, "settings": backend.settings, "repeats": figures.repeats})
    if asked.out:
        about = {"commit": commit(), "steps": asked.steps, "width": asked.width, "machine": "2 cores"}
        asked.out.write_text(json.dumps({**about, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
