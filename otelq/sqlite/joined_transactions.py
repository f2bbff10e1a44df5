"""Transactions that the application began, in which verbs write."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import aiosqlite

from ..errors import InvalidArgument, OtelqError
from ..ports.state import Ending, Transaction
from .connection_thread import Settings
from .errors import DRIVER, JOINED, translated
from .session import Verb
from .shared_connection import SharedConnectionCall, connection_problem, main_file
from .statements import SqliteStatements

T = TypeVar("T")

ENDED = "its transaction has ended"
REST = 0.05
"""Seconds to wait for the thread of a connection. If it still works then, the caller asks again later."""


class HandleState:
    """The state of one handle of the application: its lock, and whether its connection was checked."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.is_checked = False


class JoinedTransaction(Transaction):
    """A transaction in which verbs run one after the other, each whole or not at all."""

    def __init__(self, handle_state: HandleState, settings: Settings, statements: SqliteStatements) -> None:
        self._handle_state = handle_state
        self._settings = settings
        self._statements = statements

    def belongs_to(self, settings: Settings) -> bool:
        """Return whether the adapter with these settings joined it."""
        return self._settings is settings

    async def write(self, verb: Verb[T], now: datetime | None) -> T:
        """Run ``verb`` in the transaction: one verb at a time, each whole or not at all."""
        return await self._call(self._writing(verb, now))

    async def read(self, verb: Verb[T], now: datetime | None = None) -> T:
        """
        Run a verb that only reads. All its statements see one snapshot, also before the driver began a transaction.
        """
        call = SharedConnectionCall(self._settings, self._statements, verb, now=now, prepare=self._check, writes=False)
        return await self._call(call)

    @property
    def has_ended(self) -> bool:
        """Return whether it is too late for verbs."""
        return not self.active

    def _writing(self, verb: Verb[T], now: datetime | None = None) -> SharedConnectionCall[T]:
        return SharedConnectionCall(
            self._settings, self._statements, verb, now=now, prepare=self._prepare_to_write, writes=True
        )

    async def _call(self, call: SharedConnectionCall[T]) -> T:
        # One verb at a time on a handle: two tasks would nest their savepoints into each other.
        async with self._handle_state.lock:
            if self.has_ended:
                raise InvalidArgument("tx", ENDED)
            try:
                return await call.run(await self._driver())
            except DRIVER as error:
                raise translated(error, JOINED) from error

    @abstractmethod
    async def _driver(self) -> aiosqlite.Connection:
        """Return the driver's connection, in a transaction that the layer above it (SQLAlchemy) knows of."""

    def _prepare_to_write(self, connection: sqlite3.Connection) -> None:
        """Make sure that SQLite itself has a transaction open. Runs in the thread of the connection."""
        self._check(connection)

    def _check(self, connection: sqlite3.Connection) -> None:
        """Check, once for each handle, that the connection is on our file and runs our statements as they are meant."""
        if self._handle_state.is_checked:
            return
        file = main_file(connection)
        if file is None or not file.samefile(self._settings.path):
            raise InvalidArgument("tx", f"belongs to another database than {self._settings.path}")
        if problem := connection_problem(connection):
            raise InvalidArgument("tx", problem)
        self._handle_state.is_checked = True


class AiosqliteTransaction(JoinedTransaction):
    """A transaction on a connection of aiosqlite, which does not report its end."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        handle_state: HandleState,
        settings: Settings,
        statements: SqliteStatements,
        *,
        is_free: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__(handle_state, settings, statements)
        self._connection = connection
        self._is_free = is_free

    @property
    def handle(self) -> aiosqlite.Connection:
        return self._connection

    @property
    def active(self) -> bool:
        return is_open(self._connection)

    async def is_over(self) -> bool:
        """
        Return whether it has ended.

        ``in_transaction`` does not suffice: with ``autocommit=False`` the next transaction is open at once. But a
        transaction that wrote holds the write lock to its end, so if the lock is free, that one is over.
        """
        if not self.active:
            return await self._is_at_rest()
        try:
            return self._is_free is not None and await self._is_free()
        except (OtelqError, *DRIVER):
            return False

    async def _is_at_rest(self) -> bool:
        """
        Return whether a COMMIT or ROLLBACK that may be under way has ended.

        SQLite reports no open transaction from the moment at which a COMMIT begins. A look for the rows from another
        connection would not find them then, and take the commit for a rollback. The thread of the connection runs this
        only after that statement has ended.
        """
        try:
            async with asyncio.timeout(REST):
                await self._connection._execute(_nothing)  # type: ignore[no-untyped-call]  # pyright: ignore[reportPrivateUsage]  # it has no public name
        except TimeoutError:
            return False
        except (ValueError, *DRIVER):  # it is closed, which waits for its last statement
            return True
        return True

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return False

    async def _driver(self) -> aiosqlite.Connection:
        return self._connection

    def _prepare_to_write(self, connection: sqlite3.Connection) -> None:
        if not connection.in_transaction:  # it was when this began to wait for the thread
            raise InvalidArgument("tx", ENDED)
        super()._prepare_to_write(connection)


def _nothing() -> None:
    pass


def is_open(connection: aiosqlite.Connection) -> bool:
    """Return whether a transaction is open on the connection."""
    try:
        return connection.in_transaction
    except (ValueError, *DRIVER):
        return False
