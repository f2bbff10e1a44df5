"""The connection of aiosqlite under one of SQLAlchemy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ...errors import Unavailable
from ..joined_transactions import is_open


def driver_of(connection: Connection) -> aiosqlite.Connection:
    """Return the driver's own connection, for questions about its state."""
    driver: Any = connection.connection.driver_connection
    assert isinstance(driver, aiosqlite.Connection)
    return driver


def driver_error(error: DBAPIError) -> Exception:
    """Return the driver's error."""
    return error.orig if isinstance(error.orig, Exception) else error


def no_connection(error: SQLAlchemyError, path: Path) -> Unavailable:
    """Return the error for a failure of SQLAlchemy itself, as of a pool that has no connection left."""
    return Unavailable(f"no connection to {path} is available: {error}")


def is_in_transaction(connection: Connection) -> bool:
    """Return whether SQLite itself is in a transaction on the connection."""
    return not (connection.closed or connection.invalidated) and is_open(driver_of(connection))
