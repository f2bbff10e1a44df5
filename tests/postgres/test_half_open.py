"""A caller's transaction whose connection has died without a word: no verb in it waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

import otelq
from otelq_verify.wire import LossyProxy, SentStatements
from tests.servers import PostgresServer

from .drivers import ROOMY, engine_for, psycopg_pool

DEADLINE = 0.5
PATIENCE = 30.0
"""Seconds; psycopg asks the server for ten before it gives a statement up."""

waits = otelq.JobType("waits", input=int, output=int)


@pytest_asyncio.fixture
async def proxy(postgres18: PostgresServer) -> AsyncGenerator[LossyProxy]:
    url = postgres18.create_migrated_database()
    async with LossyProxy(url) as proxy:
        yield proxy
    postgres18.drop_database(url)


@asynccontextmanager
async def connected(way: str, url: str) -> AsyncGenerator[otelq.Client]:
    """A client with a short deadline, by one of the ways to PostgreSQL."""
    match way:
        case "psycopg":
            async with (
                psycopg_pool(url, max_size=ROOMY) as pool,
                otelq.connect(pool, command_timeout=DEADLINE) as client,
            ):
                yield client
        case "sqlalchemy":
            engine = engine_for(url.partition("?")[0], "asyncpg", connect_args={"ssl": False})
            async with otelq.connect(engine, command_timeout=DEADLINE) as client:
                yield client
            await engine.dispose()
        case _:
            async with otelq.connect(url, command_timeout=DEADLINE, connect_timeout=DEADLINE) as client:
                yield client


def is_savepoint(said: SentStatements) -> bool:
    return said[-1].startswith("SAVEPOINT")


def is_in_savepoint(said: SentStatements) -> bool:
    return len(said) > 1 and said[-2].startswith("SAVEPOINT")


def is_release(said: SentStatements) -> bool:
    return said[-1].startswith("RELEASE")


@pytest.mark.parametrize(
    "way, where",
    [
        ("asyncpg", is_savepoint),
        ("asyncpg", is_in_savepoint),
        ("asyncpg", is_release),
        ("psycopg", is_savepoint),
        ("sqlalchemy", is_savepoint),
    ],
)
async def test_a_verb_with_a_savepoint_ends_by_the_deadline(
    way: str, where: Callable[[SentStatements], bool], proxy: LossyProxy
) -> None:
    async with connected(way, proxy.url) as client:
        first = await client.start(waits, 1)
        proxy.stall_at(where)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(otelq.Unavailable):  # all of it is the question
                async with client.transaction() as tx:
                    await client.start(waits, 2, blockers=[first], tx=tx)
        assert proxy.lost
        assert [chain.chain_id for chain in (await client.chains()).items] == [first.id]


async def test_a_cancel_is_not_lost_with_the_connection(proxy: LossyProxy) -> None:
    async with connected("asyncpg", proxy.url) as client:
        first = await client.start(waits, 1)
        proxy.stall_at(is_in_savepoint)

        async def hang() -> None:
            async with client.transaction() as tx:
                await client.start(waits, 2, blockers=[first], tx=tx)

        task = asyncio.create_task(hang())
        while not proxy.lost:  # noqa: ASYNC110  # the proxy has no event for it
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(PATIENCE):
                await task
