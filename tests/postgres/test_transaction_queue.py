"""Several tasks in one transaction of the caller's, and psycopg's pipelines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from psycopg import AsyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import otelq
from otelq.errors import InvalidArgument, NotFound

from ..servers import PostgresServer
from .drivers import DIALECTS, engine_for, own_provider
from .test_drivers_sqlalchemy import count, greet

ALONE = "tx: is in use by another task; one task at a time per connection"


@pytest.fixture
def url(postgres18: PostgresServer) -> Iterator[str]:
    """A fresh database."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


@pytest.fixture
async def client(url: str) -> AsyncIterator[otelq.Client]:
    async with otelq.connect(url) as opened:
        yield opened


@pytest.fixture
async def psycopg_connection(url: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(url) as connection:
        yield connection


async def both(client: otelq.Client, tx: Any, **options: Any) -> list[Any]:
    """What comes of two starts at once in one transaction."""
    starts = [client.start(greet, name, tx=tx, **options) for name in ("ada", "bob")]
    return await asyncio.gather(*starts, return_exceptions=True)


def check_one_refused(results: list[Any]) -> None:
    first, second = results
    assert isinstance(first, otelq.Chain)
    assert isinstance(second, InvalidArgument)
    assert str(second).startswith(ALONE)


@pytest.mark.parametrize("options", [{}, {"dedup": otelq.Dedup("k", scope="any")}], ids=["plain", "in a savepoint"])
async def test_asyncpg_lets_one_task_at_a_time_write(client: otelq.Client, url: str, options: Any) -> None:
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        check_one_refused(await both(client, connection, **options))
        await client.start(greet, "cid", tx=connection)

    assert await count(client) == 2
    await connection.close()


async def test_a_statement_of_the_callers_at_the_same_time_is_named_too(client: otelq.Client, url: str) -> None:
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        other = asyncio.ensure_future(connection.execute("SELECT pg_sleep(0.05)"))
        await asyncio.sleep(0)
        with pytest.raises(InvalidArgument, match=ALONE):
            await client.start(greet, "ada", tx=connection)
        await other
        await client.start(greet, "bob", tx=connection)

    assert await count(client) == 1
    await connection.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_sqlalchemy_lets_one_task_at_a_time_write(client: otelq.Client, url: str, dialect: str) -> None:
    engine = engine_for(url, dialect)
    async with AsyncSession(engine) as session, session.begin():
        check_one_refused(await both(client, session))
    async with engine.begin() as connection:
        check_one_refused(await both(client, connection))

    assert await count(client) == 2
    await engine.dispose()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_session_that_is_connecting_in_another_task_is_named_too(
    client: otelq.Client, url: str, dialect: str
) -> None:
    engine = engine_for(url, dialect)
    async with AsyncSession(engine) as session:
        other = asyncio.ensure_future(session.execute(text("SELECT 1")))
        await asyncio.sleep(0)
        with pytest.raises(InvalidArgument, match=ALONE):
            await client.start(greet, "ada", tx=session)
        await other
    await engine.dispose()


@pytest.mark.parametrize("options", [{}, {"tags": {"a": "b"}}])
async def test_psycopg_lets_tasks_take_turns(
    client: otelq.Client, psycopg_connection: AsyncConnection[Any], options: Any
) -> None:
    async with psycopg_connection.transaction():
        results = await both(client, psycopg_connection, **options)

    assert all(isinstance(result, otelq.Chain) for result in results)
    assert await count(client) == 2


async def test_one_task_that_fails_takes_nothing_of_another_back(
    client: otelq.Client, psycopg_connection: AsyncConnection[Any]
) -> None:
    missing = otelq.Chain("01890000-0000-7000-8000-000000000000", greet)
    async with psycopg_connection.transaction():
        results = await asyncio.gather(
            client.start(greet, "ada", tx=psycopg_connection, blockers=[missing]),
            *(client.start(greet, name, tx=psycopg_connection) for name in "abcde"),
            return_exceptions=True,
        )

    assert isinstance(results[0], NotFound)
    assert await count(client) == 5


async def test_transactions_of_a_provider_take_turns(client: otelq.Client, url: str) -> None:
    async with own_provider(url) as provider, provider.transaction() as tx:
        results = await both(client, tx)

    assert all(isinstance(result, otelq.Chain) for result in results)
    assert await count(client) == 2


@pytest.mark.parametrize("autocommit", [False, True])
async def test_psycopg_in_pipeline_mode_is_written_in(client: otelq.Client, url: str, autocommit: bool) -> None:
    connection = await AsyncConnection.connect(url, autocommit=autocommit)
    async with connection, connection.pipeline(), connection.transaction():
        before = await connection.execute("SELECT 1")
        await client.start(greet, "ada", tx=connection)
        await client.start(greet, "bob", tx=connection, dedup=otelq.Dedup("k"))
        after = await connection.execute("SELECT 2")
        assert [await before.fetchone(), await after.fetchone()] == [(1,), (2,)]

    assert await count(client) == 2


async def test_a_start_that_fails_in_pipeline_mode_leaves_the_transaction_as_it_was(
    client: otelq.Client, psycopg_connection: AsyncConnection[Any]
) -> None:
    chain_id = (await client.start(greet, "ada")).id
    async with psycopg_connection.pipeline(), psycopg_connection.transaction():
        await client.start(greet, "bob", tx=psycopg_connection)
        with pytest.raises(otelq.AlreadyExists):
            await client.start(greet, "cid", tx=psycopg_connection, id=chain_id)

    assert await count(client) == 2


async def test_a_transaction_that_an_error_has_aborted_is_named(client: otelq.Client, url: str) -> None:
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.execute("SELECT 1 / 0")

    with pytest.raises(InvalidArgument, match="tx: is aborted, as a statement in it failed before"):
        await client.start(greet, "ada", tx=connection)

    await transaction.rollback()
    await connection.close()
