"""An open database: one connection that writes, one that reads, and those of transactions."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from functools import partial
from typing import TypeVar

from ..ports.state import Transaction
from ..uninterrupted import finish
from .connection_thread import ConnectionThread, Settings, is_free, retry_while_locked
from .errors import translating
from .migrate import check, migrate, missing
from .rows import now_micros, to_micros
from .session import SqliteSession, Verb, run
from .statements import SqliteStatements
from .transactions import HandleSource, Transactions
from .writer import Writer

T = TypeVar("T")


class SqliteDatabase:
    """The connections of one adapter."""

    def __init__(self, settings: Settings, statements: SqliteStatements, handle_source: HandleSource | None) -> None:
        self._settings = settings
        self._statements = statements
        self._write_thread = ConnectionThread(settings)
        self._read_thread = ConnectionThread(settings)
        self._writer = Writer(self._write_thread, settings, statements)
        self._version: int | None = None
        self.transactions = Transactions(
            settings, statements, handle_source, lock=self._writer.lock, is_free=lambda: self._write_thread.run(is_free)
        )

    async def open(self, *, with_migration: bool) -> None:
        """Connect, and see to the schema."""
        if not with_migration and not self._settings.path.exists():
            raise missing(self._settings)  # connecting would make the file
        try:
            await self._write_thread.open()
            prepare = migrate if with_migration else check
            await self._write_thread.run(lambda connection: prepare(connection, self._settings, self._statements))
            await self._read_thread.open()
        except BaseException:
            await finish(self.close())
            raise

    async def close(self) -> None:
        """Let what is on its way to the disk arrive, then disconnect."""
        await self._writer.drain()
        await self.transactions.close()
        await self._read_thread.close()
        await self._write_thread.close()

    async def write(self, tx: Transaction | None, verb: Verb[T], now: datetime | None) -> T:
        """Run ``verb`` in ``tx``, or in a transaction of its own."""
        if tx is not None:
            return await self.transactions.join(tx).write(verb, now)
        self.transactions.refuse_self_deadlock()
        return await self._writer.write(verb, now)

    async def read(self, tx: Transaction | None, verb: Verb[T], now: datetime | None = None) -> T:
        """Ask ``verb`` of what ``tx`` sees, or of what is committed."""
        if tx is not None:
            return await self.transactions.join(tx).read(verb, now)
        return await self._read_thread.run(partial(self._answer, verb, now))

    async def has_changed(self) -> bool:
        """Whether anybody has written since this was asked last."""
        before, self._version = self._version, await self._read_thread.run(_data_version)
        return before is not None and before != self._version

    def _answer(self, verb: Verb[T], now: datetime | None, connection: sqlite3.Connection) -> T:
        with translating(f"cannot read {self._settings.path}"):
            # A reader is locked out only while the log of a process that died is recovered.
            answer, _ = retry_while_locked(
                lambda: self._answer_once(verb, now, connection), timeout=self._settings.busy_timeout
            )
            return answer

    def _answer_once(self, verb: Verb[T], now: datetime | None, connection: sqlite3.Connection) -> T:
        """All statements of the question see one snapshot."""
        connection.execute("BEGIN")
        try:
            session = SqliteSession(self._statements, connection)
            return run(verb(session, now_micros() if now is None else to_micros(now)))
        finally:
            connection.rollback()  # nothing was written; unlike a COMMIT it cannot fail, nor miss what SQLite ended


def _data_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version
