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
from .write_ahead_log import WriteAheadLog
from .writer import Writer

T = TypeVar("T")


class SqliteDatabase:
    """The connections of one adapter."""

    def __init__(self, settings: Settings, statements: SqliteStatements, handle_source: HandleSource | None) -> None:
        self._settings = settings
        self._statements = statements
        # Two connections: with WAL, reads go on while the writer waits for the lock or for the disk.
        self._write_thread = ConnectionThread(settings)
        self._read_thread = ConnectionThread(settings)
        self._writer = Writer(self._write_thread, settings, statements)
        self._log = WriteAheadLog(settings.path)
        self._version: int | None = None
        self.transactions = Transactions(
            settings, statements, handle_source, lock=self._writer.lock, is_free=lambda: self._write_thread.run(is_free)
        )

    async def open(self, *, with_migration: bool) -> None:
        """Connect, and migrate or check the schema."""
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
        """Wait for the verbs under way, then disconnect."""
        # In this order: verbs end before their connections, and both before the file may be removed.
        await self._writer.drain()
        await self.transactions.close()
        await self._read_thread.close()
        await self._write_thread.close()

    async def write(self, tx: Transaction | None, verb: Verb[T], now: datetime | None) -> T:
        """Run ``verb`` in ``tx``, or in a transaction of its own."""
        if tx is not None:
            return await self.transactions.join(tx).write(verb, now)
        # Else the verb would wait for the write lock that its own task holds, until `busy_timeout`.
        self.transactions.refuse_self_deadlock()
        return await self._writer.write(verb, now)

    async def read(self, tx: Transaction | None, verb: Verb[T], now: datetime | None = None) -> T:
        """Run ``verb``, which only reads, in ``tx`` or on what is committed."""
        if tx is not None:
            return await self.transactions.join(tx).read(verb, now)
        return await self._read_thread.run(partial(self._answer, verb, now))

    async def has_changed(self) -> bool:
        """Return whether any connection has written since the last call; a slow disk may delay the answer."""
        if not self._log.has_changed():
            return False
        # SQLite changes this number with every commit of another connection; asking for it reads no table.
        before, self._version = self._version, await self._read_thread.run(_data_version)
        return before is not None and before != self._version

    def _answer(self, verb: Verb[T], now: datetime | None, connection: sqlite3.Connection) -> T:
        with translating(f"cannot read {self._settings.path}"):
            # In WAL mode a reader waits only while the log of a process that died is recovered.
            answer, _ = retry_while_locked(
                lambda: self._answer_once(verb, now, connection), timeout=self._settings.busy_timeout
            )
            return answer

    def _answer_once(self, verb: Verb[T], now: datetime | None, connection: sqlite3.Connection) -> T:
        """Run the verb in one snapshot: all of its statements see the same commits."""
        connection.execute("BEGIN")
        try:
            session = SqliteSession(self._statements, connection)
            return run(verb(session, now_micros() if now is None else to_micros(now)))
        finally:
            # Nothing was written. Unlike COMMIT, this cannot fail, also if SQLite has ended the transaction already.
            connection.rollback()


def _data_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version
