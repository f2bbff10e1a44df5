"""Verbs on a connection that the application uses too."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar

import aiosqlite

from ..errors import InvalidArgument
from ..spawn import spawn
from ..uninterrupted import cancel_once
from .connection_thread import Settings, read_text, retry_while_locked
from .errors import DRIVER
from .rows import now_micros, to_micros
from .session import SqliteSession, Verb, run
from .statements import SqliteStatements

T = TypeVar("T")

SAVEPOINT: Final = "otelq_verb"
"""The savepoint of a verb. The application cannot write inside of it, because it has no turn until the end."""

BUILT_IN: Final = frozenset({
    "->", "->>", "abs", "coalesce", "count", "iif", "instr", "json", "json_array", "json_array_length",
    "json_group_array", "json_quote", "json_valid", "max", "min", "row_number",
})  # fmt: skip
"""The SQL functions that our statements call. An application can replace them on its connections."""


class _AbandonedError(Exception):
    """The caller was cancelled, and nothing waits for the verb."""


Prepare: TypeAlias = Callable[[sqlite3.Connection], None]


class SharedConnectionCall(Generic[T]):
    """
    One verb, whole or not at all, in the thread of the connection.

    The verb is one call there. Settings of the application are restored before anything else uses the connection, and
    no cancellation comes between two statements.
    """

    def __init__(
        self,
        settings: Settings,
        statements: SqliteStatements,
        verb: Verb[T],
        *,
        now: datetime | None,
        prepare: Prepare,
        writes: bool,
    ) -> None:
        self._lock_timeout = settings.busy_timeout
        self._statements = statements
        self._prepare = prepare
        self._verb = verb
        self._now = now
        self._writes = writes
        self._is_abandoned = False

    async def run(self, driver: aiosqlite.Connection) -> T:
        """Run the verb. If the caller is cancelled, the verb is undone before the cancellation goes on."""
        return await cancel_once(self._run_shielded(driver))

    async def _run_shielded(self, driver: aiosqlite.Connection) -> T:
        call = spawn(on_thread(driver, self._call))
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            # The thread cannot be interrupted. It checks this before it begins and before it releases the savepoint.
            self._is_abandoned = True
            await asyncio.wait([call])
            call.exception()  # read, so that asyncio does not log it
            raise

    def _call(self, connection: sqlite3.Connection) -> T:
        self._check()
        # Before the savepoint: outside of a transaction, SAVEPOINT begins one, and its release would commit.
        self._prepare(connection)
        connection.execute(f"SAVEPOINT {SAVEPOINT}")
        try:
            result = self._run(connection)
            self._check()  # the last chance: after the release the writes are part of the transaction
        except BaseException:
            undo_verb(connection)
            raise
        connection.execute(f"RELEASE {SAVEPOINT}")
        return result

    def _run(self, connection: sqlite3.Connection) -> T:
        session = SqliteSession(self._statements, connection)
        if self._writes:
            # A write comes first: a transaction that has read cannot wait for the write lock, because its snapshot may
            # be old by then (SQLITE_BUSY_SNAPSHOT).
            retry_while_locked(lambda: self._lock(connection), timeout=self._lock_timeout)
        return run(self._verb(session, now_micros() if self._now is None else to_micros(self._now)))

    def _lock(self, connection: sqlite3.Connection) -> None:
        """Take the write lock; a busy timeout of 0 may be set on the connection, so the caller retries."""
        self._check()
        connection.execute(self._statements.text("lock"))

    def _check(self) -> None:
        if self._is_abandoned:
            raise _AbandonedError


def undo_verb(connection: sqlite3.Connection) -> None:
    """
    Undo a verb that failed, unless SQLite has undone the whole transaction.

    If even that fails, as under a progress handler that interrupts everything, roll back the transaction: half a verb
    must not be committed.
    """
    if not connection.in_transaction:
        return
    try:
        connection.execute(f"ROLLBACK TO {SAVEPOINT}")
        connection.execute(f"RELEASE {SAVEPOINT}")
    except DRIVER:
        with suppress(*DRIVER):
            connection.execute("ROLLBACK")


async def on_thread(driver: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """
    Run ``work`` in the thread of a connection, with the default row and text factories.

    Raises:
        InvalidArgument: it is closed, or not one of Python's ``sqlite3``.
    """
    reached: Any = driver  # aiosqlite has no public way to run a function in its thread
    try:
        connection = unwrapped(reached._conn)
    except ValueError as error:
        raise InvalidArgument("tx", f"cannot be used: {error}") from error
    result: T = await reached._execute(_with_default_factories, connection, work)
    return result


def unwrapped(connection: Any) -> sqlite3.Connection:
    """
    Return the connection under wrappers that trace statements: those of otelq are not the application's.

    Raises:
        InvalidArgument: it is of another driver.
    """
    while hasattr(connection, "__wrapped__"):
        connection = connection.__wrapped__
    if not isinstance(connection, sqlite3.Connection):
        raise InvalidArgument("tx", f"is over {type(connection).__qualname__}; give one over sqlite3.Connection")
    return connection


def _with_default_factories(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    with _default_factories(connection):
        return work(connection)


@contextmanager
def _default_factories(connection: sqlite3.Connection) -> Generator[None]:
    """Set the default factories; cursors of the application keep those that they were made with."""
    row_factory, text_factory = connection.row_factory, connection.text_factory
    connection.row_factory, connection.text_factory = None, read_text
    try:
        yield
    finally:
        connection.row_factory, connection.text_factory = row_factory, text_factory


def main_file(connection: sqlite3.Connection) -> Path | None:
    """Return the file of a connection; None for one in memory. It opens no read transaction."""
    files = {name: file for _, name, file in connection.execute("PRAGMA database_list")}
    return Path(files["main"]) if files["main"] else None


def connection_problem(connection: sqlite3.Connection) -> str | None:
    """Return the setting of a connection that our statements cannot work with, or None. It opens no transaction."""
    if replaced := _replaced_functions(connection):
        return f"its connection has functions in place of SQLite's own: {', '.join(replaced)}"
    if connection.execute("PRAGMA locking_mode").fetchone() == ("exclusive",):
        return "its connection has locking_mode = EXCLUSIVE, which locks everybody else out; set it to NORMAL"
    return None


def _replaced_functions(connection: sqlite3.Connection) -> list[str]:
    """Return the SQL functions of our statements that the application replaced by its own."""
    found = {name for name, is_built_in, *_ in connection.execute("PRAGMA function_list") if not is_built_in}
    return sorted(found & BUILT_IN)
