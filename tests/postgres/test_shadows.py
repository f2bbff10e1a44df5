"""Somebody who may only create in ``public`` gets none of it run by otelq, wherever ``public`` is searched."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import psycopg
import pytest
from psycopg import sql

import otelq
from otelq.postgres import adapter
from otelq_verify.conformance.cases import Theme, run_cases
from otelq_verify.conformance.kit import Kit
from otelq_verify.conformance.state_cases import THEMES

from ..servers import PostgresServer
from .shadows import cast_shadows

PUBLIC_FIRST = "SET search_path = public, pg_catalog"
jobs = otelq.Jobs()


@jobs.job("order.ship")
async def ship(attempt: otelq.Attempt[dict[str, int]]) -> int:
    return attempt.input["number"]


@asynccontextmanager
async def shadowed(url: str) -> AsyncGenerator[None]:
    """A database in which a role that may create in ``public``, and nothing else, made overloads; none is run."""
    intruder = f"intruder_{secrets.token_hex(4)}"
    owner = await asyncpg.connect(url)
    await owner.execute(f"CREATE ROLE {intruder} LOGIN; GRANT CREATE ON SCHEMA public TO {intruder}")
    connection = await asyncpg.connect(url, user=intruder)
    assert await cast_shadows(connection) > 1000
    await connection.close()
    try:
        yield
        assert not await owner.fetchval("SELECT is_called FROM public.shadowed")
    finally:
        await owner.execute(f"DROP OWNED BY {intruder} CASCADE; DROP ROLE {intruder}")
        await owner.close()


@pytest.fixture(scope="module")
def url(postgres18: PostgresServer) -> Iterator[str]:
    """The URL of one database for all themes, which the kit empties before every case."""
    made = postgres18.create_database()
    database = sql.Identifier(made.rpartition("/")[2])
    with asyncio.Runner() as runner:
        shadows = shadowed(made)
        runner.run(shadows.__aenter__())
        postgres18.execute(sql.SQL("ALTER DATABASE {} SET search_path = public, pg_catalog").format(database))
        yield made
        runner.run(shadows.__aexit__(None, None, None))
    postgres18.drop_database(made)


@pytest.mark.parametrize(
    "theme",
    [
        pytest.param(theme, id=theme.name, marks=[pytest.mark.verify] if number % 3 else [])
        for number, theme in enumerate(THEMES)
    ],
)
async def test_every_promise_is_kept_where_public_is_searched_first(url: str, theme: Theme[Kit]) -> None:
    report = await run_cases(lambda: adapter(url), theme.cases)

    if not report.passed:
        pytest.fail(str(report), pytrace=False)


async def test_a_client_and_a_worker_run_no_overload_that_fits_better(empty_postgres_url: str) -> None:
    tags = {"shop": "7"}
    async with shadowed(empty_postgres_url), otelq.connect(empty_postgres_url) as client:
        chains = await client.start_many(ship, [{"number": number} for number in range(3)])
        waiting = await client.start(ship, {"number": 9}, tags=tags, delay=60.0, dedup=otelq.Dedup("k"))
        async with otelq.Worker(client, jobs, poll_interval=0.1):
            assert [await client.result(chain, timeout=10) for chain in chains] == [0, 1, 2]
        assert (await client.count(input={"number": 9}, tags=tags)).number == 1
        await client.amend(waiting, priority=-1)
        await client.explain(waiting)
        await client.cancel(waiting)
        await client.redrive(waiting)
        await client.chains(limit=3)
        await client.delete(chains[0])


async def test_a_transaction_that_searches_public_first_runs_no_overload(empty_postgres_url: str) -> None:
    async with (
        shadowed(empty_postgres_url),
        otelq.connect(empty_postgres_url) as client,
        await psycopg.AsyncConnection.connect(empty_postgres_url) as connection,
    ):
        await connection.execute(PUBLIC_FIRST)
        chain = await client.start(ship, {"number": 1}, tx=connection)
        await client.start_many(ship, [{"number": 2}] * 3, tx=connection)
        await client.start(ship, {"number": 3}, tx=connection, blockers=[chain], dedup=otelq.Dedup("k"))
        await client.cancel(chain, tx=connection)
        await connection.commit()
