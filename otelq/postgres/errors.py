"""
Translation of drivers' errors into otelq's own. The only module that knows SQLSTATE.

No driver is imported: the class of an error names its driver, and a server's error has an ``sqlstate``.

An error is passing unless it is known to be something else: ``Unavailable``, so that workers continue. An error about
the values themselves is ``Refused``. Configuration (a wrong password, a missing database or table) ends a client that
has never been open. A client that was open meets the same codes while passwords are rotated, grants repaired and tables
restored; for it they pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from enum import Enum, auto
from typing import Final, NoReturn

from ..errors import Forbidden, InvalidArgument, OtelqError, Refused, Unavailable
from ..ports.transaction_errors import ABORTED, IN_USE

DRIVERS: Final = frozenset({"asyncpg", "psycopg", "psycopg_pool", "sqlalchemy"})
"""The top-level packages of drivers' error classes."""


class ErrorKind(Enum):
    """The meaning of a server's error for the work that met it."""

    REFUSED = auto()
    """A value breaks a rule, or a user's constraint or trigger: the same work would be refused again."""
    CONFLICT = auto()
    """The transaction lost against another one: the same work may succeed at once."""
    STALE = auto()
    """Nothing was done because of the connection: the same work may succeed on another one."""
    LOST = auto()
    """The connection is lost, and the effect of its last statement is unknown."""
    CONFIGURATION = auto()
    """Login, database, schema or privileges are not as this code needs them."""
    PASSING = auto()
    """Anything else: the server was busy, full, interrupted or broken, or the code is unknown."""


KINDS: Final[Mapping[str, ErrorKind]] = {
    "08": ErrorKind.LOST,  # connection exception
    "0A000": ErrorKind.STALE,  # a cached plan that no longer fits after a migration
    "21": ErrorKind.REFUSED,  # cardinality violation
    "22": ErrorKind.REFUSED,  # data exception
    "23": ErrorKind.REFUSED,  # integrity constraint violation
    "25": ErrorKind.STALE,  # 25006, a server that is read-only; 25P03 and 25P04, which end a session that took too long
    "26": ErrorKind.STALE,  # a prepared statement that a pooler gave to another session
    "28": ErrorKind.CONFIGURATION,  # wrong password, no such role, no entry in pg_hba.conf
    "3D": ErrorKind.CONFIGURATION,  # no such database
    "3F": ErrorKind.CONFIGURATION,  # no such schema
    "40001": ErrorKind.CONFLICT,  # serialisation failure
    "40P01": ErrorKind.CONFLICT,  # deadlock
    "42": ErrorKind.CONFIGURATION,  # no such table, column or function; no privilege
    "44": ErrorKind.REFUSED,  # a view's WITH CHECK OPTION
    "53": ErrorKind.PASSING,  # insufficient resources: disk, memory, connections
    "54": ErrorKind.REFUSED,  # too large
    "55": ErrorKind.PASSING,  # 55P03, a lock that was not available in time
    "57": ErrorKind.PASSING,  # 57014, cancelled, or out of its statement_timeout
    "57P": ErrorKind.LOST,  # shut down, crashed, starting up
    "58": ErrorKind.PASSING,  # the system below: a file, a disk
    "P0": ErrorKind.REFUSED,  # RAISE in a user's trigger
    "XX": ErrorKind.PASSING,  # internal error
}
"""The kind of each SQLSTATE, or of all with the same beginning; the longest entry counts."""

_SAYS: Final[Mapping[ErrorKind, str]] = {
    ErrorKind.REFUSED: "the database refuses a value",
    ErrorKind.STALE: "the database stopped the work",
    ErrorKind.LOST: "the database stopped the work",
    ErrorKind.CONFLICT: "the database stopped the work",
    ErrorKind.PASSING: "the database stopped the work",
}
_TAKEN: Final = "23505"
_ABORTED: Final = "25P02"
_DENIED: Final = "42501"
_READ_ONLY: Final = "25006"
_WHY_READ_ONLY: Final = (
    "the server is a standby, or postgresql_readonly, read_only or default_transaction_read_only is set"
)
_UNMIGRATED: Final = ("3F", "42P01", "42703", "42883")
_QUOTED: Final = re.compile(r"""\W*["'«„“‘].*""", re.DOTALL)
"""The end of a message from its first quotation on, in any of a server's languages."""
_ARGUMENT: Final = re.compile(r"query argument (\$\d+)")
_CLOSED: Final = ("pool is closed", "pool is closing")


# Meaning


def kind_of(state: str) -> ErrorKind:
    """Return the kind of an SQLSTATE."""
    return next((KINDS[state[:n]] for n in (5, 3, 2) if state[:n] in KINDS), ErrorKind.PASSING)


def cause(error: BaseException) -> BaseException:
    """Return the driver's own error; SQLAlchemy wraps it once or twice, and shows the values of a statement."""
    original = getattr(error, "orig", None)
    if not isinstance(original, BaseException):
        return error
    below = original.__cause__
    return below if below is not None and _family(below) == "asyncpg" else original


def sqlstate(error: BaseException) -> str | None:
    """Return the code of a server's error; None if it did not come from a server."""
    state = getattr(cause(error), "sqlstate", None)
    return state if isinstance(state, str) else None


def is_of_driver(error: BaseException) -> bool:
    """Return whether a driver raised the error, or the network below it."""
    return isinstance(error, (OSError, TimeoutError)) or _family(error) in DRIVERS


def is_conflict(error: BaseException) -> bool:
    """Return whether the transaction lost against another one and should be tried again as a whole."""
    return _kind(error) is ErrorKind.CONFLICT


def is_stale(error: BaseException) -> bool:
    """
    Return whether the connection is the cause: nothing was done, and the work may succeed on another one.

    The connection must not go back to its pool. After a fail-over it leads to a server that stays read-only; others
    have a prepared statement that the server no longer has. Errors that were translated count, too.
    """
    if isinstance(error, OtelqError) and error.__cause__ is not None:
        error = error.__cause__
    return _kind(error) is ErrorKind.STALE


def is_configuration(error: BaseException) -> bool:
    """Return whether login, database, schema or privileges are not as this code needs them."""
    return _kind(error) is ErrorKind.CONFIGURATION


def is_passing(error: BaseException) -> bool:
    """Return whether server, network or connection is the cause, and neither the values nor the statements."""
    if kind := _kind(error):
        return kind not in (ErrorKind.REFUSED, ErrorKind.CONFIGURATION)
    error = cause(error)
    return is_of_driver(error) and not _is_unsendable(error)


def is_taken(error: BaseException) -> bool:
    """Return whether a row was not written because its key exists already."""
    return sqlstate(error) == _TAKEN


def is_lost(error: BaseException) -> bool:
    """Return whether the connection is lost, so that the effect of the last statement is unknown."""
    if kind := _kind(error):
        return kind is ErrorKind.LOST
    error = cause(error)
    if _is_unsendable(error) or _is_in_use(error) or _is_crowded(error) or _is_closed(error):
        return False
    return is_of_driver(error)


def is_refusal(error: BaseException) -> bool:
    """Return whether the server itself refused, so that nothing was done."""
    return _kind(error) not in (None, ErrorKind.LOST)


# Text


def translate(error: BaseException) -> OtelqError | None:
    """Return the error to raise instead of a driver's, with a cause that shows no values; None for other errors."""
    if isinstance(error, OtelqError):
        return None
    ours = _translated(error)
    if ours is not None:
        ours.__cause__ = bare(error)
    return ours


def opening_failure(error: OtelqError, *, was_open: bool) -> OtelqError:
    """
    Return the error to raise instead of an error of opening.

    Wrong configuration is final for an adapter that was never open. For one that was, the database changes: passwords
    are rotated, tables restored from a backup, and such errors pass.
    """
    if isinstance(error, InvalidArgument):
        return error
    if was_open:
        return error if isinstance(error, Unavailable) else Unavailable(str(error))
    is_passing = isinstance(error, Unavailable) and not (error.__cause__ and is_configuration(error.__cause__))
    return error if is_passing else OtelqError(str(error))


def raise_commit_failure(error: BaseException) -> NoReturn:
    """Raise ``Unavailable`` where the commit of a handler's or a client's transaction failed."""
    what = "was refused" if is_refusal(error) else "failed, or its result is not known"
    ours = Unavailable(f"the commit {what}: {text_of(error)}")
    ours.__cause__ = bare(error)
    raise_alone(ours)


def raise_alone(error: BaseException) -> NoReturn:
    """Raise an error; otelq's own without its context, which is the driver's error with all its values."""
    try:
        raise error
    finally:
        if isinstance(error, OtelqError):
            error.__context__ = None


def misuse(error: BaseException) -> InvalidArgument | None:
    """Return the error to raise if a caller's transaction cannot be used because of the caller; None otherwise."""
    if _is_in_use(cause(error)):
        problem = IN_USE
    elif sqlstate(error) == _ABORTED or type(error).__name__ == "PendingRollbackError":
        problem = ABORTED
    else:
        return None
    ours = InvalidArgument("tx", problem)
    ours.__cause__ = bare(error)
    return ours


def text_of(error: BaseException) -> str:
    """Return the text of an error, without the row and values that servers and drivers add to it."""
    error = cause(error)
    if state := sqlstate(error):
        return f"{_without_value(_primary(error), state)} (SQLSTATE {state})"
    if _is_unsendable(error):
        argument = _ARGUMENT.search(str(error))
        return f"{type(error).__name__} for argument {argument[1]}" if argument else type(error).__name__
    if _family(error) == "sqlalchemy":
        return str(error.args[0]) if error.args else type(error).__name__  # without statement and parameters
    return str(error) or type(error).__name__


def bare(error: BaseException) -> BaseException | None:
    """
    Return a copy of the driver's own error without rows, values and chained errors.

    DETAIL shows the whole row that a constraint refuses, CONTEXT the value that a cast could not read, and a chained
    error any of these. The copy has class, ``sqlstate`` and traceback; None if no such copy can be made.
    """
    error = cause(error)
    state = sqlstate(error)
    try:
        if state is None and not _is_unsendable(error) and _family(error) != "sqlalchemy":
            return copy(error).with_traceback(error.__traceback__)
        mine = type(error)(text_of(error))
        if state is not None and sqlstate(mine) != state:
            mine.sqlstate = state  # type: ignore[attr-defined]  # of a class for any code
        return mine.with_traceback(error.__traceback__)
    except Exception:
        return None


def _translated(error: BaseException) -> OtelqError | None:
    kind, inner, text = _kind(error), cause(error), text_of(error)
    if kind is ErrorKind.REFUSED:
        return Refused(f"{_SAYS[kind]}: {text}")
    if kind is ErrorKind.CONFIGURATION and (sqlstate(error) or "").startswith(_UNMIGRATED):
        return Unavailable(f"the schema is not what this code expects; run `otelq migrate`: {text}")
    if sqlstate(error) == _DENIED:
        return Forbidden(f"the role of this client lacks a right: {text}")
    if sqlstate(error) == _READ_ONLY:
        return Unavailable(f"{_SAYS[ErrorKind.STALE]}, as {_WHY_READ_ONLY}: {text}")
    if kind is not None:
        return Unavailable(f"{_SAYS.get(kind, 'the database does not let this client work')}: {text}")
    if _is_unsendable(inner) or _is_unsendable(error):
        return Refused(f"the driver cannot send a value: {text}")
    if _is_closed(inner):
        return OtelqError(f"the connections were closed by their owner while otelq used them: {text}")
    return Unavailable(f"the database cannot be reached: {text}") if is_of_driver(inner) else None


def _kind(error: BaseException) -> ErrorKind | None:
    state = sqlstate(error)
    return None if state is None else kind_of(state)


def _primary(error: BaseException) -> str:
    """Return the server's message alone; the texts of asyncpg, psycopg and others show DETAIL and more."""
    if _family(error) == "asyncpg":
        return str(error.args[0])
    said = getattr(getattr(error, "diag", None), "message_primary", None)
    return str(said or str(error).partition("\n")[0] or type(error).__name__)


def _without_value(text: str, state: str) -> str:
    """Return the text without the quoted value that a data exception shows."""
    return _QUOTED.sub("", text) if state.startswith("22") else text


def _is_unsendable(error: BaseException) -> bool:
    """Return whether the driver refused a value before it was sent: asyncpg with a ValueError, others by a class."""
    match _family(error):
        case "asyncpg":
            return isinstance(error, ValueError)
        case "psycopg":
            return type(error).__name__ in ("DataError", "ProgrammingError") and sqlstate(error) is None
        case "sqlalchemy":
            return type(error).__name__ == "StatementError"
        case _:
            return isinstance(error, UnicodeError)


def _is_in_use(error: BaseException) -> bool:
    """Return whether another task was using the connection; no driver has a class for that alone."""
    return "another operation is in progress" in str(error) or getattr(error, "code", None) == "isce"


def _is_crowded(error: BaseException) -> bool:
    """Return whether there was no answer in time, or no free connection: the server takes back what was sent."""
    return isinstance(error, TimeoutError) or type(error).__name__ in ("TimeoutError", "PoolTimeout", "TooManyRequests")


def _is_closed(error: BaseException) -> bool:
    """Return whether the application has closed its pool, which never opens again."""
    return type(error).__name__ == "PoolClosed" or (_family(error) == "asyncpg" and str(error) in _CLOSED)


def _family(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]
