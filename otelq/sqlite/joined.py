"""Transactions that the application began, and verbs write in."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from ..errors import InvalidArgument
from ..ports.state import Ending, Transaction
from .errors import DRIVER, JOINED, translated
from .frames import SAVEPOINT
from .lane import Settings
from .queries import Queries
from .rows import clock, micros
from .session import DriverSession, JoinedSession, Verb

T = TypeVar("T")


class Turn:
    """What is remembered of a handle that the application holds: whose turn it is, and that it leads to our file."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.is_ours = False
        self.watcher: Any = None


class Joined(Transaction):
    """A transaction in which verbs take turns, each whole or not at all."""

    def __init__(self, session: JoinedSession, turn: Turn, settings: Settings) -> None:
        self._session = session
        self._turn = turn
        self._settings = settings

    def belongs_to(self, settings: Settings) -> bool:
        """Whether the adapter with these settings joined it."""
        return self._settings is settings

    async def do(self, verb: Verb[T], now: datetime | None) -> T:
        """Run ``verb`` in the transaction: one verb at a time, each whole or not at all."""
        async with self._turn.lock:
            try:
                await self._check()
                await self._get_ready()
                return await self._in_savepoint(verb, now)
            except DRIVER as error:
                raise translated(error, JOINED) from error

    async def ask(self, question: Verb[T], now: datetime | None = None) -> T:
        """Run a verb that only reads."""
        async with self._turn.lock:
            try:
                await self._check()
                return await self._in_snapshot(question, now)
            except DRIVER as error:
                raise translated(error, JOINED) from error

    @property
    def has_ended(self) -> bool:
        """Whether it is too late for verbs."""
        return not self.active

    async def _check(self) -> None:
        if self.has_ended:
            raise InvalidArgument("tx", "its transaction has ended")
        if self._turn.is_ours:
            return
        if not is_same(await self._session.main_file(), self._settings.path):
            raise InvalidArgument("tx", f"belongs to another database than {self._settings.path}")
        self._turn.is_ours = True

    @abstractmethod
    async def _get_ready(self) -> None:
        """Make sure that a transaction of the database itself is open."""

    async def _in_snapshot(self, question: Verb[T], now: datetime | None) -> T:
        """All statements see the same, also where the driver begins no transaction before the first that writes."""
        await self._session.command(f"SAVEPOINT {SAVEPOINT}")
        try:
            return await question(self._session, clock() if now is None else micros(now))
        finally:
            if self.active:
                await self._session.command(f"RELEASE {SAVEPOINT}")

    async def _in_savepoint(self, verb: Verb[T], now: datetime | None) -> T:
        await self._session.command(f"SAVEPOINT {SAVEPOINT}")
        try:
            # First of all a write: only a transaction that has read nothing yet can wait for the write lock.
            await self._session.write("lock")
            result = await verb(self._session, clock() if now is None else micros(now))
        except BaseException:
            if self.active:
                await self._session.command(f"ROLLBACK TO {SAVEPOINT}")
                await self._session.command(f"RELEASE {SAVEPOINT}")
            raise
        await self._session.command(f"RELEASE {SAVEPOINT}")
        return result


class DriverJoined(Joined):
    """A transaction on a connection of aiosqlite, which does not tell how it ends."""

    def __init__(self, connection: aiosqlite.Connection, turn: Turn, settings: Settings, queries: Queries) -> None:
        super().__init__(DriverSession(queries, connection), turn, settings)
        self._connection = connection

    @property
    def handle(self) -> aiosqlite.Connection:
        return self._connection

    @property
    def active(self) -> bool:
        return is_open(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return False

    async def _get_ready(self) -> None:
        pass  # it is open, or was refused


def is_same(path: str, other: Path) -> bool:
    """Whether both name one file, by whatever links; an empty path names none."""
    return bool(path) and other.samefile(path)


def is_open(connection: aiosqlite.Connection) -> bool:
    """Whether a transaction is open on the connection."""
    try:
        return connection.in_transaction
    except (ValueError, *DRIVER):
        return False
