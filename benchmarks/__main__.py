"""
``python -m benchmarks``: otelq's own figures on PostgreSQL and SQLite, beside a bare loop of the driver.

Every figure is the median of its repeats; all repeats, the settings and the commit go into the JSON that ``--out``
names. Two cores shared by client and server make single commits noisy: compare ratios of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

import otelq
from tests.servers import postgres

from .workload import jobs, noop, observe, payload, starts

BATCH = 1_000
LATENCY_JOBS = 300
SINGLE_SECONDS = 2.0


@dataclass(slots=True)
class Figures:
    """Repeats by name."""

    backend: str
    settings: dict[str, str]
    repeats: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, name: str, value: float) -> None:
        self.repeats.setdefault(name, []).append(round(value, 3))

    def show(self) -> None:
        print(f"\n{self.backend}  ({', '.join(f'{key} {value}' for key, value in self.settings.items())})")
        for name, values in self.repeats.items():
            spread = f"{min(values):,.2f} to {max(values):,.2f}" if len(values) > 1 else ""
            print(f"  {name:48} {median(values):>12,.2f}   {spread}")


@dataclass(frozen=True, slots=True)
class Backend:
    """A database to measure: how to get an empty one, and how to read its write-ahead log's position."""

    name: str
    settings: dict[str, str]
    fresh: Callable[[], str]


async def bulk(client: otelq.Client, count: int) -> float:
    """Jobs a second, started a thousand a call."""
    began = time.perf_counter()
    for first in range(0, count, BATCH):
        await client.start_many(noop, [payload(number) for number in range(first, min(first + BATCH, count))])
    return count / (time.perf_counter() - began)


async def singles(client: otelq.Client, callers: int) -> float:
    """Starts a second of so many concurrent callers."""
    ends = time.perf_counter() + SINGLE_SECONDS
    began = time.perf_counter()
    made = 0

    async def call() -> None:
        nonlocal made
        while time.perf_counter() < ends:
            await client.start(noop, payload(made))
            made += 1

    await asyncio.gather(*(call() for _ in range(callers)))
    return made / (time.perf_counter() - began)


async def latency(client: otelq.Client) -> list[float]:
    """Milliseconds from just before the start to the handler's first line, on an idle worker."""
    found: list[float] = []
    async with otelq.Worker(client, jobs, concurrency=10):
        for number in range(LATENCY_JOBS + 6):
            starts.clear()
            began = time.perf_counter()
            await client.result(await client.start(noop, payload(number)), timeout=30)
            if number >= 6:
                found.append((starts[0] - began) * 1000)
            await asyncio.sleep(0.02)
    return sorted(found)


async def wal(url: str) -> int | None:
    """The position of the write-ahead log, in bytes."""
    if not url.startswith("postgres"):
        return None
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
    finally:
        await connection.close()


async def bare_loop(url: str, count: int, batch: int) -> float:
    """Jobs a second of a bare claim and complete on one table with one connection: what the driver can do."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE bare (id bigint PRIMARY KEY, payload jsonb, state int DEFAULT 0) WITH (fillfactor = 50)"
    )
    await connection.execute("CREATE INDEX ON bare (id) WHERE state = 0")
    rows = [(number, json.dumps(payload(number))) for number in range(count)]
    await connection.copy_records_to_table("bare", records=rows, columns=["id", "payload"])
    claim = await connection.prepare(
        "UPDATE bare SET state = 1 WHERE id = ANY(ARRAY(SELECT id FROM bare WHERE state = 0 ORDER BY id LIMIT $1"
        " FOR UPDATE SKIP LOCKED)) RETURNING id, payload"
    )
    complete = await connection.prepare("UPDATE bare SET state = 2 WHERE id = ANY($1::bigint[])")
    began = time.perf_counter()
    while claimed := await claim.fetch(batch):
        await complete.fetch([row["id"] for row in claimed])
    rate = count / (time.perf_counter() - began)
    await connection.execute("DROP TABLE bare")
    await connection.close()
    return rate


def drain(url: str, count: int, concurrency: int, *options: str) -> float:
    """Jobs a second of one worker process, from its first handler until all jobs are durably closed."""
    command = [sys.executable, "-m", "benchmarks.workload", url, str(count), str(concurrency), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return count / float(json.loads(done.stdout)["seconds"])


async def measure(backend: Backend, figures: Figures, *, count: int, concurrency: int) -> None:
    """One repeat of everything on one backend."""
    url = backend.fresh()
    async with otelq.connect(url) as client:
        before = await wal(url)
        figures.add("bulk start, jobs/s", await bulk(client, count))
        filled = await wal(url)
        figures.add(
            f"drain, one process, concurrency {concurrency}, jobs/s",
            await asyncio.to_thread(drain, url, count, concurrency),
        )
        drained = await wal(url)
        if before is not None and filled is not None and drained is not None:
            figures.add("WAL to start a job, bytes", (filled - before) / count)
            figures.add("WAL to claim and close a job, bytes", (drained - filled) / count)
        await bulk(client, count)
        figures.add(
            "the same without an OpenTelemetry SDK, jobs/s",
            await asyncio.to_thread(drain, url, count, concurrency, "--unobserved"),
        )
        for callers in (1, 64):
            figures.add(f"single starts, {callers} callers, jobs/s", await singles(client, callers))
    url = backend.fresh()
    async with otelq.connect(url) as client:
        waits = await latency(client)
        figures.add("start to handler, idle, p50 ms", waits[len(waits) // 2])
        figures.add("start to handler, idle, p99 ms", waits[int(len(waits) * 0.99)])
    if url.startswith("postgres"):
        figures.add(f"bare claim and complete, batch {concurrency}, jobs/s", await bare_loop(url, count, concurrency))


@contextmanager
def backends(names: list[str]) -> Generator[list[Backend]]:
    """The asked-for databases, with durable settings."""
    with tempfile.TemporaryDirectory() as folder, postgres(18, durable=True) as server:
        every = {
            "postgres18": Backend(
                "postgres18", {"fsync": "on", "synchronous_commit": "on"}, lambda: server.create_database()
            ),
            "sqlite": Backend(
                "sqlite",
                {"journal_mode": "WAL", "synchronous": "FULL"},
                lambda: f"sqlite:///{folder}/{otelq.new_id()}.db",
            ),
        }
        yield [every[name] for name in names]


def commit() -> str:
    """What was measured."""
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", nargs="+", default=["postgres18", "sqlite"])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    observe()
    results: list[dict[str, Any]] = []
    with backends(asked.backends) as chosen:
        for backend in chosen:
            figures = Figures(backend.name, backend.settings)
            for _ in range(asked.repeats):
                asyncio.run(measure(backend, figures, count=asked.jobs, concurrency=asked.concurrency))
            figures.show()
            results.append({"backend": backend.name, "settings": backend.settings, "repeats": figures.repeats})
    if asked.out:
        about = {"commit": commit(), "python": platform.python_version(), "jobs": asked.jobs, "machine": "2 cores"}
        asked.out.write_text(json.dumps({**about, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
