"""Errors of the driver, told in the house's own words. The one place that knows SQLSTATE."""

from __future__ import annotations

import asyncpg

from ..errors import OtelqError, Refused, Unavailable

CONFLICTS = frozenset({"40001", "40P01"})
"""Serialisation failure and deadlock: the same work again may well succeed at once."""

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver raises."""

_UNAVAILABLE = ("08", "53", "57P", "40", "55P03", "57014")
_REFUSED = ("21", "22", "23", "54")
_UNMIGRATED = ("3F000", "42P01", "42703")
_LOST = ("08", "57P")


def translate(error: BaseException) -> OtelqError | None:
    """What to raise in the place of a driver's error; None if it is none of the driver's."""
    match error:
        case asyncpg.PostgresError():
            return _of_server(error)
        case _ if _is_unsendable(error):
            return Refused(f"the driver cannot send a value: {error}")
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | OSError() | TimeoutError():
            return Unavailable(f"the database cannot be reached: {_say(error)}")
        case _:
            return None


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction lost against another one and should be tried again as a whole."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in CONFLICTS


def is_taken(error: BaseException) -> bool:
    """Whether a row was not written because its key is another's."""
    return isinstance(error, asyncpg.UniqueViolationError)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that nobody knows what the last statement did."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate).startswith(_LOST)
    if _is_unsendable(error) or isinstance(error, TimeoutError):
        return False
    return isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError))


def _of_server(error: asyncpg.PostgresError) -> OtelqError:
    state = str(error.sqlstate)
    text = f"{error} (SQLSTATE {state})"
    if state.startswith(_REFUSED):
        return Refused(f"the database refuses a value: {text}")
    if state.startswith(_UNAVAILABLE):
        return Unavailable(f"the database gave the work up: {text}")
    if state in _UNMIGRATED:
        return OtelqError(f"the schema is not what this code expects; run `otelq migrate`: {text}")
    return OtelqError(f"the database reports: {text}")


def _is_unsendable(error: BaseException) -> bool:
    """Whether a value was refused before it was sent; the driver says so with a subclass of both."""
    is_interface_error = isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    return is_interface_error or isinstance(error, UnicodeError)


def _say(error: BaseException) -> str:
    return str(error) or type(error).__name__
