"""Transactions that the adapter begins and ends, on connections that it lends."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import aiosqlite

from ..errors import InvalidArgument, Unavailable
from ..ports.state import Ending
from ..savepoints import Control, SavepointStack, parse_control
from ..spawn import spawn
from .connection_thread import Settings
from .errors import DRIVER
from .joined_transactions import AiosqliteTransaction, HandleState, JoinedTransaction, is_open
from .shared_connection import SAVEPOINT, on_thread
from .statements import SqliteStatements

INTERRUPT_INTERVAL = 0.01
"""Seconds after which a statement that stands before a rollback is interrupted, and again."""
LOST = (
    "the transaction was ended by its user, or by an error after which SQLite rolls back, as of a full disk; it is "
    "committed at the end of the block, or not at all"
)


class OwnedTransaction(JoinedTransaction):
    """A transaction that the adapter began and will end; it holds the write lock of the file."""

    @abstractmethod
    def revoke_handle(self) -> None:
        """
        Let nobody else write from now on.

        Raises:
            InvalidArgument: a task is still at work on the connection; half of what it wants to write would be in.
        """

    @abstractmethod
    async def end(self, *, commit: bool) -> None:
        """
        Commit or roll back, and tell the watchers.

        Raises:
            Unavailable: the commit failed; what was written is rolled back.
        """


class WatchedConnection:
    """A connection for transactions, and who listens to its statements."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.listener: Callable[[str], None] | None = None

    def on_statement(self, sql: str) -> None:
        """Pass a statement on; in the thread of the connection."""
        if self.listener is not None:
            self.listener(sql)


class GuardedConnection(aiosqlite.Connection):
    """
    A connection on loan for one transaction.

    Connections are used again, so whoever keeps one for longer would write into somebody else's transaction.
    """

    def __init__(self, lender: aiosqlite.Connection, check: Callable[[], None]) -> None:
        self._source: Any = lender  # the driver leaves its own parts untyped
        self._check = check
        self._connection = None  # read by the driver's finaliser
        self._iter_chunk_size = lender._iter_chunk_size
        self.running = 0

    def end(self) -> None:
        """Take it back: from now on every use raises."""
        self._source = None

    @property
    def _conn(self) -> sqlite3.Connection:
        if self._source is None:
            raise ValueError("the transaction of this connection has ended")
        conn: sqlite3.Connection = self._source._conn
        return conn

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._source is None:
            raise ValueError("the transaction of this connection has ended")
        self.running += 1
        try:
            return await self._source._execute(self._checked, fn, *args, **kwargs)
        finally:
            self.running -= 1

    def _checked(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """In the thread of the connection."""
        self._check()
        return fn(*args, **kwargs)


class AiosqliteOwnedTransaction(AiosqliteTransaction, OwnedTransaction):
    """One on a connection of aiosqlite."""

    def __init__(self, handle: WatchedConnection, settings: Settings, statements: SqliteStatements) -> None:
        handle_state = HandleState()
        handle_state.is_checked = True
        super().__init__(handle.connection, handle_state, settings, statements)
        self._watched = handle
        self._watched.listener = self._on_statement
        self._guarded = GuardedConnection(handle.connection, self._refuse_if_lost)
        self._ended = False
        self._ending = Ending.UNKNOWN
        # Heard from the first statement on, and before it runs: also what SQLite then refuses.
        self._savepoints = SavepointStack[Callable[[Ending], None]](ignores_case=True, sees_all=True)
        self._loop = asyncio.get_running_loop()

    @property
    def handle(self) -> aiosqlite.Connection:
        return self._guarded

    @property
    def active(self) -> bool:
        return not self._ended and is_open(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        self._savepoints.add(ended)
        return True

    def revoke_handle(self) -> None:
        self._guarded.end()
        if self._guarded.running:
            raise InvalidArgument("tx", "is still used by a task at the end of its transaction; await the task")

    async def end(self, *, commit: bool) -> None:
        """
        Commit or roll back, and tell the watchers.

        Where the application itself ended the transaction by hand, what was written is in doubt: the ids must be looked
        up.
        """
        self._ended = True
        self._guarded.end()
        self._watched.listener = None
        try:
            await (on_thread(self._connection, self._commit) if commit else self._roll_back_soon())
        finally:
            self._notify_watchers()

    def _notify_watchers(self) -> None:
        ending = Ending.UNKNOWN if self._savepoints.is_uncertain else self._ending
        for ended in self._savepoints.take_all():
            ended(ending)

    async def _roll_back_soon(self) -> None:
        """Roll back, and end what a caller has given up: it would keep the thread, and the write lock of all."""
        ending = spawn(on_thread(self._connection, self._roll_back))
        while not (await asyncio.wait([ending], timeout=INTERRUPT_INTERVAL))[0]:
            await self._connection.interrupt()  # of no effect on a statement that is yet to begin
        ending.result()

    def _commit(self, connection: sqlite3.Connection) -> None:
        if not connection.in_transaction:
            return self._check_end_by_user()
        try:
            connection.execute("COMMIT")
        except DRIVER as error:
            self._roll_back(connection)
            raise Unavailable(f"the commit to {self._settings.path} failed: {error}") from error
        self._ending = Ending.COMMITTED

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
            self._ending = Ending.ROLLED_BACK

    def _check_end_by_user(self) -> None:
        """Raise unless that was a commit: who leaves the block well believes in one."""
        if self._savepoints.ended_by is Control.COMMIT:
            return
        if self._savepoints.ended_by is None:
            self._ending = Ending.ROLLED_BACK
        raise Unavailable(LOST)

    def _refuse_if_lost(self) -> None:
        """
        Keep what comes after an error that ended the whole transaction from being committed by itself.

        In the thread of the connection.

        Raises:
            sqlite3.OperationalError: SQLite rolled the transaction back by itself.
        """
        if self._savepoints.ended_by is None and not is_open(self._connection):
            raise sqlite3.OperationalError(LOST)

    def _on_statement(self, sql: str) -> None:
        """In the thread of the connection, before whoever sent the statement goes on."""
        step = parse_control(sql)
        if step is not None and step.name != SAVEPOINT:
            for ended in self._savepoints.apply(step):
                self._loop.call_soon_threadsafe(ended, Ending.ROLLED_BACK)
