"""An open adapter on a fresh database, connections beside it, and waiting for locks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from otelq.postgres import adapter
from otelq.postgres.state import PostgresState

from ..telemetry.sdk import Sdk

Connect = Callable[[], Awaitable[Any]]
Open = Callable[[], Awaitable["Opened"]]
WaitForLock = Callable[..., Awaitable[None]]


@pytest.fixture
async def state(postgres_url: str) -> AsyncIterator[PostgresState]:
    """The adapter, open on an empty database."""
    made = adapter(postgres_url)
    assert isinstance(made, PostgresState)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def connect(postgres_url: str) -> AsyncIterator[Connect]:
    """Opens connections of a user's own, closed with the test."""
    async with AsyncExitStack() as stack:

        async def open_one() -> Any:
            connection = await asyncpg.connect(postgres_url)
            stack.push_async_callback(connection.close)
            return connection

        yield open_one


@pytest.fixture
def wait_for_lock(connect: Connect) -> WaitForLock:
    """Wait until so many sessions wait for a lock."""

    async def wait(sessions: int = 1) -> None:
        connection = await connect()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while await connection.fetchval(waiting) < sessions:
            pass

    return wait


@pytest.fixture
def opened(connect: Connect) -> Open:
    """Opens transactions of a user's own; those still open at the end are rolled back with their connections."""

    async def open_one() -> Opened:
        connection = await connect()
        transaction = connection.transaction()
        await transaction.start()
        return Opened(connection, transaction)

    return open_one


class Opened:
    """A transaction that the test ends when it likes."""

    def __init__(self, connection: Any, transaction: Any) -> None:
        self.connection = connection
        self._transaction = transaction

    async def end(self, *, committed: bool = True) -> None:
        await (self._transaction.commit() if committed else self._transaction.rollback())


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """Providers in memory, shut down afterwards."""
    sdk = Sdk()
    yield sdk
    sdk.shutdown()
