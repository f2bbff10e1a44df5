"""One outcome that always meets a passing error, as from a trigger of the application, holds up nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import asyncpg
import pytest

import otelq

SIZE = 20
SQLITE = """
    CREATE TRIGGER breaks BEFORE INSERT ON otelq_outcome WHEN new.chain_id = '{id}' BEGIN SELECT json('broken'); END
"""
POSTGRES = """
    CREATE FUNCTION otelq.broken() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'internal error' USING ERRCODE = 'XX000'; END $$;
    CREATE TRIGGER breaks BEFORE INSERT ON otelq.outcome FOR EACH ROW WHEN (new.chain_id = '{id}')
    EXECUTE FUNCTION otelq.broken()
"""

jobs = otelq.Jobs()


@jobs.job("number", lease=1)
async def number(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


async def refuse_to_close(url: str, chain: otelq.Chain[int]) -> None:
    """Let the database raise an error that may pass, but never does, whenever this chain is to be closed."""
    await run(url, (SQLITE if url.startswith("sqlite") else POSTGRES).format(id=chain.id))


async def repair(url: str) -> None:
    """Take that back."""
    await run(url, "DROP TRIGGER breaks" + ("" if url.startswith("sqlite") else " ON otelq.outcome"))


async def run(url: str, sql: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)) as database:
            database.execute(sql)
    else:
        connection = await asyncpg.connect(url)
        await connection.execute(sql)
        await connection.close()


backends = pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)


@backends
async def test_the_neighbours_of_an_outcome_that_always_fails_are_stored(backend: str) -> None:
    async with otelq.connect(backend) as client:
        chains = await client.start_many(number, range(SIZE))
        broken = chains.pop(SIZE // 3)
        await refuse_to_close(backend, broken)
        async with otelq.Worker(client, jobs, concurrency=SIZE, grace=0.5):
            outputs = [await client.result(chain, timeout=20) for chain in chains]
            assert len(outputs) == SIZE - 1
            assert (await client.chain(broken)).tail.status == "running"
            await repair(backend)
            assert await client.result(broken, timeout=20) == SIZE // 3


@backends
async def test_the_slot_of_an_outcome_that_always_fails_is_free_again(backend: str) -> None:
    async with otelq.connect(backend) as client:
        await refuse_to_close(backend, await client.start(number, 0))
        async with otelq.Worker(client, jobs, concurrency=1, grace=0.5):
            chains = await client.start_many(number, range(1, 4))
            assert [await client.result(chain, timeout=20) for chain in chains] == [1, 2, 3]


@backends
async def test_a_chain_whose_outcome_always_fails_can_be_taken_from_its_worker(backend: str) -> None:
    async with otelq.connect(backend) as client:
        broken = await client.start(number, 0, priority=50)
        await refuse_to_close(backend, broken)
        async with otelq.Worker(client, jobs, concurrency=1, grace=0.5, reap_interval=600):
            while (await client.chain(broken)).tail.status != "running":  # noqa: ASYNC110  # no event tells of it
                await asyncio.sleep(0.01)
            chain = await client.start(number, 1)
            await client.take_over(broken)
            assert await client.result(chain, timeout=20) == 1
