"""Transactions that the adapter begins and ends, on connections that it gives to the application."""

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
"""Seconds between two interrupts of a statement that delays a rollback."""
LOST = (
    "the transaction was ended by its user, or by an error after which SQLite rolls back, as of a full disk; it is "
    "committed at the end of the block, or not at all"
)


class OwnedTransaction(JoinedTransaction):
    """A transaction that the adapter began and will end. It holds the write lock of the file."""

    @abstractmethod
    def revoke_handle(self) -> None:
        """
        Refuse further use of the handle.

        Raises:
            InvalidArgument: a task still runs a statement on the connection, and half of its writes would be committed.
        """

    @abstractmethod
    async def end(self, *, commit: bool) -> None:
        """
        Commit or roll back, and notify the watchers.

        Raises:
            Unavailable: the commit failed. The writes are rolled back.
        """


class WatchedConnection:
    """A connection for transactions, with the listener to its statements."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.listener: Callable[[str], None] | None = None

    def on_statement(self, sql: str) -> None:
        """Pass a statement to the listener. Runs in the thread of the connection."""
        if self.listener is not None:
            self.listener(sql)


class GuardedConnection(aiosqlite.Connection):
    """
    A connection that refuses use after the end of its transaction.

    Connections are used again. A handler that still holds one would write into the transaction of another.
    """

    def __init__(self, lender: aiosqlite.Connection, check: Callable[[], None]) -> None:
        self._source: Any = lender  # the driver leaves its own parts untyped
        self._check = check
        self._connection = None  # read by the driver's finaliser
        self._iter_chunk_size = lender._iter_chunk_size
        self.running = 0

    def end(self) -> None:
        """Refuse every use from now on."""
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
        """Check the transaction before each call, in the thread of the connection."""
        self._check()
        return fn(*args, **kwargs)


class AiosqliteOwnedTransaction(AiosqliteTransaction, OwnedTransaction):
    """An owned transaction on a connection of aiosqlite."""

    def __init__(self, handle: WatchedConnection, settings: Settings, statements: SqliteStatements) -> None:
        handle_state = HandleState()
        handle_state.is_checked = True
        super().__init__(handle.connection, handle_state, settings, statements)
        self._watched = handle
        self._watched.listener = self._on_statement
        self._guarded = GuardedConnection(handle.connection, self._refuse_if_lost)
        self._ended = False
        self._ending = Ending.UNKNOWN
        # Every statement is seen, but before it runs: SQLite may still refuse it. So an unknown name changes nothing.
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
        # Also if this raises: then the transaction is rolled back, and must not be written in either.
        self._guarded.end()
        if self._guarded.running:
            raise InvalidArgument("tx", "is still used by a task at the end of its transaction; await the task")

    async def end(self, *, commit: bool) -> None:
        """
        Commit or roll back, and notify the watchers.

        If the application ended the transaction by hand, the end of its writes is unknown: their ids must be looked up.
        """
        self._ended = True
        self._guarded.end()
        self._watched.listener = None
        try:
            await (on_thread(self._connection, self._commit) if commit else self._roll_back_soon())
        finally:
            self._notify_watchers()

    def _notify_watchers(self) -> None:
        # After an end by hand the next COMMIT may be of another transaction: then the writes must be looked up.
        ending = Ending.UNKNOWN if self._savepoints.is_uncertain else self._ending
        for ended in self._savepoints.take_all():
            ended(ending)

    async def _roll_back_soon(self) -> None:
        """Roll back, and interrupt a statement that still runs: it would keep the thread and the write lock."""
        ending = spawn(on_thread(self._connection, self._roll_back))
        while not (await asyncio.wait([ending], timeout=INTERRUPT_INTERVAL))[0]:
            # Again and again, because an interrupt has no effect on a statement that has not begun yet.
            await self._connection.interrupt()
        ending.result()

    def _commit(self, connection: sqlite3.Connection) -> None:
        if not connection.in_transaction:
            return self._check_end_by_user()
        try:
            connection.execute("COMMIT")
        except DRIVER as error:
            # A COMMIT that fails leaves the transaction open, with the write lock.
            self._roll_back(connection)
            raise Unavailable(f"the commit to {self._settings.path} failed: {error}") from error
        self._ending = Ending.COMMITTED

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
            self._ending = Ending.ROLLED_BACK

    def _check_end_by_user(self) -> None:
        """Raise unless the user committed by hand: a block that ends without an error promises a commit."""
        if self._savepoints.ended_by is Control.COMMIT:
            return
        if self._savepoints.ended_by is None:
            self._ending = Ending.ROLLED_BACK
        raise Unavailable(LOST)

    def _refuse_if_lost(self) -> None:
        """
        Refuse statements after an error at which SQLite rolled back the whole transaction: each would commit by itself.

        Runs in the thread of the connection.

        Raises:
            sqlite3.OperationalError: SQLite rolled the transaction back.
        """
        if self._savepoints.ended_by is None and not is_open(self._connection):
            raise sqlite3.OperationalError(LOST)

    def _on_statement(self, sql: str) -> None:
        """Follow a statement, in the thread of the connection, before its sender continues."""
        step = parse_control(sql)
        # The savepoints of verbs end with them, and are of no interest to the application's callbacks.
        if step is not None and step.name != SAVEPOINT:
            for ended in self._savepoints.apply(step):
                # Watchers run on the event loop; this is the thread of the connection.
                self._loop.call_soon_threadsafe(ended, Ending.ROLLED_BACK)
