"""Sessions and connections of the application, and their open transactions."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, RootTransaction
from sqlalchemy.exc import InvalidRequestError, PendingRollbackError, UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from ..errors import InvalidArgument
from ..ports.transaction_errors import ABORTED, IN_USE

Handle: TypeAlias = AsyncSession | AsyncConnection

AUTOCOMMIT: Final = "is in AUTOCOMMIT mode, so that each statement would commit by itself; give another isolation level"
_CONCURRENT: Final = "isce"
"""SQLAlchemy's code for a session that two tasks use at once."""


def check_handle(tx: object, *, dialect: str, database: str) -> Handle:
    """
    Return a transaction argument as a session or a connection.

    Raises:
        InvalidArgument: it is neither, or not bound to ``database``.
    """
    if not isinstance(tx, (AsyncSession, AsyncConnection)):
        raise InvalidArgument("tx", f"is {type(tx).__name__}; give an AsyncSession or an AsyncConnection")
    if (found := _dialect_of(tx)) != dialect:
        raise InvalidArgument("tx", f"is bound to {found}; give one that is bound to {database}")
    if isinstance(tx, AsyncConnection) and tx.closed:
        raise InvalidArgument("tx", "is closed; give the open connection of your transaction")
    return tx


def _dialect_of(handle: Handle) -> str:
    try:
        bind = handle.sync_session.get_bind() if isinstance(handle, AsyncSession) else handle
    except UnboundExecutionError as error:
        raise InvalidArgument("tx", "has no bind; give a session as from `async_sessionmaker(engine)`") from error
    except InvalidRequestError as error:
        raise InvalidArgument("tx", f"cannot be used: {error}") from error
    return bind.dialect.name


async def connection_of(handle: Handle) -> AsyncConnection:
    """Return the connection of a session, which sends its pending savepoints by this, or the connection itself."""
    return await handle.connection() if isinstance(handle, AsyncSession) else handle


async def begun_connection(handle: Handle) -> AsyncConnection:
    """
    Return the connection of a handle, with a transaction. One is begun if there is none.

    Raises:
        InvalidArgument: another task uses the handle, or it must be rolled back.
    """
    try:
        connection = await connection_of(handle)
        if not connection.in_transaction():
            _ = await connection.begin()
        return connection
    except InvalidRequestError as error:
        misuse = InvalidArgument("tx", _misuse(error))
    raise misuse  # outside of `except`: SQLAlchemy's error, as a cause, would show the values of a statement


def _misuse(error: InvalidRequestError) -> str:
    if isinstance(error, PendingRollbackError):
        return ABORTED
    return IN_USE if error.code == _CONCURRENT else f"has no transaction to write in: {error}"


def sync_of(connection: AsyncConnection) -> Connection:
    """Return the synchronous connection, which events and transactions belong to."""
    assert connection.sync_connection is not None
    return connection.sync_connection


def root_of(handle: Handle) -> RootTransaction | None:
    """Return the database transaction in which the next write would be, if it needs no new savepoint first."""
    if isinstance(handle, AsyncConnection):
        return handle.sync_connection.get_transaction() if handle.sync_connection else None
    return root_of_session(handle.sync_session) if handle.in_transaction() else None


def root_of_session(session: Session) -> RootTransaction | None:
    """Return the same for a session; of one that has ended, the transaction open on its caller's connection."""
    transaction = innermost_of(session)
    if transaction is None:
        bind = session.get_bind()
        return bind.get_transaction() if isinstance(bind, Connection) else None
    connections: Any = transaction._connections  # pyright: ignore[reportPrivateUsage]  # to ask for one would open it
    return next((key.get_transaction() for key in connections if isinstance(key, Connection)), None)


def innermost_of(session: Session) -> SessionTransaction | None:
    """Return the innermost savepoint of a session, sent or not, or else its transaction."""
    return session.get_nested_transaction() or session.get_transaction()
