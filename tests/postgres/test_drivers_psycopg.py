"""psycopg's connections as the caller's transaction, and its pool as the whole connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

import otelq
from otelq.errors import InvalidArgument, NotFound, Refused
from otelq.model import JobQuery
from otelq.ports.state import Ending

from ..servers import PostgresServer
from .drivers import psycopg_pool
from .shortcuts import job
from .test_drivers_sqlalchemy import Remembering, count, greet, run, started

Connection = AsyncConnection[Any]


@pytest.fixture
def url(postgres18: PostgresServer) -> Iterator[str]:
    """A fresh database."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


@pytest.fixture
async def pool(url: str) -> AsyncIterator[AsyncConnectionPool[Any]]:
    async with psycopg_pool(url, max_size=5) as opened:
        yield opened


@pytest.fixture
def hints() -> Remembering:
    return Remembering()


@pytest.fixture
async def client(pool: AsyncConnectionPool[Any], hints: Remembering) -> AsyncIterator[otelq.Client]:
    async with otelq.connect(pool, notify=hints) as opened:
        yield opened


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    """A connection of the caller's, in a zone that is not UTC, with rows of its own kind."""
    opened: Connection = await AsyncConnection.connect(
        url,
        options="-c timezone=Asia/Tokyo",
        row_factory=dict_row,  # pyright: ignore[reportArgumentType]  # the class stands for rows of any kind
    )
    yield opened
    await opened.close()


# The caller's connection


async def test_a_start_as_the_first_statement_rolled_back_leaves_nothing(
    client: otelq.Client, connection: Connection
) -> None:
    await client.start(greet, "ada", tx=connection)
    await connection.rollback()

    assert await count(client) == 0


async def test_a_start_is_told_some_time_after_the_commit(
    client: otelq.Client, connection: Connection, hints: Remembering
) -> None:
    await client.start(greet, "ada", tx=connection)
    assert (hints.due, await count(client)) == ([], 0)

    await connection.commit()
    await started(hints, 1)

    assert await count(client) == 1


async def test_a_start_is_told_at_once_after_the_commit_within_after_commit(
    client: otelq.Client, connection: Connection, hints: Remembering
) -> None:
    async with otelq.after_commit():
        async with connection.transaction():
            await client.start(greet, "ada", tx=connection)
        assert hints.due == []

    assert hints.due == ["greet"]


async def test_a_savepoint_takes_back_what_was_started_in_it(
    client: otelq.Client, connection: Connection, hints: Remembering
) -> None:
    async with otelq.after_commit(), connection.transaction():
        await client.start(greet, "kept", tx=connection)
        async with connection.transaction(force_rollback=True):
            await client.start(greet, "gone", tx=connection)

    assert len(hints.due) == await count(client) == 1


async def test_a_connection_that_commits_by_itself_joins_with_a_transaction_only(
    client: otelq.Client, connection: Connection
) -> None:
    await connection.set_autocommit(True)

    with pytest.raises(InvalidArgument, match=r"tx: is in autocommit mode.*connection\.transaction\(\)"):
        await client.start(greet, "ada", tx=connection)
    async with connection.transaction():
        await client.start(greet, "ada", tx=connection)

    assert await count(client) == 1


async def test_a_closed_connection_is_refused(client: otelq.Client, connection: Connection) -> None:
    await connection.close()

    with pytest.raises(InvalidArgument, match="tx: is closed"):
        await client.start(greet, "ada", tx=connection)


async def test_a_connection_to_another_database_is_refused_and_left_usable(
    client: otelq.Client, postgres18: PostgresServer
) -> None:
    async with await AsyncConnection.connect(postgres18.create_migrated_database()) as other:
        with pytest.raises(InvalidArgument, match="tx: belongs to another database"):
            await client.start(greet, "ada", tx=other)

        await other.execute("SELECT 1")


@pytest.mark.parametrize("wrong", ["refused value", "missing chain"])
async def test_a_verb_that_fails_leaves_the_transaction_where_it_was(
    client: otelq.Client, connection: Connection, wrong: str
) -> None:
    await connection.execute("CREATE TABLE orders (n int)")
    tx = client.engine.state.join(connection)
    if wrong == "refused value":
        with pytest.raises(Refused):
            await client.engine.state.create([job(input='"\\u0000"')], tx=tx)
    else:
        with pytest.raises(NotFound):
            await client.cancel(otelq.new_id(), tx=connection)
    await client.start(greet, "ada", tx=connection)
    await connection.commit()

    assert await count(client) == 1
    await connection.execute("SELECT * FROM orders")


async def test_times_are_in_utc_whatever_the_connections_zone(client: otelq.Client, connection: Connection) -> None:
    async with connection.transaction():
        chain = await client.start(greet, "ada", tx=connection)
        created, _ = await client.engine.state.create([job()], tx=client.engine.state.join(connection))
        found = await client.engine.state.chains(JobQuery(), tx=client.engine.state.join(connection))

    assert len(created) == 1
    assert {item.head.created_at.tzname() for item in found.items} == {"UTC"}
    assert (await client.chain(chain)).head.created_at.tzname() == "UTC"


async def test_a_client_connected_by_url_joins_psycopg_too(url: str, connection: Connection) -> None:
    async with otelq.connect(url) as client:
        await client.start(greet, "ada", tx=connection)
        await connection.commit()

        assert await count(client) == 1


# The pool


async def test_a_pool_too_small_is_refused_with_the_number_needed(url: str) -> None:
    async with psycopg_pool(url, max_size=2) as pool:
        with pytest.raises(InvalidArgument, match="pool: has max_size=2; give it at least 3"):
            await otelq.connect(pool).open()


async def test_a_pool_that_is_not_open_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match="pool: is not open"):
        await otelq.connect(AsyncConnectionPool(url, open=False)).open()


async def test_a_pool_is_left_open_and_its_connections_as_they_were(pool: AsyncConnectionPool[Any]) -> None:
    async with otelq.connect(pool) as client:
        await client.start(greet, "ada")
        async with client.transaction() as tx:
            await client.start(greet, "bob", tx=tx)

    async with pool.connection() as connection:
        assert (connection.autocommit, connection.isolation_level) == (False, None)


@pytest.mark.parametrize("autocommit", [False, True])
async def test_jobs_run_whatever_the_pools_connections_begin(url: str, autocommit: bool) -> None:
    async with psycopg_pool(url, max_size=5, kwargs={"autocommit": autocommit}) as pool, otelq.connect(pool) as client:

        async def handler(attempt: otelq.Attempt[str]) -> str:
            connection = await attempt.completion(AsyncConnection)
            await connection.execute("CREATE TABLE made (n int)")
            return "done"

        assert (await run(client, handler)).status == "completed"
        async with pool.connection() as connection:
            await connection.execute("SELECT * FROM made")


async def test_a_start_in_a_transaction_of_the_clients_is_told(client: otelq.Client, hints: Remembering) -> None:
    async with client.transaction() as tx:
        await client.start(greet, "ada", tx=tx)
    await started(hints, 1)

    assert await count(client) == 1


async def test_a_large_batch_is_copied_in(client: otelq.Client) -> None:
    await client.start_many(greet, [f"name {n}\t\\\n" for n in range(600)])

    assert await count(client) == 600


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
async def test_a_handler_that_ends_its_completion_by_itself_fails(
    client: otelq.Client, pool: AsyncConnectionPool[Any], end: str
) -> None:
    async def handler(attempt: otelq.Attempt[str]) -> str:
        connection = await attempt.completion(AsyncConnection)
        await connection.execute("CREATE TABLE made (n int)")
        await getattr(connection, end)()
        return "done"

    ended = await run(client, handler)

    assert ended.status == "failed"
    async with pool.connection() as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            await connection.execute("SELECT * FROM made")


async def test_a_handle_is_dead_after_its_transaction_and_so_are_its_cursors(client: otelq.Client) -> None:
    async with client.transaction(AsyncConnection) as given:
        connection: Connection = given
        cursor = connection.cursor()
        await cursor.execute("SELECT 1")

    for use in (connection.execute, cursor.execute):
        with pytest.raises(psycopg.InterfaceError, match="has ended"):
            await use("SELECT 1")
    with pytest.raises(psycopg.InterfaceError, match="has ended"):
        await connection.commit()


async def test_leaving_a_transaction_in_which_a_statement_failed_is_an_error(client: otelq.Client) -> None:
    async def swallow_an_error() -> None:
        async with client.transaction(AsyncConnection) as connection:
            await client.start(greet, "ada", tx=connection)
            with suppress(psycopg.Error):
                await connection.execute("SELECT 1 / 0")

    with pytest.raises(otelq.Unavailable, match="rolled back"):
        await swallow_an_error()

    assert await count(client) == 0


async def test_a_sibling_reaches_the_database_from_another_event_loop(client: otelq.Client) -> None:
    await client.start(greet, "ada")
    sibling = client.engine.state.sibling()
    assert sibling is not None

    async def next_due() -> float | None:
        await sibling.open(migrate=False)
        try:
            return await sibling.next_due(["greet"])
        finally:
            await sibling.close()

    assert await asyncio.to_thread(asyncio.run, next_due()) == 0.0


async def test_a_pool_whose_parameters_are_computed_has_no_sibling(url: str) -> None:
    async with (
        psycopg_pool(url, max_size=5, kwargs=lambda: {"autocommit": True}) as pool,
        otelq.connect(pool) as client,
    ):
        assert client.engine.state.sibling() is None


async def test_the_driver_does_not_tell_how_a_transaction_ends(client: otelq.Client, connection: Connection) -> None:
    tx, ends = client.engine.state.join(connection), list[Ending]()

    assert not tx.watch(ends.append)
