"""SQLite's errors in the words of otelq: the one place where they are translated."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from ..errors import InvalidArgument, OtelqError, Refused, Unavailable

DRIVER = (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError, OverflowError)
"""The errors that the driver raises."""
JOINED = "cannot write in the transaction"

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_REFUSED = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}
_WRONG = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_PERM, sqlite3.SQLITE_SCHEMA}
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}

_UPGRADE = (
    "the transaction holds no write lock and could not get it: another connection writes, or has written since this "
    "transaction first read; begin it with BEGIN IMMEDIATE"
)


END_SOONER = "SQLite has one writer: end that transaction sooner, or write in it with tx="


_IN_PROGRESS = "SQL statements in progress"


class Locked(Unavailable):
    """Another connection held the only write lock for longer than ``busy_timeout``."""


class UnusableDatabase(Unavailable):
    """The file or its tables are not as they must be. That may be repaired while others wait for it."""


@contextmanager
def translating(doing: str) -> Generator[None]:
    """Translate the driver's errors; ``doing`` begins the text, as in "cannot open x.db"."""
    try:
        yield
    except DRIVER as error:
        raise translated(error, doing) from error


def translated(error: Exception, doing: str) -> OtelqError:
    """Return otelq's error for an error of the driver."""
    code = primary(error)
    if doing == JOINED and (problem := write_problem(error)):
        return InvalidArgument("tx", problem)
    if code in _BUSY:
        return Locked(f"{doing}: {error}; {_UPGRADE}" if doing == JOINED else f"{doing}: {error}")
    if code in _REFUSED or not isinstance(error, sqlite3.Error):
        return Refused(f"{doing}: SQLite refuses a value: {error}")
    if isinstance(error, sqlite3.DataError | sqlite3.IntegrityError):
        return Refused(f"{doing}: SQLite refuses a value: {error}")
    if code == sqlite3.SQLITE_FULL:
        return Unavailable(f"{doing}: the disk, or what SQLite may use of it, is full")
    if code in _BROKEN:
        return UnusableDatabase(f"{doing}: the file is damaged or no SQLite database: {error}")
    return UnusableDatabase(f"{doing}: {error}") if code in _WRONG else Unavailable(f"{doing}: {error}")


def write_problem(error: BaseException) -> str | None:
    """Return why a connection of the application cannot write, if only its owner can change that."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
        return "its connection is read-only, by mode=ro or PRAGMA query_only; give one that may write"
    if _IN_PROGRESS in str(error):
        return (
            "a statement that writes has rows left, as of RETURNING, on its connection; read all, or close its cursor"
        )
    return None


def opening_failure(error: OtelqError, *, was_open: bool) -> OtelqError:
    """Return the error to raise for a failed opening: wrong configuration is fatal only before the first success."""
    if was_open:
        return error if isinstance(error, Unavailable) else UnusableDatabase(str(error))
    return OtelqError(str(error)) if isinstance(error, UnusableDatabase) else error


def primary(error: BaseException) -> int | None:
    """Return SQLite's primary result code, without the extension in its upper bits."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_worth_waiting(error: BaseException) -> bool:
    """Return whether this transaction may get the lock later. A stale snapshot never can: it must begin again."""
    # BUSY_SNAPSHOT: another connection has committed since this transaction first read.
    stale = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY_SNAPSHOT
    return is_busy(error) and not stale


def is_busy(error: BaseException) -> bool:
    """Return whether another connection held the lock."""
    return primary(error) in _BUSY
