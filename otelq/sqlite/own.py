"""Transactions that the adapter begins and ends, on connections that it lends."""

from __future__ import annotations

import re
import sqlite3
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import aiosqlite

from ..errors import InvalidArgument, Unavailable
from ..ports.state import Ending
from .errors import DRIVER
from .joined import SAVEPOINT, DriverJoined, Joined, Turn, is_open
from .lane import Settings
from .queries import Queries

_DOUBTFUL = re.compile(rf"\s*(?:COMMIT|END|ROLLBACK(?!.*\b{SAVEPOINT}\b))\b", re.IGNORECASE)


class OwnTransaction(Joined):
    """A transaction that the adapter began and will end; it holds the write lock of the file."""

    @abstractmethod
    def take_back(self) -> None:
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


class Handle:
    """A connection for transactions; it notices statements that leave the end of one in doubt."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.doubts = 0

    def traced(self, sql: str) -> None:
        if _DOUBTFUL.match(sql):
            self.doubts += 1


class Lent(aiosqlite.Connection):
    """
    A connection on loan for one transaction.

    Connections are used again, so whoever keeps one for longer would write into somebody else's transaction.
    """

    def __init__(self, lender: aiosqlite.Connection) -> None:
        self._lender: Any = lender  # the driver leaves its own parts untyped
        self._connection = None  # read by the driver's finaliser
        self._iter_chunk_size = lender._iter_chunk_size
        self.at_work = 0

    def end(self) -> None:
        """Take it back: from now on every use raises."""
        self._lender = None

    @property
    def _conn(self) -> sqlite3.Connection:
        if self._lender is None:
            raise ValueError("the transaction of this connection has ended")
        conn: sqlite3.Connection = self._lender._conn
        return conn

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._lender is None:
            raise ValueError("the transaction of this connection has ended")
        self.at_work += 1
        try:
            return await self._lender._execute(fn, *args, **kwargs)
        finally:
            self.at_work -= 1


class LentTransaction(DriverJoined, OwnTransaction):
    """One on a connection of aiosqlite."""

    def __init__(self, handle: Handle, settings: Settings, queries: Queries) -> None:
        turn = Turn()
        turn.is_ours = True
        super().__init__(handle.connection, turn, settings, queries)
        self._doubtful = handle
        self._lent = Lent(handle.connection)
        self._ended = False
        self._watchers: list[tuple[Callable[[Ending], None], int]] = []

    @property
    def handle(self) -> aiosqlite.Connection:
        return self._lent

    @property
    def active(self) -> bool:
        return not self._ended and is_open(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        self._watchers.append((ended, self._doubtful.doubts))
        return True

    def take_back(self) -> None:
        self._lent.end()
        if self._lent.at_work:
            raise InvalidArgument("tx", "is still used by a task at the end of its transaction; await the task")

    async def end(self, *, commit: bool) -> None:
        """
        Commit or roll back, and tell the watchers.

        Where the application itself went back to a savepoint, or ended the transaction by hand, what was written
        before is in doubt: the ids must be looked up.
        """
        self._ended = True
        self._lent.end()
        doubts = self._doubtful.doubts
        ending = Ending.UNKNOWN
        try:
            if is_open(self._connection):
                await self._session.command("COMMIT" if commit else "ROLLBACK")
                ending = Ending.COMMITTED if commit else Ending.ROLLED_BACK
        except DRIVER as error:
            if is_open(self._connection):
                await self._session.command("ROLLBACK")
                ending = Ending.ROLLED_BACK
            raise Unavailable(f"the commit to {self._settings.path} failed: {error}") from error
        finally:
            for ended, seen in self._watchers:
                ended(ending if seen == doubts else Ending.UNKNOWN)
            self._watchers.clear()
