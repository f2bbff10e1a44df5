"""
Gates before each statement and each commit of the PostgreSQL adapter, and the waits for locks.

A ``Source`` is wrapped, so that every driver and every verb can be stopped where it sends a statement.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any, Final

from otelq.ports.state import Ending
from otelq.postgres.database import PostgresDatabase
from otelq.postgres.drivers.port import ConnectedTransaction, DriverConnection, Joiner, Source
from otelq.postgres.statements import names, read

from .gates import current_gate, pause

LIMIT: Final = 10.0
"""Seconds that a question of the scheduler's own may take."""

WHO_WAITS: Final = """
SELECT pid, pg_blocking_pids(pid) AS blockers
FROM unnest($1::integer[]) AS s (pid)
WHERE cardinality(pg_blocking_pids(pid)) > 0
"""


class GatedLink:
    """A connection whose statements wait at the gate of the task that sends them."""

    def __init__(self, link: DriverConnection) -> None:
        self._link = link

    @property
    def can_copy(self) -> bool:
        return self._link.can_copy

    @property
    def is_guarded(self) -> bool:
        return self._link.is_guarded

    async def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> list[Any]:
        await pause(name_of(text))
        return await self._link.fetch(text, args, timeout=timeout)

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        await pause(f"copy {table}")
        await self._link.copy(table, rows, schema=schema, columns=columns, timeout=timeout)

    def listen(
        self, channel: str, receive: Callable[[str], None], *, lost: Callable[[], None], timeout: float
    ) -> AbstractAsyncContextManager[None]:
        return self._link.listen(channel, receive, lost=lost, timeout=timeout)

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        return self._link.savepoint()


class GatedTransaction(ConnectedTransaction):
    """A transaction whose statements wait; before its end the actor itself stops."""

    def __init__(self, transaction: ConnectedTransaction) -> None:
        self._transaction = transaction
        self.is_own = transaction.is_own

    @property
    def handle(self) -> Any:
        return self._transaction.handle

    @property
    def active(self) -> bool:
        return self._transaction.active

    @property
    def driver_connection(self) -> object:
        return self._transaction.driver_connection

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return self._transaction.watch(ended)

    async def connection(self) -> DriverConnection:
        return GatedLink(await self._transaction.connection())


class GatedSource:
    """A source of gated connections; for a task without a gate it is the source itself."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def location(self) -> str:
        return self._source.location

    @property
    def driver(self) -> str:
        return self._source.driver

    @property
    def joiner(self) -> Joiner:
        return self._source.joiner

    async def open(self) -> int | None:
        return await self._source.open()

    async def close(self) -> None:
        await self._source.close()

    def sibling(self) -> Source | None:
        return self._source.sibling()

    def check(self, kind: type | None) -> None:
        self._source.check(kind)

    @asynccontextmanager
    async def loan(self, *, atomic: bool, timeout: float) -> AsyncGenerator[DriverConnection]:
        async with self._source.loan(atomic=atomic, timeout=timeout) as link:
            await _name_session(link)
            yield GatedLink(link)
            if atomic:
                await pause("commit")

    @asynccontextmanager
    async def begin(self, kind: type | None, *, timeout: float) -> AsyncGenerator[ConnectedTransaction]:
        async with self._source.begin(kind, timeout=timeout) as transaction:
            await _name_session(await transaction.connection())
            yield GatedTransaction(transaction)


async def _name_session(link: DriverConnection) -> None:
    """Set the server's id of the connection on the gate of the running task."""
    gate = current_gate()
    if gate is not None:
        (row,) = await link.fetch("SELECT pg_backend_pid() AS pid", (), timeout=LIMIT)
        gate.session = row["pid"]


async def waits(database: PostgresDatabase, sessions: Sequence[int]) -> Mapping[int, frozenset[int]]:
    """Return those of the sessions that wait for a lock, each with the sessions that it waits for."""
    async with database.source.loan(atomic=False, timeout=LIMIT) as link:
        found = await link.fetch(WHO_WAITS, (list(sessions),), timeout=LIMIT)
    return {row["pid"]: frozenset(row["blockers"]) for row in found}


def name_of(text: str) -> str:
    """Return the name of a statement: its file, known by the first line."""
    first = text.lstrip().partition("\n")[0]
    return _names().get(first, first)


@cache
def _names() -> Mapping[str, str]:
    return {read(f"sql/{name}.sql").partition("\n")[0]: name for name in names("sql")}
