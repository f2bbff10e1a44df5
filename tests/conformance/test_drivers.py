"""Every promise of the state port, kept by PostgreSQL through each driver; asyncpg is in `test_state.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker

from otelq.postgres import adapter
from otelq_verify.conformance.cases import Factory, Theme, run_cases
from otelq_verify.conformance.kit import Kit
from otelq_verify.conformance.state_cases import THEMES

from ..postgres.drivers import ROOMY, engine_for, odd_codecs, own_provider, psycopg_pool
from ..servers import PostgresServer

WAYS = ("psycopg", "sqlalchemy-asyncpg", "sqlalchemy-psycopg", "sqlalchemy-session", "provider", "codecs")


@asynccontextmanager
async def way(name: str, url: str) -> AsyncGenerator[Factory]:
    """Makes adapters that share a pool or an engine."""
    match name.split("-"):
        case ["psycopg"]:
            async with psycopg_pool(url, max_size=ROOMY) as pool:
                yield lambda: adapter(pool)
        case ["codecs"]:
            async with asyncpg.create_pool(url, init=odd_codecs, min_size=0, max_size=ROOMY) as pool:
                yield lambda: adapter(pool)
        case ["provider"]:
            async with own_provider(url) as provider:
                yield lambda: adapter(provider)
        case [_, dialect]:
            engine = engine_for(url, "asyncpg" if dialect == "session" else dialect)
            sessions = async_sessionmaker(engine) if dialect == "session" else None
            yield lambda: adapter(engine, session=sessions)
            await engine.dispose()
        case _:
            raise ValueError(name)


@pytest.fixture(scope="module", params=WAYS, ids=[f"postgres18-{name}" for name in WAYS])
def way_and_url(request: pytest.FixtureRequest, postgres18: PostgresServer) -> Iterator[tuple[str, str]]:
    """A way and the one database for all its themes, which the kit empties before every case."""
    url = postgres18.create_database()
    yield request.param, url
    postgres18.drop_database(url)


@pytest.mark.parametrize("theme", THEMES, ids=[theme.name for theme in THEMES])
async def test_the_driver_keeps_the_promises(way_and_url: tuple[str, str], theme: Theme[Kit]) -> None:
    async with way(*way_and_url) as factory:
        report = await run_cases(factory, theme.cases)

    if not report.passed:
        pytest.fail(str(report), pytrace=False)
