"""Connections that a pool still has after what they lead to has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import otelq
from otelq.errors import OtelqError, Unavailable

from ..servers import PostgresServer
from .drivers import WAYS, target

ERRORS = (asyncpg.PostgresError, psycopg.Error, DBAPIError, OtelqError)
greet = otelq.JobType("greet", input=str, output=str)


@pytest.fixture
def url(postgres18: PostgresServer) -> Iterator[str]:
    """A fresh database."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


@asynccontextmanager
async def administrator(url: str) -> AsyncGenerator[Any]:
    """A connection to another database of the server, which no setting of ours makes read-only."""
    connection = await asyncpg.connect(urlsplit(url)._replace(path="/postgres").geturl())
    yield connection
    await connection.close()


async def make_read_only(client: otelq.Client, url: str) -> None:
    """Leave the client with connections that are read-only, as those to an old primary, of a server that is not."""
    name = urlsplit(url).path.strip("/")
    async with administrator(url) as connection:
        await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        for _ in range(10):  # each may meet a connection that was cut
            with suppress(*ERRORS):
                assert (await client.count()).number == 0
            with suppress(*ERRORS):
                async with client.transaction():
                    pass
        await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")


@pytest.mark.parametrize("way", WAYS)
async def test_a_verb_finds_its_way_past_connections_to_a_server_that_is_read_only(way: str, url: str) -> None:
    async with target(way, url) as place, otelq.connect(place) as client:
        await make_read_only(client, url)

        await client.start(greet, "ada")
        await client.start(greet, "bob", dedup=otelq.Dedup("k"))

        assert (await client.count()).number == 2


@pytest.mark.parametrize("way", WAYS)
async def test_a_transaction_that_meets_a_stale_connection_is_its_last(way: str, url: str) -> None:
    async with target(way, url) as place, otelq.connect(place) as client:
        await make_read_only(client, url)

        for _ in range(6):
            with suppress(Unavailable):
                async with client.transaction() as tx:
                    await client.start(greet, "ada", tx=tx)
                break

        assert (await client.count()).number == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_transaction_that_meets_it_in_the_callers_statement_is_its_last(way: str, url: str) -> None:
    write = "CREATE TABLE theirs ()"
    async with target(way, url) as place, otelq.connect(place) as client:
        await make_read_only(client, url)

        for _ in range(6):
            with suppress(*ERRORS):
                async with client.transaction() as tx:
                    await tx.execute(text(write) if way.startswith("sqlalchemy") else write)
                break
        else:
            pytest.fail("the connection was handed on")


@pytest.mark.parametrize("way", WAYS)
async def test_a_prepared_statement_that_a_pooler_lost_is_prepared_anew(way: str, url: str) -> None:
    async with target(way, url) as place, otelq.connect(place) as client:
        for number in range(12):  # psycopg prepares what comes often
            await client.start(greet, str(number))
        async with client.engine.state._database.source.loan(atomic=False, timeout=5) as link:  # type: ignore[attr-defined]  # no verb does this
            await link.fetch("DEALLOCATE ALL", (), timeout=5)

        await client.start(greet, "12")

        assert (await client.count()).number == 13


@pytest.mark.parametrize("way", WAYS)
async def test_a_plan_that_a_migration_made_unfit_is_made_anew(way: str, url: str) -> None:
    connection = await asyncpg.connect(url)
    async with target(way, url) as place, otelq.connect(place) as client:
        chain = await client.start(greet, "ada", tags={"a": "b"})
        for _ in range(12):
            assert (await client.chain(chain)).tail.type == "greet"
            await client.trigger(chain)
        await connection.execute("DROP VIEW otelq.jobs; ALTER TABLE otelq.job ALTER COLUMN type TYPE varchar(500)")

        assert (await client.chain(chain)).tail.type == "greet"
        await client.trigger(chain)
        await client.cancel(chain)
    await connection.close()


@pytest.mark.parametrize("way", WAYS)
async def test_connections_that_died_while_they_were_idle_fail_nobody(way: str, url: str) -> None:
    async with target(way, url) as place, otelq.connect(place) as client:
        chain = await client.start(greet, "later", delay=3600)
        all_in = asyncio.Barrier(4)
        await asyncio.gather(*(_hold(client, all_in) for _ in range(4)))
        async with administrator(url) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                urlsplit(url).path.strip("/"),
            )
        await asyncio.gather(*(client.amend(chain, priority=priority) for priority in range(4)))
        async with client.transaction() as tx:
            await client.cancel(chain, tx=tx)


async def _hold(client: otelq.Client, all_in: asyncio.Barrier) -> None:
    """Have a connection of the client's, together with others."""
    async with client.transaction():
        await all_in.wait()
