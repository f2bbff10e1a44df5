"""Connections of Python 3.12 and newer with ``autocommit``: always in a transaction, or never by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

import otelq
from otelq.errors import InvalidArgument
from otelq.sqlite import adapter
from otelq.sqlite.state import SqliteState
from tests.behaviour.support import until

from .conftest import Connect, opened
from .shortcuts import count_jobs, start

job = otelq.JobType("a", input=int, output=int)


@pytest.fixture
async def client(sqlite_url: str) -> AsyncIterator[otelq.Client]:
    async with otelq.connect(sqlite_url) as client:
        yield client


def untold(client: otelq.Client) -> int:
    """How many transactions are waited for to end."""
    return len(client.engine.effects._polled)


@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_the_end_of_a_transaction_is_noticed_though_the_next_has_begun(
    client: otelq.Client, connect: Connect, ends: str
) -> None:
    connection = await connect(autocommit=False)
    told: list[bool] = []
    for number in range(3):
        await client.start(job, number, tx=connection)
        tx = client.engine.state.join(connection)
        client.engine.effects.follow([], tx=tx, on_known=told.append)
        await (connection.commit() if ends == "commit" else connection.rollback())
        assert connection.in_transaction
        await until(lambda: untold(client) == 0)
    assert (await client.count()).number == (3 if ends == "commit" else 0)


async def test_a_transaction_that_is_open_is_not_taken_for_ended(client: otelq.Client, connect: Connect) -> None:
    connection = await connect(autocommit=False)
    await client.start(job, 1, tx=connection)
    [held] = client.engine.effects._polled
    assert not await held.tx.is_over()
    await connection.commit()
    assert await held.tx.is_over()


async def test_a_transaction_begun_by_hand_under_autocommit_is_joined(client: otelq.Client, connect: Connect) -> None:
    connection = await connect(autocommit=True)
    await connection.execute("BEGIN IMMEDIATE")
    await client.start(job, 1, tx=connection)
    await connection.execute("COMMIT")
    await until(lambda: untold(client) == 0)
    assert (await client.count()).number == 1


async def test_without_one_begun_by_hand_autocommit_is_refused(client: otelq.Client, connect: Connect) -> None:
    connection = await connect(autocommit=True)
    with pytest.raises(InvalidArgument, match="tx: no transaction is open"):
        await client.start(job, 1, tx=connection)


@pytest.fixture
async def engine_with(file: Path) -> AsyncIterator[Callable[..., AsyncEngine]]:
    """Makes engines with arguments of the driver."""
    made: list[AsyncEngine] = []

    def make(**options: Any) -> AsyncEngine:
        made.append(create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args=options))
        return made[-1]

    yield make
    for engine in made:
        await engine.dispose()


async def test_a_session_whose_driver_is_never_without_a_transaction_is_joined(
    client: otelq.Client, engine_with: Callable[..., AsyncEngine]
) -> None:
    async with AsyncSession(engine_with(autocommit=False)) as session:
        await client.start(job, 1, tx=session)
        await session.rollback()
        await client.start(job, 2, tx=session)
        await session.commit()
        await until(lambda: untold(client) == 0)
    assert [one.input for one in (await client.jobs()).items] == ["2"]


async def test_a_session_that_commits_each_statement_by_itself_is_refused(
    state: SqliteState, engine_with: Callable[..., AsyncEngine]
) -> None:
    async with AsyncSession(engine_with(autocommit=True)) as session:
        with pytest.raises(InvalidArgument, match="tx: is in AUTOCOMMIT mode"):
            await start(state, tx=state.join(session))


async def test_transactions_of_an_engine_that_is_never_without_one(engine_with: Callable[..., AsyncEngine]) -> None:
    state = opened(adapter(engine_with(autocommit=False)))
    await state.open()
    async with state.begin() as tx:
        chain = await start(state, tx=tx)
    assert await count_jobs(state, chain, await start(state)) == 2
    await state.close()
