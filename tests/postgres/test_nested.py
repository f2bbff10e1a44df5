"""Handlers with default settings that open transactions in each other all end, with what they wanted or an error."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import product
from typing import Any

import asyncpg
import pytest
from psycopg_pool import AsyncConnectionPool

import otelq
from otelq_verify.drivers import execute

from ..servers import PostgresServer
from .drivers import engine_for

HANDLERS = 10
"""As many as a worker runs at once by default."""

jobs = otelq.Jobs()
other = otelq.JobType("other", input=int, output=int)

arrived: dict[str, asyncio.Barrier] = {}


class Step:
    """The ways to a connection that a handler has."""

    def __init__(self, attempt: otelq.Attempt[Any]) -> None:
        self._attempt = attempt

    @asynccontextmanager
    async def completion(self) -> AsyncGenerator[Any]:
        yield await self._attempt.completion()

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        return self._attempt.transaction()

    def client(self) -> AbstractAsyncContextManager[Any]:
        return self._attempt.client.transaction()

    @asynccontextmanager
    async def start(self) -> AsyncGenerator[None]:
        await self._attempt.client.start(other, 1, delay=3600)
        yield None


STEPS: dict[str, Callable[[Step], AbstractAsyncContextManager[Any]]] = {
    "completion": Step.completion,
    "transaction": Step.transaction,
    "client": Step.client,
    "start": Step.start,
}
ORDERS = [(first, second) for first, second in product(STEPS, STEPS) if first != "start"]


@jobs.job("nest", retry=otelq.RetryPolicy(initial=0.05, max_attempts=50))
async def nest(attempt: otelq.Attempt[list[str]]) -> int:
    """Open one in another, when all have the first."""
    async with AsyncExitStack() as stack:
        for place, step in enumerate(attempt.input[1:]):
            tx = await stack.enter_async_context(STEPS[step](Step(attempt)))
            if tx is not None:
                await execute(tx, "SELECT 1")
            if place == 0 and attempt.number == 1:
                await arrived[attempt.input[0]].wait()
    return attempt.number


@asynccontextmanager
async def made(kind: str, url: str) -> AsyncGenerator[Any]:
    """A URL, or the application's own with connections for all but one."""
    size = HANDLERS + 2
    match kind:
        case "asyncpg":
            async with asyncpg.create_pool(url, min_size=0, max_size=size) as pool:
                yield pool
        case "psycopg":
            async with AsyncConnectionPool(url, min_size=0, max_size=size, open=False) as psycopg_pool:
                yield psycopg_pool
        case "sqlalchemy":
            engine = engine_for(url, "asyncpg", pool_size=size, max_overflow=0)
            yield engine
            await engine.dispose()
        case _:
            yield url


@pytest.mark.parametrize("kind", ["url", "asyncpg", "psycopg", "sqlalchemy"])
async def test_ten_handlers_that_open_two_transactions_each_all_end(postgres18: PostgresServer, kind: str) -> None:
    url = postgres18.create_migrated_database()
    async with (
        made(kind, url) as target,
        otelq.connect(target, command_timeout=3.0) as client,
        otelq.Worker(client, jobs, poll_interval=0.1),
    ):
        for order in ORDERS:
            name = f"{kind} {order}"
            arrived[name] = asyncio.Barrier(HANDLERS)
            chains = await client.start_many(nest, [[name, *order]] * HANDLERS)
            async with asyncio.timeout(15):
                ends = await asyncio.gather(*(client.result(chain) for chain in chains))
            assert sum(ends) <= 4 * HANDLERS, f"{order}: {ends}"
    postgres18.drop_database(url)


async def test_a_request_for_a_connection_that_nobody_gives_back_ends_in_time(postgres18: PostgresServer) -> None:
    url = postgres18.create_migrated_database()
    async with otelq.connect(url, max_size=1, command_timeout=0.3) as client, client.transaction():
        with pytest.raises(otelq.Unavailable, match=r"1 are open.*max_size"):
            await asyncio.create_task(_open(client), context=contextvars.Context())
    postgres18.drop_database(url)


async def _open(client: otelq.Client) -> None:
    async with client.transaction():
        raise AssertionError("there was no connection to be had")
