"""The application's transactions of SQLAlchemy, which begin with the first statement, or the first that writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import aiosqlite
from sqlalchemy import RootTransaction
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ...errors import InvalidArgument
from ...ports.state import Ending
from ...sqlalchemy.handles import AUTOCOMMIT, Handle, begun_connection, check_handle, sync_of
from ...sqlalchemy.watcher import Watchers
from ..connection_thread import Settings, retry_while_locked
from ..joined_transactions import HandleState, JoinedTransaction
from ..statements import SqliteStatements
from .driver import driver_error, driver_of, no_connection
from .watcher import SqliteWatcher


class SqliteSqlalchemyTransaction(JoinedTransaction):
    """The transaction of a session or a connection. It may not have begun yet."""

    def __init__(
        self,
        handle: Handle,
        handle_state: HandleState,
        settings: Settings,
        statements: SqliteStatements,
        *,
        watchers: Watchers[SqliteWatcher],
    ) -> None:
        super().__init__(handle_state, settings, statements)
        self._handle = handle
        self._watchers = watchers
        self._root: RootTransaction | None = None

    @property
    def handle(self) -> Handle:
        return self._handle

    @property
    def active(self) -> bool:
        return self._handle.in_transaction() if self._root is None else self._root.is_active

    @property
    def has_ended(self) -> bool:
        """Return whether it has ended. Before the first verb it may not have begun yet."""
        return self._root is not None and not self._root.is_active

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return not self.has_ended and self._watchers.watch(self._handle, ended)

    async def _driver(self) -> aiosqlite.Connection:
        """Begin a transaction in SQLAlchemy; return the driver's connection, so that our statements raise no events."""
        try:
            sync = sync_of(await begun_connection(self._handle))
        except DBAPIError as error:
            raise driver_error(error) from error
        except SQLAlchemyError as error:
            raise no_connection(error, self._settings.path) from error
        self._root = sync.get_transaction()
        return driver_of(sync)

    def _prepare_to_write(self, connection: sqlite3.Connection) -> None:
        super()._prepare_to_write(connection)
        if connection.in_transaction:
            return
        # SQLAlchemy believes in a transaction that the driver would begin with the next statement that writes. A
        # savepoint would begin one of its own before that, and its release would commit.
        self._refuse_autocommit(connection)
        retry_while_locked(lambda: connection.execute("BEGIN IMMEDIATE"), timeout=self._settings.busy_timeout)

    def _refuse_autocommit(self, connection: sqlite3.Connection) -> None:
        if connection.isolation_level is None or commits_by_itself(connection):
            raise InvalidArgument("tx", AUTOCOMMIT)


def commits_by_itself(connection: sqlite3.Connection) -> bool:
    """Return whether ``commit`` does nothing on it, as with ``autocommit=True`` since Python 3.12."""
    return getattr(connection, "autocommit", None) is True


class SqliteSqlalchemyJoiner:
    """Joins transactions of sessions and connections."""

    def __init__(
        self, state_of: Callable[[object], HandleState], settings: Settings, statements: SqliteStatements
    ) -> None:
        self._state_of = state_of
        self._settings = settings
        self._statements = statements
        self._watchers = Watchers(SqliteWatcher)

    def join(self, tx: object) -> SqliteSqlalchemyTransaction:
        """
        Return the transaction that is open, or will begin.

        Raises:
            InvalidArgument: it is no session or connection, or is not bound to SQLite.
        """
        handle = check_handle(tx, dialect="sqlite", database="the client's SQLite file")
        return SqliteSqlalchemyTransaction(
            handle, self._state_of(handle), self._settings, self._statements, watchers=self._watchers
        )
