"""How transactions end, learnt from what passes on the connection."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from otelq.errors import InvalidArgument, Unavailable
from otelq.ports.state import Ending
from otelq.postgres.state import PostgresState

from .conftest import Connect
from .shortcuts import start, status


async def heard() -> None:
    """The driver tells of a statement in the next turn of the loop."""
    await asyncio.sleep(0)


async def watched_start(state: PostgresState, connection: Any, ends: list[Ending]) -> str:
    tx = state.join(connection)
    chain_id = await start(state, tx=tx)
    assert tx.watch(ends.append)
    return chain_id


async def test_a_commit_is_told_once(state: PostgresState, connect: Connect) -> None:
    connection, ends = await connect(), list[Ending]()

    async with connection.transaction():
        await watched_start(state, connection, ends)
        assert ends == []
    async with connection.transaction():
        pass
    await heard()

    assert ends == [Ending.COMMITTED]


async def test_a_rollback_is_told(state: PostgresState, connect: Connect) -> None:
    connection, ends = await connect(), list[Ending]()
    transaction = connection.transaction()
    await transaction.start()
    await watched_start(state, connection, ends)

    await transaction.rollback()
    await heard()

    assert ends == [Ending.ROLLED_BACK]


@pytest.mark.parametrize("text", ["COMMIT", " commit work;", "/* done */ END -- bye", "COMMIT AND NO CHAIN"])
async def test_a_commit_typed_as_text_is_told(state: PostgresState, connect: Connect, text: str) -> None:
    connection, ends = await connect(), list[Ending]()
    await connection.execute("BEGIN")
    await watched_start(state, connection, ends)

    await connection.execute(text)
    await heard()

    assert ends == [Ending.COMMITTED]


async def test_a_savepoint_takes_back_only_what_was_written_inside_it(state: PostgresState, connect: Connect) -> None:
    connection = await connect()
    outside, inside, after = list[Ending](), list[Ending](), list[Ending]()

    async with connection.transaction():
        await watched_start(state, connection, outside)
        nested = connection.transaction()
        await nested.start()
        await watched_start(state, connection, inside)
        await nested.rollback()
        await heard()
        assert (outside, inside) == ([], [Ending.ROLLED_BACK])
        await watched_start(state, connection, after)
    await heard()

    assert outside == after == [Ending.COMMITTED]
    assert inside == [Ending.ROLLED_BACK]


async def test_a_released_savepoint_shares_the_fate_of_the_one_around_it(
    state: PostgresState, connect: Connect
) -> None:
    connection, ends = await connect(), list[Ending]()

    async with connection.transaction():
        await state.join(connection).handle.execute("SAVEPOINT outer_one")
        await watched_start(state, connection, [])
        await connection.execute("SAVEPOINT a")
        await connection.execute("SAVEPOINT b")
        await watched_start(state, connection, ends)
        await connection.execute("RELEASE SAVEPOINT b")
        await connection.execute("ROLLBACK TO SAVEPOINT a")
        await heard()

        assert ends == [Ending.ROLLED_BACK]


async def test_savepoints_of_prepared_statements_take_back_what_was_written_in_them(
    state: PostgresState, connect: Connect
) -> None:
    connection = await connect()
    outside, inside = list[Ending](), list[Ending]()

    async with connection.transaction():
        await watched_start(state, connection, outside)
        await (await connection.prepare("SAVEPOINT a")).fetch()
        await watched_start(state, connection, inside)
        await (await connection.prepare("ROLLBACK TO a")).fetch()
        await heard()
        assert (outside, inside) == ([], [Ending.ROLLED_BACK])
    await heard()

    assert outside == [Ending.COMMITTED]


async def test_a_prepared_commit_is_told(state: PostgresState, connect: Connect) -> None:
    connection, ends = await connect(), list[Ending]()
    await connection.execute("BEGIN")
    await watched_start(state, connection, ends)

    await (await connection.prepare("COMMIT")).fetch()
    await heard()

    assert ends == [Ending.COMMITTED]


async def test_a_savepoint_older_than_the_watcher_takes_back_all_it_knows(
    state: PostgresState, connect: Connect
) -> None:
    connection, ends = await connect(), list[Ending]()

    async with connection.transaction():
        await connection.execute("SAVEPOINT early")
        await watched_start(state, connection, ends)
        await connection.execute("ROLLBACK TO early")
        await heard()

        assert ends == [Ending.ROLLED_BACK]


async def test_a_commit_that_fails_is_a_rollback(state: PostgresState, connect: Connect) -> None:
    connection, ends = await connect(), list[Ending]()
    await connection.execute("CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    transaction = connection.transaction()
    await transaction.start()
    chain_id = await watched_start(state, connection, ends)
    await connection.execute("INSERT INTO late VALUES (1), (1)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await transaction.commit()
    await heard()

    assert ends == [Ending.ROLLED_BACK]
    assert chain_id not in await state.outcomes([chain_id])


async def test_the_commit_of_an_aborted_transaction_is_a_rollback(state: PostgresState, connect: Connect) -> None:
    connection, ends = await connect(), list[Ending]()
    await connection.execute("BEGIN")
    await watched_start(state, connection, ends)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.execute("SELECT 1 / 0")

    await connection.execute("COMMIT")
    await heard()

    assert ends == [Ending.ROLLED_BACK]


@pytest.mark.parametrize("text", ["DO $$ BEGIN PERFORM 1; END $$", "SELECT 1; SELECT CASE WHEN true THEN 1 END"])
async def test_statements_that_may_end_a_transaction_leave_its_end_to_be_asked_when_it_comes(
    state: PostgresState, connect: Connect, text: str
) -> None:
    connection, ends = await connect(), list[Ending]()

    async with connection.transaction():
        await watched_start(state, connection, ends)
        await connection.execute(text)
        await heard()
        assert ends == []
    await heard()

    assert ends == [Ending.UNKNOWN]


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
async def test_a_transaction_that_ends_unheard_and_is_followed_by_another_is_asked_for(
    state: PostgresState, connect: Connect, end: str
) -> None:
    connection, ends = await connect(), list[Ending]()
    await connection.execute("BEGIN")
    await watched_start(state, connection, ends)

    await connection.execute("COMMIT; BEGIN")
    await connection.execute(end)
    await heard()

    assert ends == [Ending.UNKNOWN]


async def test_a_transaction_that_ends_among_other_statements_is_asked_for_at_once(
    state: PostgresState, connect: Connect
) -> None:
    connection, ends = await connect(), list[Ending]()
    await connection.execute("BEGIN")
    await watched_start(state, connection, ends)

    await connection.execute("SELECT 1; COMMIT")
    await heard()

    assert ends == [Ending.UNKNOWN]


async def test_a_connection_that_dies_before_its_commit_leaves_the_end_unknown(
    state: PostgresState, connect: Connect
) -> None:
    connection, ends = await connect(), list[Ending]()
    transaction = connection.transaction()
    await transaction.start()
    await watched_start(state, connection, ends)
    await (await connect()).execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        await transaction.commit()
    while not ends:
        await heard()

    assert ends == [Ending.UNKNOWN]


async def test_joins_of_one_connection_share_one_transaction(state: PostgresState, connect: Connect) -> None:
    connection = await connect()

    async with connection.transaction():
        first, second = state.join(connection), state.join(connection)
        assert first is second
        assert first.active

    await heard()
    assert not first.active


async def test_the_adapters_own_transaction_tells_its_end_before_it_is_left(state: PostgresState) -> None:
    ends = list[Ending]()

    async with state.begin(asyncpg.Connection) as tx:
        assert state.join(tx.handle) is tx
        chain_id = await start(state, tx=tx)
        tx.watch(ends.append)

    assert ends == [Ending.COMMITTED]
    assert not tx.active
    assert await status(state, chain_id) == "ready"


@pytest.mark.parametrize("text", ["SELECT 1 / 0", "DO $$ BEGIN PERFORM 1 / 0; END $$"])
async def test_leaving_an_aborted_transaction_cleanly_is_an_error(state: PostgresState, text: str) -> None:
    ends = list[Ending]()

    async def swallow_an_error() -> None:
        async with state.begin() as tx:
            await start(state, tx=tx)
            tx.watch(ends.append)
            with pytest.raises(asyncpg.DivisionByZeroError):
                await tx.handle.execute(text)

    with pytest.raises(Unavailable, match="rolled back"):
        await swallow_an_error()

    assert ends == [Ending.UNKNOWN if "DO" in text else Ending.ROLLED_BACK]


async def test_a_connection_without_a_transaction_cannot_be_joined(state: PostgresState, connect: Connect) -> None:
    with pytest.raises(InvalidArgument, match="open one"):
        state.join(await connect())
    with pytest.raises(InvalidArgument, match="asyncpg"):
        state.join(object())


async def test_the_adapters_handle_is_dead_after_the_transaction(state: PostgresState) -> None:
    async with state.begin() as tx:
        handle = tx.handle

    with pytest.raises(asyncpg.InterfaceError):
        await handle.execute("SELECT 1")
