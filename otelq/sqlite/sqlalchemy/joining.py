"""Transactions of SQLAlchemy to write in, which it begins late: at the first statement, or at the first that writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any
from weakref import ref

import aiosqlite
from sqlalchemy import RootTransaction
from sqlalchemy.exc import DBAPIError, InvalidRequestError, SQLAlchemyError, UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from ...errors import InvalidArgument
from ...ports.state import Ending
from ..joined import Joined, Turn
from ..lane import Settings, patiently
from ..queries import Queries
from .early import Early, root_of
from .handles import connection_of, driver_error, driver_of, sync_of
from .watching import Watcher

AUTOCOMMIT = "is in AUTOCOMMIT mode, so that each statement would commit by itself; give another isolation level"


class SqlalchemyJoined(Joined):
    """The transaction of a session or a connection, which may be about to be begun."""

    def __init__(
        self, handle: AsyncSession | AsyncConnection, turn: Turn, settings: Settings, queries: Queries
    ) -> None:
        super().__init__(turn, settings, queries)
        self._handle = handle
        self._root: RootTransaction | None = None

    @property
    def handle(self) -> AsyncSession | AsyncConnection:
        return self._handle

    @property
    def active(self) -> bool:
        return self._handle.in_transaction() if self._root is None else self._root.is_active

    @property
    def has_ended(self) -> bool:
        """Before a verb wrote in it, it may be about to be begun."""
        return self._root is not None and not self._root.is_active

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        """
        Tell how it ends, learnt from SQLAlchemy's events.

        What ends it behind SQLAlchemy's back, as a COMMIT on the driver's own connection, is not heard of.
        """
        if self.has_ended:
            return False
        root = root_of(self._handle)
        if root is not None:
            self._watcher(root).add(ended)
        elif isinstance(self._handle, AsyncSession):
            Early(self._handle.sync_session, ended, lambda root: self._watcher(root).add(ended))
        else:
            return False
        return True

    def _watcher(self, root: RootTransaction) -> Watcher:
        known: Watcher | None = self._turn.watcher() if self._turn.watcher else None
        if known is None or known.root is not root or known.is_over:
            session = self._handle.sync_session if isinstance(self._handle, AsyncSession) else None
            known = Watcher(root, session)
            self._turn.watcher = ref(known)
        return known

    async def _driver(self) -> aiosqlite.Connection:
        """Have SQLAlchemy begin; our statements then go past it, as past whatever it tells of the application's."""
        try:
            connection = await connection_of(self._handle)
            if not connection.in_transaction():
                _ = await connection.begin()
        except DBAPIError as error:
            raise driver_error(error) from error
        except SQLAlchemyError as error:
            raise InvalidArgument("tx", f"has no transaction to write in: {error}") from error
        sync = sync_of(connection)
        self._root = sync.get_transaction()
        return driver_of(sync)

    def _prepare_to_write(self, connection: sqlite3.Connection) -> None:
        super()._prepare_to_write(connection)
        if connection.in_transaction:
            return
        # SQLAlchemy believes in a transaction that the driver would begin with the next statement that writes. A
        # savepoint would begin one of its own before that, and its release would commit.
        self._refuse_autocommit(connection)
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"), patience=self._settings.busy_timeout)

    def _refuse_autocommit(self, connection: sqlite3.Connection) -> None:
        if connection.isolation_level is None or commits_by_itself(connection):
            raise InvalidArgument("tx", AUTOCOMMIT)


def commits_by_itself(connection: sqlite3.Connection) -> bool:
    """Whether ``commit`` does nothing on it, as with ``autocommit=True`` since Python 3.12."""
    return getattr(connection, "autocommit", None) is True


def join(tx: Any, turn_of: Callable[[object], Turn], settings: Settings, queries: Queries) -> SqlalchemyJoined:
    """
    The transaction that is open, or is about to be begun.

    Raises:
        InvalidArgument: it is no session or connection, or leads elsewhere than to SQLite.
    """
    if not isinstance(tx, (AsyncSession, AsyncConnection)):
        raise InvalidArgument("tx", f"is {type(tx).__name__}; give an AsyncSession or an AsyncConnection")
    try:
        dialect = tx.sync_session.get_bind().dialect if isinstance(tx, AsyncSession) else tx.dialect
    except UnboundExecutionError as error:
        raise InvalidArgument("tx", "has no bind; give a session as from `async_sessionmaker(engine)`") from error
    except InvalidRequestError as error:
        raise InvalidArgument("tx", f"cannot be used: {error}") from error
    if dialect.name != "sqlite":
        raise InvalidArgument("tx", f"is bound to {dialect.name}; give one that is bound to the client's SQLite file")
    if isinstance(tx, AsyncConnection) and tx.closed:
        raise InvalidArgument("tx", "is closed; give the open connection of your transaction")
    return SqlalchemyJoined(tx, turn_of(tx), settings, queries)
