"""Transactions of SQLAlchemy: the caller's, which are joined, and the adapter's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakKeyDictionary, ref

from sqlalchemy import RootTransaction
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from ....errors import InvalidArgument, Unavailable
from ....ports.state import Ending
from ....sqlalchemy.engine import refuse_commits
from ....sqlalchemy.handles import AUTOCOMMIT, Handle, begun_connection, check_handle, connection_of, sync_of
from ....sqlalchemy.watcher import Watchers
from ....uninterrupted import finish
from ...errors import is_refusal, raise_commit_failure
from ..port import ConnectedTransaction
from .connection import SqlalchemyConnection
from .watcher import PostgresWatcher

_ACTIVE: Final = 1
"""``psycopg.pq.TransactionStatus.ACTIVE``, without psycopg."""

ERRORS: Final = (SQLAlchemyError, OSError, TimeoutError)
"""The errors of the driver."""


class SqlalchemyTransaction(ConnectedTransaction):
    """A transaction of a session or a connection, which may begin with its first statement."""

    def __init__(self, handle: Handle, watchers: Watchers[PostgresWatcher]) -> None:
        self._handle = handle
        self._watchers = watchers
        self._connection: AsyncConnection | None = None
        self._root: RootTransaction | None = None

    @property
    def handle(self) -> Any:
        return self._handle

    @property
    def driver_connection(self) -> object:
        assert self._connection is not None
        return sync_of(self._connection).connection.driver_connection

    @property
    def active(self) -> bool:
        return self._handle.in_transaction() if self._root is None else self._root.is_active

    async def connection(self) -> SqlalchemyConnection:
        if self._root is None:
            await self._begin()
        elif not self._root.is_active:
            raise InvalidArgument("tx", "its transaction has ended; what was written in it is committed or gone")
        else:
            _ = await connection_of(self._handle)
        assert self._connection is not None
        return SqlalchemyConnection(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return (self._root is None or self._root.is_active) and self._watchers.watch(self._handle, ended)

    async def _begin(self) -> None:
        self._connection = await begun_connection(self._handle)
        sync = sync_of(self._connection)
        if sync.connection.dbapi_connection.autocommit:  # type: ignore[union-attr]  # both drivers' have it
            raise InvalidArgument("tx", AUTOCOMMIT)
        root = self._root = sync.get_transaction()
        assert root is not None


class SqlalchemyOwnTransaction(SqlalchemyTransaction):
    """A transaction that the adapter began and will end; a commit or rollback by others is refused."""

    is_own = True

    def __init__(self, handle: Handle, connection: AsyncConnection, watchers: Watchers[PostgresWatcher]) -> None:
        super().__init__(handle, watchers)
        self._connection = connection
        sync = sync_of(connection)
        root = self._root = sync.get_transaction()
        assert root is not None
        self._watcher = watchers.of(root, handle)
        self._guards = refuse_commits(handle, sync)

    async def commit(self, *, timeout: float) -> None:
        """
        Commit; a cancellation waits for its end, ``timeout`` seconds at most.

        Raises:
            Unavailable: it failed, or its result is not known, or the user ended the transaction before.
        """
        if not self.active:
            raise Unavailable(
                "the transaction was ended by its user; it is committed at the end of the block, or not at all"
            )
        if isinstance(self._handle, AsyncSession):
            await self._handle.flush()
        await finish(self._commit(timeout))

    async def _commit(self, timeout: float) -> None:
        self._guards.remove()
        if self._watcher.is_ended_by_hand:
            raise Unavailable("the transaction was ended by its user; it is committed at the end of the block")
        if self._watcher.is_aborted:
            raise _aborted()
        try:
            await in_time(self._handle.commit(), timeout=timeout)
        except ERRORS as error:
            self._watcher.end(Ending.ROLLED_BACK if is_refusal(error) else Ending.UNKNOWN)
            # Without an answer the COMMIT may still be in flight, so the connection must not go back to its pool.
            if not is_refusal(error):
                await self._invalidate()
            raise_commit_failure(error)
        # Neither driver raises if the server answers COMMIT with ROLLBACK; the watcher knows.
        self._watcher.check_commit()
        if self._watcher.ending is Ending.ROLLED_BACK:
            raise _aborted()

    async def roll_back(self, *, timeout: float) -> None:
        """Roll back; if that fails, close the connection, and the server rolls back."""
        self._guards.remove()
        connection = self._watcher.driver_connection
        if connection is not None and not await _is_free(connection, timeout):
            await self._invalidate()  # a session would return it to the pool in this state
        with suppress(*ERRORS):
            await in_time(self._handle.rollback(), timeout=timeout)
        self._watcher.end(Ending.ROLLED_BACK)

    async def _invalidate(self) -> None:
        """Discard the connection: a task of the user may still run a statement on it."""
        assert self._connection is not None
        with suppress(*ERRORS):
            await self._connection.invalidate()


def _aborted() -> Unavailable:
    return Unavailable("the transaction was rolled back, because a statement in it had failed")


class PostgresSqlalchemyJoiner:
    """The transactions that are observed, one for each connection."""

    def __init__(self) -> None:
        self._watchers = Watchers(PostgresWatcher)
        self._own: WeakKeyDictionary[Handle, ref[SqlalchemyOwnTransaction]] = WeakKeyDictionary()

    def join(self, tx: Any) -> SqlalchemyTransaction:
        """
        Return the transaction that is open, or is about to begin.

        Raises:
            InvalidArgument: it is no session or connection, or leads elsewhere than to PostgreSQL.
        """
        own = self._own.get(tx) if isinstance(tx, (AsyncSession, AsyncConnection)) else None
        if own is not None and (transaction := own()) is not None:
            if not transaction.active:
                raise InvalidArgument("tx", "its transaction has ended")
            return transaction
        handle = check_handle(tx, dialect="postgresql", database="the client's PostgreSQL")
        return SqlalchemyTransaction(handle, self._watchers)

    def own_transaction(self, handle: Handle, connection: AsyncConnection) -> SqlalchemyOwnTransaction:
        """Return the transaction that the adapter began on a connection, to be handed out as ``handle``."""
        transaction = SqlalchemyOwnTransaction(handle, connection, self._watchers)
        self._own[handle] = ref(transaction)
        return transaction


async def in_time(work: Awaitable[object], *, timeout: float) -> None:
    """
    End a transaction; SQLAlchemy discards a connection that does not answer.

    Raises:
        TimeoutError: there was no answer within ``timeout`` seconds.
    """
    async with asyncio.timeout(timeout):
        await work


async def _is_free(connection: Any, timeout: float) -> bool:
    """Return whether no statement is in flight on a driver's connection, and it answers."""
    if hasattr(connection, "pgconn"):
        return bool(connection.info.transaction_status != _ACTIVE)
    try:
        async with asyncio.timeout(timeout):
            await connection.execute("")
    except Exception:  # the driver's own errors, which SQLAlchemy does not wrap here
        return False
    return True
