"""An open database: one connection that writes, one that reads, and those of transactions."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from functools import partial
from typing import TypeVar

from ..ports.state import Transaction
from ..uninterrupted import finish
from .connection_thread import ConnectionThread, Settings, is_free, patiently
from .errors import translating
from .migrate import check, migrate, missing
from .rows import clock, micros
from .session import SqliteSession, Verb, run
from .statements import SqliteStatements
from .transactions import Lender, Transactions
from .writer import Writer

T = TypeVar("T")


class SqliteDatabase:
    """The connections of one adapter."""

    def __init__(self, settings: Settings, queries: SqliteStatements, lender: Lender | None) -> None:
        self._settings = settings
        self._queries = queries
        self._lane = ConnectionThread(settings)
        self._reading = ConnectionThread(settings)
        self._writer = Writer(self._lane, settings, queries)
        self._version: int | None = None
        self.transactions = Transactions(
            settings, queries, lender, lock=self._writer.lock, is_free=lambda: self._lane.run(is_free)
        )

    async def open(self, *, with_migration: bool) -> None:
        """Connect, and see to the schema."""
        if not with_migration and not self._settings.path.exists():
            raise missing(self._settings)  # connecting would make the file
        try:
            await self._lane.open()
            prepare = migrate if with_migration else check
            await self._lane.run(lambda connection: prepare(connection, self._settings, self._queries))
            await self._reading.open()
        except BaseException:
            await finish(self.close())
            raise

    async def close(self) -> None:
        """Let what is on its way to the disk arrive, then disconnect."""
        await self._writer.drain()
        await self.transactions.close()
        await self._reading.close()
        await self._lane.close()

    async def write(self, tx: Transaction | None, verb: Verb[T], now: datetime | None) -> T:
        """Run ``verb`` in ``tx``, or in a transaction of its own."""
        if tx is not None:
            return await self.transactions.join(tx).do(verb, now)
        self.transactions.refuse_self_deadlock()
        return await self._writer.do(verb, now)

    async def read(self, tx: Transaction | None, question: Verb[T], now: datetime | None = None) -> T:
        """Ask ``question`` of what ``tx`` sees, or of what is committed."""
        if tx is not None:
            return await self.transactions.join(tx).ask(question, now)
        return await self._reading.run(partial(self._answer, question, now))

    async def has_changed(self) -> bool:
        """Whether anybody has written since this was asked last."""
        before, self._version = self._version, await self._reading.run(_data_version)
        return before is not None and before != self._version

    def _answer(self, question: Verb[T], now: datetime | None, connection: sqlite3.Connection) -> T:
        with translating(f"cannot read {self._settings.path}"):
            # A reader is locked out only while the log of a process that died is recovered.
            answer, _ = patiently(
                lambda: self._answer_once(question, now, connection), patience=self._settings.busy_timeout
            )
            return answer

    def _answer_once(self, question: Verb[T], now: datetime | None, connection: sqlite3.Connection) -> T:
        """All statements of the question see one snapshot."""
        connection.execute("BEGIN")
        try:
            session = SqliteSession(self._queries, connection)
            return run(question(session, clock() if now is None else micros(now)))
        finally:
            connection.rollback()  # nothing was written; unlike a COMMIT it cannot fail, nor miss what SQLite ended


def _data_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version
