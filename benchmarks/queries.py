"""
``python -m benchmarks.queries``: every filter of ``jobs()`` and ``chains()`` with every status, over millions.

The history is made by SQL: nine in ten chains completed, one in twenty failed, as many cancelled, each of one job, in
two common types and one rare one. Each cell asks twenty pages: the first, and those at random places. PostgreSQL's own
counters say whether a table was read whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

import otelq
from otelq.model import JobQuery, Match, Status
from otelq.ports.state import StateAdapter

from .__main__ import Backend, backends, commit

PAGES = 20
OPEN_JOBS = 20_000
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
MILLISECONDS = 20
"""The time between two chains of the history."""

# What chain number n is. The same words in both dialects, but for the making of an id.
TYPE = "CASE WHEN n % 100000 = 7 THEN 'rare' WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END"
STATUS = "CASE WHEN n % 20 = 3 THEN 'failed' WHEN n % 20 = 5 THEN 'cancelled' ELSE 'completed' END"
META = """'{"tags": {"shop": "' || (n % 10) || '", "order": "' || n || '"}, "tenant": "t' || (n % 1000) || '"}'"""
INPUT = """'{"customer": {"id": ' || (n % 5000) || '}, "note": "number ' || n || '"}'"""

POSTGRES_FILL = f"""
CREATE TEMPORARY VIEW history AS
SELECT
    n,
    (lpad(to_hex($first$ + n * {MILLISECONDS}), 12, '0') || '7000' || '8' || lpad(to_hex(n), 15, '0'))::uuid AS id,
    to_timestamp(($first$ + n * {MILLISECONDS}) / 1000.0) AS at
FROM generate_series(1::bigint, $count$) AS n;
INSERT INTO otelq.job (chain_id, position, created_at, run_at, priority, type, queue, input, meta)
SELECT id, 0, at, at, 0, {TYPE}, 'default', ({INPUT})::jsonb, ({META})::jsonb FROM history;
INSERT INTO otelq.outcome
    (chain_id, position, closed_at, run_at, priority, attempt, crashes, type, status, verb, output,
     error_type, error_text)
SELECT id, 0, at, at, 0, 1, 0, {TYPE}, {STATUS},
    CASE {STATUS} WHEN 'completed' THEN 'complete' WHEN 'failed' THEN 'fail' ELSE 'cancel' END,
    CASE WHEN {STATUS} = 'completed' THEN to_jsonb(n) END,
    CASE WHEN {STATUS} = 'failed' THEN 'ValueError' END, CASE WHEN {STATUS} = 'failed' THEN 'no' END
FROM history;
"""

SQLITE_FILL = f"""
CREATE TEMPORARY TABLE history AS
WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < $count$)
SELECT
    n,
    printf('%08x-%04x-7000-8%03x-%012x', (($first$ + n * {MILLISECONDS}) >> 16), ($first$ + n * {MILLISECONDS}) & 65535,
        n >> 48, n & 281474976710655) AS id,
    ($first$ + n * {MILLISECONDS}) * 1000 AS at
FROM series;
INSERT INTO otelq_job (chain_id, position, type, queue, input, created_at, meta)
SELECT id, 0, {TYPE}, 'default', {INPUT}, at, {META} FROM history;
INSERT INTO otelq_outcome
    (chain_id, position, generation, type, status, verb, closed_at, priority, run_at, attempt, crashes, output,
     error_type, error_text)
SELECT id, 0, 0, {TYPE}, {STATUS},
    CASE {STATUS} WHEN 'completed' THEN 'complete' WHEN 'failed' THEN 'fail' ELSE 'cancel' END, at, 0, at, 1, 0,
    CASE WHEN {STATUS} = 'completed' THEN n END,
    CASE WHEN {STATUS} = 'failed' THEN 'ValueError' END, CASE WHEN {STATUS} = 'failed' THEN 'no' END
FROM history;
DROP TABLE history;
"""

STATUSES: Mapping[str, frozenset[Status]] = {
    "any": frozenset(),
    "completed": frozenset({Status.COMPLETED}),
    "continued": frozenset({Status.CONTINUED}),
    "failed": frozenset({Status.FAILED}),
    "cancelled": frozenset({Status.CANCELLED}),
    "open": frozenset({Status.READY, Status.SCHEDULED, Status.BLOCKED, Status.RUNNING}),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One filter with one status, and what its pages cost in milliseconds."""

    of: str
    filter: str
    status: str
    milliseconds: list[float]
    found: int

    @property
    def worst(self) -> float:
        """With twenty pages, the 99th percentile is the slowest."""
        return max(self.milliseconds)


def filters(count: int) -> Mapping[str, Mapping[str, Any]]:
    """Every filter, with a value that many rows pass, and one that few or none do."""
    some = _id(count // 2)
    week = FIRST + timedelta(milliseconds=count // 2 * MILLISECONDS)
    return {
        "none": {},
        "a common type": {"types": ("even",)},
        "a rare type": {"types": ("rare",)},
        "an unknown type": {"types": ("unknown",)},
        "a chain type": {"chain_types": ("odd",)},
        "a rare chain type": {"chain_types": ("rare",)},
        "a common tag": {"tags": (("shop", "3"),)},
        "a tag of one chain": {"tags": (("order", "17"),)},
        "a tenant": {"tenant": "t5"},
        "a time": {"since": week, "until": week + timedelta(minutes=10)},
        "nobody's blocker": {"roots": True},
        "a common value": {"matches": (Match(part="input", path=("customer", "id"), value="77"),)},
        "a value of none": {"matches": (Match(part="input", path=("customer", "id"), value='"x"'),)},
        "a text": {"text": "number 4"},
        "a text of none": {"text": "no such text"},
        "blocked by": {"blocked_by": some},
        "one chain": {"chain_ids": (some,)},
        "a thousand chains": {"chain_ids": tuple(_id(count // 2 + n) for n in range(1000))},
    }


def _id(number: int) -> str:
    stamp = int(FIRST.timestamp() * 1000) + number * MILLISECONDS
    digits = f"{stamp:012x}70008{number:015x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


async def fill(url: str, count: int) -> None:
    """The history, written by SQL, and some open jobs in front of it."""
    script = POSTGRES_FILL if url.startswith("postgres") else SQLITE_FILL
    script = script.replace("$first$", str(int(FIRST.timestamp() * 1000))).replace("$count$", str(count))
    if url.startswith("postgres"):
        connection = await asyncpg.connect(url)
        await connection.execute(script, timeout=1800)
        await connection.execute("VACUUM ANALYZE", timeout=1800)
        await connection.close()
    else:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            file.executescript(script)
        file.execute("ANALYZE")
        file.close()
    async with otelq.connect(url) as client:
        kind = otelq.JobType("even", input=int, output=int)
        for first in range(0, OPEN_JOBS, 1000):
            await client.start_many(kind, range(first, first + 1000))


async def measure(state: StateAdapter, count: int) -> list[Cell]:
    """Every cell of the table."""
    chance = random.Random(1)
    cells: list[Cell] = []
    for of in ("jobs", "chains"):
        for name, filter in filters(count).items():
            if of == "chains" and "chain_types" in filter:
                continue
            for status, statuses in STATUSES.items():
                if of == "chains" and status == "continued":
                    continue
                starts = [None, *(_id(chance.randrange(count)) for _ in range(PAGES - 1))]
                cells.append(await _cell(state, of, name, status, starts, {**filter, "statuses": statuses}))
    return cells


async def _cell(
    state: StateAdapter, of: str, name: str, status: str, starts: list[str | None], asked: Mapping[str, Any]
) -> Cell:
    spent: list[float] = []
    found = 0
    for start in starts:
        after = start if start is None or of == "chains" else f"{start}.0"
        query = JobQuery(after=after, **asked)
        began = time.perf_counter()
        page = await (state.jobs(query) if of == "jobs" else state.chains(query))
        spent.append((time.perf_counter() - began) * 1000)
        found += len(page.items)
    return Cell(of, name, status, spent, found)


async def whole_reads(url: str) -> int | None:
    """How often the tables that grow were read whole so far."""
    if not url.startswith("postgres"):
        return None
    await asyncio.sleep(1.5)  # the server's counters are that late
    connection = await asyncpg.connect(url)
    read = await connection.fetchval(
        "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE schemaname = 'otelq' AND relname IN ('job', 'outcome')"
    )
    await connection.close()
    return int(read)


async def run(backend: Backend, count: int) -> dict[str, Any]:
    """Fill and measure one backend."""
    url = backend.fresh()
    async with otelq.connect(url):
        pass
    began = time.perf_counter()
    await fill(url, count)
    print(f"\n{backend.name}: {count:,} closed chains in {time.perf_counter() - began:.0f} s")
    async with otelq.connect(url) as client:
        before = await whole_reads(url)
        cells = await measure(client.engine.state, count)
    after = await whole_reads(url)
    return {"backend": backend.name, "settings": backend.settings, **_show(cells, before, after)}


def _show(cells: list[Cell], before: int | None, after: int | None) -> dict[str, Any]:
    pages = sorted(page for cell in cells for page in cell.milliseconds)
    p50, p99 = median(pages), pages[int(len(pages) * 0.99)]
    print(f"  {len(cells)} cells of {PAGES} pages: p50 {p50:.2f} ms, p99 {p99:.2f} ms, slowest {pages[-1]:.2f} ms")
    if before is not None and after is not None:
        print(f"  reads of a whole table: {after - before}")
    for cell in sorted(cells, key=lambda cell: -cell.worst)[:25]:
        print(
            f"  {cell.of:7} {cell.filter:20} {cell.status:10} p50 {median(cell.milliseconds):7.2f}"
            f"  worst {cell.worst:7.2f}  items {cell.found}"
        )
    table = [[c.of, c.filter, c.status, round(median(c.milliseconds), 3), round(c.worst, 3), c.found] for c in cells]
    whole = None if before is None or after is None else after - before
    return {"p50": round(p50, 3), "p99": round(p99, 3), "whole_reads": whole, "cells": table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", nargs="+", default=["postgres18", "sqlite"])
    parser.add_argument("--chains", type=int, default=5_000_000)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with backends(asked.backends) as chosen:
        results = [asyncio.run(run(backend, asked.chains)) for backend in chosen]
    if asked.out:
        about = {"commit": commit(), "chains": asked.chains, "pages": PAGES, "machine": "2 cores"}
        asked.out.write_text(json.dumps({**about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
