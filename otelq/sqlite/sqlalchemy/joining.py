"""Transactions of SQLAlchemy to write in, which it begins late: at the first statement, or at the first that writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import ref

import aiosqlite
from sqlalchemy import Connection, RootTransaction
from sqlalchemy.exc import DBAPIError, InvalidRequestError, SQLAlchemyError, UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from ...errors import InvalidArgument
from ...ports.state import Ending
from ..joined import Joined, Turn, is_open
from ..lane import Settings
from ..queries import Queries
from ..session import JoinedSession, Value
from .early import Early, root_of
from .watching import Watcher

AUTOCOMMIT = "is in AUTOCOMMIT mode, so that each statement would commit by itself; give another isolation level"


class SqlalchemySession(JoinedSession):
    """A session on a connection of SQLAlchemy. All goes through it and nothing past it, so that it knows."""

    def __init__(self, queries: Queries, handle: AsyncSession | AsyncConnection) -> None:
        super().__init__(queries)
        self._handle = handle

    async def connection(self) -> AsyncConnection:
        """
        The connection, in a transaction that SQLAlchemy knows of.

        Raises:
            InvalidArgument: there is none to be had.
        """
        try:
            connection = await connection_of(self._handle)
            if not connection.in_transaction():
                _ = await connection.begin()
        except DBAPIError as error:
            raise driver_error(error) from error
        except SQLAlchemyError as error:
            raise InvalidArgument("tx", f"has no transaction to write in: {error}") from error
        return connection

    async def _fetch(self, sql: str, values: Mapping[str, Value]) -> list[Sequence[Any]]:
        connection = await self.connection()
        parameters: Any = dict(values)
        try:
            result = await connection.exec_driver_sql(sql, parameters or None)
        except DBAPIError as error:
            raise driver_error(error) from error
        return list(result.fetchall()) if result.returns_rows else []


class SqlalchemyJoined(Joined):
    """The transaction of a session or a connection, which may be about to be begun."""

    def __init__(
        self, handle: AsyncSession | AsyncConnection, turn: Turn, settings: Settings, queries: Queries
    ) -> None:
        self._through = SqlalchemySession(queries, handle)
        super().__init__(self._through, turn, settings)
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
        if known is None or known.root is not root:
            session = self._handle.sync_session if isinstance(self._handle, AsyncSession) else None
            known = Watcher(root, session)
            self._turn.watcher = ref(known)
        return known

    async def _get_ready(self) -> None:
        connection = sync_of(await self._through.connection())
        self._root = connection.get_transaction()
        driver = driver_of(connection)
        if is_open(driver):
            return
        # SQLAlchemy believes in a transaction that the driver would begin with the next statement that writes. A
        # savepoint would begin one of its own before that, and its release would commit.
        if driver.isolation_level is None:
            raise InvalidArgument("tx", AUTOCOMMIT)
        await self._through.command("BEGIN IMMEDIATE")


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


async def connection_of(handle: AsyncSession | AsyncConnection) -> AsyncConnection:
    """The connection of a session, or the connection itself."""
    return await handle.connection() if isinstance(handle, AsyncSession) else handle


def sync_of(connection: AsyncConnection) -> Connection:
    """What events and transactions belong to."""
    assert connection.sync_connection is not None
    return connection.sync_connection


def driver_of(connection: Connection) -> aiosqlite.Connection:
    """The driver's own connection, to ask of its state and for nothing else."""
    driver: Any = connection.connection.driver_connection
    assert isinstance(driver, aiosqlite.Connection)
    return driver


def driver_error(error: DBAPIError) -> Exception:
    """What the driver said."""
    return error.orig if isinstance(error.orig, Exception) else error
