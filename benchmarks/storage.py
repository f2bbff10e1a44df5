"""
``python -m benchmarks.storage``: the storage of PostgreSQL against one wide table, on a durable server.

Both claim and close batches of a hundred through one connection and are given the same jobs. The wide table is what
one writes first: a row a job with its status in it, kept when the job is closed, claimed in one statement with
``type = ANY (...) ORDER BY priority, run_at``.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from abc import ABC, abstractmethod
from typing import Any

import asyncpg
from uuid_utils import uuid7

from otelq.model import ClaimRequest, Completes, NewJob, Settlement
from otelq.ports.state import StateAdapter
from otelq.postgres import adapter
from tests.servers import postgres

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
PAYLOAD = '{"user_id": 123456, "email": "user123456@example.com"}'
TYPES = [f"type{n}" for n in range(10)]
BATCH = 100
CLAIMS = 40


class Shape(ABC):
    """A way to store jobs."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.token: int = 0

    @abstractmethod
    async def start(self, count: int) -> None: ...
    @abstractmethod
    async def fill(self, count: int, *, kind: str) -> None:
        """Put rows there fast: ``waiting`` in ten types, ``rare`` in one, ``scheduled`` before all, or ``closed``."""

    @abstractmethod
    async def claim(self, types: list[str], limit: int) -> Any: ...
    @abstractmethod
    async def close(self, claimed: Any) -> None: ...
    @abstractmethod
    async def give_back(self, claimed: Any) -> None: ...
    @abstractmethod
    async def vacuum(self) -> None: ...


class Otelq(Shape):
    """The storage as it is."""

    def __init__(self, connection: Any, state: StateAdapter) -> None:
        super().__init__(connection)
        self.state = state

    async def start(self, count: int) -> None:
        for _ in range(0, count, BATCH):
            jobs = [NewJob(chain_id=str(uuid7()), type=TYPES[0], input=PAYLOAD) for _ in range(BATCH)]
            await self.state.create(jobs)

    async def fill(self, count: int, *, kind: str) -> None:
        hot = """
            INSERT INTO otelq.open_job (chain_id, position, priority, run_at, type)
            SELECT chain_id, 0, priority, run_at, type FROM new"""
        closed = """
            INSERT INTO otelq.outcome (chain_id, position, priority, attempt, crashes, closed_at, run_at, type,
                status, verb, output)
            SELECT chain_id, 0, priority, 1, 0, now(), run_at, type, 'completed', 'complete', 'null' FROM new"""
        await self.connection.execute(
            f"""
            WITH new AS (
                INSERT INTO otelq.job (chain_id, position, priority, created_at, run_at, type, queue, input)
                SELECT gen_random_uuid(), 0, {_priority(kind)}, now(), {_run_at(kind)}, {_type(kind)}, 'default',
                    '{PAYLOAD}'
                FROM generate_series(1, {count}) AS n
                RETURNING *
            )
            {closed if kind == "closed" else hot}
            """,
            timeout=600,
        )

    async def claim(self, types: list[str], limit: int) -> Any:
        self.token += 1
        wanted = [ClaimRequest(type=type, limit=limit // len(types), lease=30.0, timeout=3600.0) for type in types]
        claimed, _ = await self.state.claim(wanted, worker="worker-1", token=self.token)
        return claimed

    async def close(self, claimed: Any) -> None:
        await self.state.settle([Settlement(job, Completes("null"), "worker-1") for job in claimed])

    async def give_back(self, claimed: Any) -> None:
        await self.state.release_claim(self.token)

    async def vacuum(self) -> None:
        await self.connection.execute("VACUUM (ANALYZE) otelq.job, otelq.open_job, otelq.outcome", timeout=600)


class Wide(Shape):
    """One row a job, with its status in it."""

    async def make(self) -> None:
        await self.connection.execute(
            """
            CREATE TABLE wide (
                id uuid PRIMARY KEY, type text NOT NULL, queue text NOT NULL, status text NOT NULL,
                priority int NOT NULL, run_at timestamptz NOT NULL, attempt int NOT NULL DEFAULT 0,
                input jsonb NOT NULL, output jsonb, created_at timestamptz NOT NULL, closed_at timestamptz,
                token bigint, leased_by text, leased_until timestamptz
            );
            CREATE INDEX ON wide (priority, run_at) WHERE status = 'ready';
            CREATE INDEX ON wide (type, status);
            CREATE INDEX ON wide (leased_until) WHERE status = 'running';
            """
        )

    async def start(self, count: int) -> None:
        for _ in range(0, count, BATCH):
            await self.connection.execute(
                """
                INSERT INTO wide (id, type, queue, status, priority, run_at, input, created_at)
                SELECT id, $2, 'default', 'ready', 0, now(), $3, now() FROM unnest($1::uuid[]) AS id
                """,
                [str(uuid7()) for _ in range(BATCH)],
                TYPES[0],
                PAYLOAD,
            )

    async def fill(self, count: int, *, kind: str) -> None:
        status = "completed" if kind == "closed" else "ready"
        await self.connection.execute(
            f"""
            INSERT INTO wide (id, type, queue, status, priority, run_at, input, created_at)
            SELECT gen_random_uuid(), {_type(kind)}, 'default', '{status}', {_priority(kind)}, {_run_at(kind)},
                '{PAYLOAD}', now()
            FROM generate_series(1, {count}) AS n
            """,
            timeout=600,
        )

    async def claim(self, types: list[str], limit: int) -> Any:
        self.token += 1
        return await self.connection.fetch(
            """
            WITH picked AS MATERIALIZED (
                SELECT id FROM wide
                WHERE status = 'ready' AND type = ANY ($1::text[]) AND run_at <= statement_timestamp()
                ORDER BY priority, run_at LIMIT $2 FOR UPDATE SKIP LOCKED
            )
            UPDATE wide SET status = 'running', token = $3, leased_by = 'worker-1', attempt = attempt + 1,
                leased_until = statement_timestamp() + interval '30 seconds'
            WHERE id IN (SELECT id FROM picked)
            RETURNING id::text, type, queue, input::text, attempt, created_at, run_at
            """,
            types,
            limit,
            self.token,
        )

    async def close(self, claimed: Any) -> None:
        await self.connection.execute(
            """
            UPDATE wide SET status = 'completed', output = 'null', closed_at = statement_timestamp(),
                token = NULL, leased_by = NULL, leased_until = NULL
            WHERE id = ANY ($1::uuid[]) AND token = $2
            """,
            [row["id"] for row in claimed],
            self.token,
        )

    async def give_back(self, claimed: Any) -> None:
        await self.connection.execute(
            "UPDATE wide SET status = 'ready', token = NULL, leased_by = NULL, leased_until = NULL WHERE token = $1 "
            "AND status = 'running'",
            self.token,
        )

    async def vacuum(self) -> None:
        await self.connection.execute("VACUUM (ANALYZE) wide", timeout=600)


def _type(kind: str) -> str:
    return "'rare'" if kind == "rare" else "'type' || n % 10"


def _priority(kind: str) -> int:
    return -1 if kind == "scheduled" else 0


def _run_at(kind: str) -> str:
    return "now() + interval '1 day'" if kind == "scheduled" else "now()"


async def drain(shape: Shape, count: int) -> dict[str, float]:
    """Start, claim and close so many jobs; WAL bytes a job of each step, and jobs a second claimed and closed."""
    await shape.connection.execute("CHECKPOINT")
    before = await wal(shape.connection)
    began = time.perf_counter()
    await shape.start(count)
    starting = time.perf_counter() - began
    started = await wal(shape.connection)
    began = time.perf_counter()
    while claimed := await shape.claim(TYPES[:1], BATCH):
        await shape.close(claimed)
    draining = time.perf_counter() - began
    return {
        "WAL B/job, start": (started - before) / count,
        "WAL B/job, claim and close": (await wal(shape.connection) - started) / count,
        "starts/s, batches of 100": count / starting,
        "claimed and closed/s, batches of 100": count / draining,
    }


async def claim_cost(shape: Shape, types: list[str]) -> float:
    """Milliseconds to claim ten jobs of these types: the best of many, as neighbours share the machine."""
    found: list[float] = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        claimed = await shape.claim(types, 10)
        found.append((time.perf_counter() - began) * 1000)
        assert len(claimed) == 10
        await shape.give_back(claimed)
    return min(found)


async def wal(connection: Any) -> float:
    """The position of the write-ahead log in bytes, full pages after a checkpoint included."""
    position: float = await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8")
    return position


async def bulk(shape: Otelq, count: int) -> dict[str, float]:
    """One start of many against a bare COPY of the same rows into one table with a primary key."""
    jobs = [NewJob(chain_id=str(uuid7()), type=TYPES[0], input=PAYLOAD) for _ in range(count)]
    began = time.perf_counter()
    await shape.state.create(jobs)
    starting = time.perf_counter() - began
    await shape.connection.execute("CREATE TABLE bare (id uuid PRIMARY KEY, type text, queue text, input jsonb)")
    rows = [(job.chain_id, job.type, job.queue, job.input) for job in jobs]
    began = time.perf_counter()
    await shape.connection.copy_records_to_table("bare", records=rows)
    copying = time.perf_counter() - began
    await shape.connection.execute("DROP TABLE bare; DELETE FROM otelq.open_job; DELETE FROM otelq.job")
    return {"starts/s, one call": count / starting, "rows/s, bare COPY": count / copying}


async def measure(shape: Shape, *, drained: int, many: int) -> dict[str, float]:
    """All figures of one shape, beginning with an empty database."""
    figures = await drain(shape, drained)
    if isinstance(shape, Otelq):
        figures |= await bulk(shape, drained)
    await shape.fill(1000, kind="waiting")
    await shape.vacuum()
    figures["claim ms, 1,000 waiting"] = await claim_cost(shape, TYPES)
    for label, count, kind in (
        ("200k waiting", many // 5, "waiting"),
        ("1M scheduled at a better priority", many, "scheduled"),
        ("1M closed", many, "closed"),
    ):
        await shape.fill(count, kind=kind)
        await shape.vacuum()
        figures[f"claim ms, and {label}"] = await claim_cost(shape, TYPES)
        if kind == "waiting":
            await shape.fill(100, kind="rare")
            figures["claim ms, a rare type behind them"] = await claim_cost(shape, ["rare"])
    return figures


async def run(version: int, *, drained: int, many: int) -> dict[str, dict[str, float]]:
    """The figures by shape."""
    figures: dict[str, dict[str, float]] = {}
    with postgres(version, durable=True, settings=SETTINGS) as server:
        url = server.create_database()
        connection = await asyncpg.connect(url)
        state = adapter(url)
        await state.open()
        figures["otelq"] = await measure(Otelq(connection, state), drained=drained, many=many)
        await state.close()
        wide = Wide(connection)
        await wide.make()
        figures["wide table"] = await measure(wide, drained=drained, many=many)
        await connection.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drained", type=int, default=20_000, help="jobs for WAL and rates")
    parser.add_argument("--many", type=int, default=1_000_000, help="rows that a claim must not notice")
    parser.add_argument("--postgres", type=int, default=18, help="major version")
    arguments = parser.parse_args()
    figures = asyncio.run(run(arguments.postgres, drained=arguments.drained, many=arguments.many))
    print(
        f"PostgreSQL {arguments.postgres}, fsync and synchronous_commit on,",
        ", ".join(f"{k}={v}" for k, v in SETTINGS.items()),
    )
    for name in figures["otelq"]:
        values = "  ".join(f"{shape} {found[name]:>12,.2f}" for shape, found in figures.items() if name in found)
        print(f"{name:50} {values}")


if __name__ == "__main__":
    main()
