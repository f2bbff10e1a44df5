"""The ways to reach PostgreSQL that the tests of drivers go."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

ROOMY = 10
"""Connections that are enough for any test."""

DIALECTS = ("asyncpg", "psycopg")
"""What SQLAlchemy stands on."""


def engine_for(url: str, dialect: str, **options: Any) -> AsyncEngine:
    """An engine for a URL of a test server."""
    return create_async_engine(url.replace("postgresql://", f"postgresql+{dialect}://", 1), **options)


async def odd_codecs(connection: Any) -> None:
    """Give an asyncpg connection codecs by which nothing of otelq's comes back as it was."""
    for name in ("uuid", "timestamptz", "int8", "float8", "bool", "json", "jsonb"):
        await connection.set_type_codec(name, encoder=str, decoder=len, schema="pg_catalog")


@asynccontextmanager
async def psycopg_pool(url: str, **options: Any) -> AsyncGenerator[AsyncConnectionPool[Any]]:
    """An open pool of psycopg."""
    async with AsyncConnectionPool(url, min_size=0, open=False, **options) as pool:
        yield pool


WAYS = ("url", "asyncpg-pool", "psycopg-pool", "sqlalchemy-asyncpg", "sqlalchemy-psycopg")
"""What ``otelq.connect`` can be given for a database."""


@asynccontextmanager
async def target(way: str, url: str) -> AsyncGenerator[Any]:
    """What to connect to, for one of the ways; closed with the block."""
    match way.split("-"):
        case ["asyncpg", _]:
            async with asyncpg.create_pool(url, min_size=0, max_size=ROOMY) as pool:
                yield pool
        case ["psycopg", _]:
            # It waits twice as long after each failure to connect, and begins anew after this many seconds.
            async with psycopg_pool(url, max_size=ROOMY, reconnect_timeout=1) as pool:
                yield pool
        case ["sqlalchemy", dialect]:
            engine = engine_for(url, dialect)
            try:
                yield engine
            finally:
                await engine.dispose()
        case _:
            yield url


class OwnProvider:
    """A user's wrapper of a driver, as otelq can be given one."""

    is_open = False

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool

    async def execute(self, sql: str, params: Sequence[object], /) -> Sequence[Mapping[str, Any]]:
        return [dict(row) for row in await self._pool.fetch(sql, *params)]

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[OwnTransaction]:
        async with self._pool.acquire() as connection, connection.transaction(isolation="read_committed"):
            inside = OwnTransaction(connection)
            try:
                yield inside
            finally:
                inside.is_open = False


class OwnTransaction:
    """One transaction of the wrapper."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.is_open = True

    async def execute(self, sql: str, params: Sequence[object], /) -> Sequence[Mapping[str, Any]]:
        if not self.is_open:
            raise RuntimeError("the transaction has ended")
        return [dict(row) for row in await self._connection.fetch(sql, *params)]

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[OwnTransaction]:
        async with self._connection.transaction():
            yield self


@asynccontextmanager
async def own_provider(url: str) -> AsyncGenerator[OwnProvider]:
    """A provider for a URL of a test server."""
    async with asyncpg.create_pool(url, min_size=0, max_size=ROOMY) as pool:
        yield OwnProvider(pool)
