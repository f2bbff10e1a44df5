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
    """The driver's own connection, to ask of its state and for nothing else."""
    driver: Any = connection.connection.driver_connection
    assert isinstance(driver, aiosqlite.Connection)
    return driver


def driver_error(error: DBAPIError) -> Exception:
    """What the driver said."""
    return error.orig if isinstance(error.orig, Exception) else error


def no_connection(error: SQLAlchemyError, path: Path) -> Unavailable:
    """Return what stands for an error of SQLAlchemy itself, as of a pool that has nothing left."""
    return Unavailable(f"no connection to {path} was to be had: {error}")


def is_in_transaction(connection: Connection) -> bool:
    """Whether the database itself is in a transaction on the connection."""
    return not (connection.closed or connection.invalidated) and is_open(driver_of(connection))
