"""What is under a session or a connection of SQLAlchemy."""

from __future__ import annotations

from typing import Any

import aiosqlite
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from ..joined import is_open


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


def is_in_transaction(connection: Connection) -> bool:
    """Whether the database itself is in a transaction on the connection."""
    return not (connection.closed or connection.invalidated) and is_open(driver_of(connection))
