"""Every promise of the state port, kept by PostgreSQL through each driver; asyncpg is in `test_state.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from itertools import product

import asyncpg
import pytest
from _pytest.mark import ParameterSet
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


OFTEN = 3
"""One way in so many goes through a theme in every run, another one through the next; `make verify` tries all."""


def _tries() -> Iterator[ParameterSet]:
    for (turn, name), (number, theme) in product(enumerate(WAYS), enumerate(THEMES)):
        marks = [] if (turn + number) % OFTEN == 0 else [pytest.mark.verify]
        yield pytest.param(name, theme, marks=marks, id=f"postgres18-{name}-{theme.name}")


@pytest.fixture(scope="module")
def url(postgres18: PostgresServer) -> Iterator[str]:
    """The one database for all, which the kit empties before every case."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


@pytest.mark.parametrize("name, theme", [*_tries()])
async def test_the_driver_keeps_the_promises(name: str, theme: Theme[Kit], url: str) -> None:
    async with way(name, url) as factory:
        report = await run_cases(factory, theme.cases)

    if not report.passed:
        pytest.fail(str(report), pytrace=False)
