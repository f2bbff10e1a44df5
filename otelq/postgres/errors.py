"""
Errors of the drivers, told in the house's own words. The one place that knows SQLSTATE.

No driver is imported for it: an error tells its driver by its class, and a server's error has an ``sqlstate``.
"""

from __future__ import annotations

from typing import Final

from ..errors import OtelqError, Refused, Unavailable

CONFLICTS: Final = frozenset({"40001", "40P01"})
"""Serialisation failure and deadlock: the same work again may well succeed at once."""

DRIVERS: Final = frozenset({"asyncpg", "psycopg", "psycopg_pool", "sqlalchemy"})
"""The top packages that errors of drivers come from."""

_UNAVAILABLE = ("08", "53", "57P", "40", "55P03", "57014")
_REFUSED = ("21", "22", "23", "54")
_UNMIGRATED = ("3F000", "42P01", "42703")
_LOST = ("08", "57P")
_TAKEN = "23505"


def cause(error: BaseException) -> BaseException:
    """The driver's own error; SQLAlchemy wraps it once or twice, and shows the values of a statement in its text."""
    original = getattr(error, "orig", None)
    if not isinstance(original, BaseException):
        return error
    below = original.__cause__
    return below if below is not None and _family(below) == "asyncpg" else original


def is_of_driver(error: BaseException) -> bool:
    """Whether a driver raised it, or the network below."""
    return isinstance(error, (OSError, TimeoutError)) or _family(error) in DRIVERS


def translate(error: BaseException) -> OtelqError | None:
    """What to raise in the place of a driver's error; None if it is none of a driver's."""
    if isinstance(error, OtelqError):
        return None
    error = cause(error)
    if state := sqlstate(error):
        return _of_server(error, state)
    if _is_unsendable(error):
        return Refused(f"the driver cannot send a value: {error}")
    if is_of_driver(error):
        return Unavailable(f"the database cannot be reached: {_say(error)}")
    return None


def sqlstate(error: BaseException) -> str | None:
    """The code of a server's error; None if it did not come from a server."""
    state = getattr(cause(error), "sqlstate", None)
    return state if isinstance(state, str) else None


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction lost against another one and should be tried again as a whole."""
    return sqlstate(error) in CONFLICTS


def is_taken(error: BaseException) -> bool:
    """Whether a row was not written because its key is another's."""
    return sqlstate(error) == _TAKEN


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that nobody knows what the last statement did."""
    error = cause(error)
    if state := sqlstate(error):
        return state.startswith(_LOST)
    if _is_unsendable(error) or isinstance(error, TimeoutError):
        return False
    return is_of_driver(error)


def is_refusal(error: BaseException) -> bool:
    """Whether the server itself said no, so that nothing was done."""
    return sqlstate(error) is not None and not is_lost(error)


def _of_server(error: BaseException, state: str) -> OtelqError:
    # psycopg's own text has a piece of the value too; only its diagnosis is without.
    text = f"{getattr(getattr(error, 'diag', None), 'message_primary', None) or error} (SQLSTATE {state})"
    if state.startswith(_REFUSED):
        return Refused(f"the database refuses a value: {text}")
    if state.startswith(_UNAVAILABLE):
        return Unavailable(f"the database gave the work up: {text}")
    if state in _UNMIGRATED:
        return OtelqError(f"the schema is not what this code expects; run `otelq migrate`: {text}")
    return OtelqError(f"the database reports: {text}")


def _is_unsendable(error: BaseException) -> bool:
    """Whether a value was refused before it was sent: asyncpg says so with a ValueError, psycopg by the class."""
    match _family(error):
        case "asyncpg":
            return isinstance(error, ValueError)
        case "psycopg":
            return type(error).__name__ in ("DataError", "ProgrammingError") and sqlstate(error) is None
        case _:
            return isinstance(error, UnicodeError)


def _family(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _say(error: BaseException) -> str:
    return str(error) or type(error).__name__
