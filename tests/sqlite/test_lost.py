"""Transactions that SQLite rolls back by itself, at an error that the application takes for one of a statement."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

import otelq
from otelq.errors import OtelqError, Unavailable
from otelq.ports.state import Ending
from otelq.sqlite import adapter
from otelq.sqlite.state import SqliteState

from .conftest import Connect, opened
from .shortcuts import count_jobs, start

Rows = Callable[[], list[int]]
KINDS = (aiosqlite.Connection, AsyncConnection, AsyncSession)

TABLES = (
    "CREATE TABLE mine (number INTEGER PRIMARY KEY)",
    "CREATE TRIGGER thirteen BEFORE INSERT ON mine WHEN new.number = 13"
    " BEGIN SELECT RAISE(ROLLBACK, 'not thirteen'); END",
)
LOSES = ("INSERT OR ROLLBACK INTO mine VALUES (1)", "INSERT INTO mine VALUES (13)")
"""Statements that fail after the first row, and take it with them."""


@pytest.fixture
async def engine(file: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    yield engine
    await engine.dispose()


@pytest.fixture
async def on_engine(engine: AsyncEngine, file: Path) -> AsyncIterator[SqliteState]:
    """An adapter that was given the engine, beside a table of the application."""
    async with aiosqlite.connect(file) as connection:
        for statement in TABLES:
            await connection.execute(statement)
        await connection.commit()
    state = opened(adapter(engine))
    await state.open()
    yield state
    await state.close()


@pytest.fixture
def rows(file: Path) -> Rows:
    """The rows of the application that are committed."""

    def read() -> list[int]:
        connection = sqlite3.connect(file)
        try:
            return [number for (number,) in connection.execute("SELECT number FROM mine ORDER BY number")]
        finally:
            connection.close()

    return read


async def execute(handle: Any, statement: str) -> None:
    await handle.execute(statement if isinstance(handle, aiosqlite.Connection) else text(statement))


FAILS = (sqlite3.Error, SQLAlchemyError, OtelqError)


@pytest.mark.parametrize("loses", LOSES)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_block_that_is_left_well_after_such_an_error_is_not_taken_for_a_commit(
    on_engine: SqliteState, rows: Rows, kind: type, loses: str
) -> None:
    told: list[Ending] = []

    async def write() -> None:
        async with on_engine.begin(kind) as tx:
            assert tx.watch(told.append)
            await execute(tx.handle, "INSERT INTO mine VALUES (1)")
            with suppress(*FAILS):
                await execute(tx.handle, loses)

    with pytest.raises(Unavailable, match="by an error after which SQLite rolls back"):
        await write()
    assert (rows(), Ending.COMMITTED in told, len(told)) == ([], False, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_comes_after_such_an_error_is_refused_and_not_committed_by_itself(
    on_engine: SqliteState, rows: Rows, kind: type
) -> None:
    refused: list[BaseException] = []

    async def write() -> None:
        async with on_engine.begin(kind) as tx:
            await execute(tx.handle, "INSERT INTO mine VALUES (1)")
            for statement in (LOSES[0], "INSERT INTO mine VALUES (2)", "SELECT 1"):
                try:
                    await execute(tx.handle, statement)
                except FAILS as error:
                    refused.append(error)
            with suppress(*FAILS):
                await start(on_engine, tx=tx)

    with pytest.raises(Unavailable):
        await write()
    assert len(refused) == 3
    assert rows() == []
    assert await count_jobs(on_engine, await start(on_engine)) == 1  # the lock is free


@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_that_takes_its_statement_alone_leaves_the_rest(
    on_engine: SqliteState, rows: Rows, kind: type, commits: bool
) -> None:
    with suppress(ZeroDivisionError):
        async with on_engine.begin(kind) as tx:
            await execute(tx.handle, "INSERT INTO mine VALUES (1)")
            with suppress(*FAILS):
                await execute(tx.handle, "INSERT INTO mine VALUES (1)")
            if not commits:
                raise ZeroDivisionError
    assert rows() == ([1] if commits else [])


async def test_a_statement_that_is_interrupted_loses_the_transaction(on_engine: SqliteState, rows: Rows) -> None:
    async def write() -> None:
        async with on_engine.begin(aiosqlite.Connection) as tx:
            await execute(tx.handle, "INSERT INTO mine VALUES (1)")
            await tx.handle.set_progress_handler(lambda: 1, 1_000)
            many = "WITH RECURSIVE n(x) AS (SELECT 20 UNION ALL SELECT x + 1 FROM n) INSERT INTO mine SELECT x FROM n"
            with suppress(*FAILS):
                await execute(tx.handle, many)

    with pytest.raises(Unavailable):
        await write()
    assert rows() == []


@pytest.mark.parametrize("kind", [AsyncConnection, AsyncSession])
@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_transaction_of_the_caller_that_was_lost_is_not_told_as_committed(
    on_engine: SqliteState, engine: AsyncEngine, kind: type, goes_on: bool
) -> None:
    told: list[Ending] = []
    async with AsyncSession(engine) if kind is AsyncSession else engine.connect() as handle:
        tx = on_engine.join(handle)
        chain = await start(on_engine, tx=tx)
        assert tx.watch(told.append)
        await execute(handle, "INSERT INTO mine VALUES (1)")
        with suppress(*FAILS):
            await execute(handle, LOSES[0])
        if goes_on:
            await execute(handle, "INSERT INTO mine VALUES (2)")
        await handle.commit()

    assert told == [Ending.UNKNOWN]
    assert await count_jobs(on_engine, chain) == 0


async def test_a_transaction_of_the_drivers_that_was_lost_leaves_nothing_and_refuses_more(
    on_engine: SqliteState, connect: Connect
) -> None:
    connection = await connect()
    await connection.execute("INSERT INTO mine VALUES (1)")
    tx = on_engine.join(connection)
    chain = await start(on_engine, tx=tx)
    with suppress(sqlite3.Error):
        await connection.execute(LOSES[0])

    assert not tx.active
    with pytest.raises(OtelqError, match="its transaction has ended"):
        await start(on_engine, tx=tx)
    assert await count_jobs(on_engine, chain) == 0


jobs = otelq.Jobs()


@jobs.job("writer", retry=otelq.RetryPolicy(max_attempts=3, initial=0))
async def writer(attempt: otelq.Attempt[str]) -> int:
    if attempt.input == "completion":
        return await write_unlucky(await attempt.completion(), attempt.number)
    async with attempt.transaction() as tx:
        return await write_unlucky(tx, attempt.number)


async def write_unlucky(tx: Any, number: int) -> int:
    """Write a row, and lose it at the first attempt."""
    await execute(tx, f"INSERT INTO mine VALUES ({number})")
    if number == 1:
        with suppress(*FAILS):
            await execute(tx, LOSES[0])
    return number


@pytest.mark.usefixtures("on_engine")
@pytest.mark.parametrize("where", ["completion", "transaction"])
async def test_a_handler_that_lost_its_transaction_runs_again(sqlite_url: str, rows: Rows, where: str) -> None:
    async with otelq.connect(sqlite_url) as client, otelq.Worker(client, jobs):
        assert await client.result(await client.start(writer, where), timeout=10) == 2
    assert rows() == [2]


@pytest.mark.usefixtures("on_engine")
async def test_no_callback_runs_after_a_transaction_that_was_lost(sqlite_url: str) -> None:
    ran: list[str] = []

    async def write(client: otelq.Client) -> None:
        async with client.transaction() as tx:
            otelq.after_commit(lambda: ran.append("after"))
            await execute(tx, "INSERT INTO mine VALUES (1)")
            with suppress(*FAILS):
                await execute(tx, LOSES[0])

    async with otelq.connect(sqlite_url) as client:
        with pytest.raises(Unavailable):
            await write(client)
    assert ran == []
