"""State in a SQLite file, on aiosqlite: no server, several processes on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict
from urllib.parse import unquote

from ..errors import InvalidArgument
from ..ports.state import StateAdapter
from .migrate import dump
from .state import SqliteState
from .statements import SqliteStatements
from .transactions import comes_from

__all__ = ["adapter", "dump"]

_SYNCHRONOUS = ("full", "normal", "extra")


def adapter(target: object, *, schema: str = "otelq", session: object = None, **options: object) -> StateAdapter:
    """
    Return an unopened adapter for jobs in a SQLite file. ``otelq.connect`` takes its options.

    URLs are ``sqlite:///relative.db``, ``sqlite:////absolute/path.db`` and ``memory://``. The last, also written
    ``sqlite://`` or ``sqlite:///:memory:``, is a private database that exists as long as the adapter is open. It is a
    temporary file that is never synced, because readers of a database in memory would see uncommitted rows.

    With an ``AsyncEngine`` of SQLAlchemy over aiosqlite, handlers' transactions come from the engine; otelq's own
    statements use connections of their own to the same file.

    Args:
        target: the URL, or the engine, which is never disposed of.
        schema: the prefix of the names of all tables.
        session: with an engine, the ``async_sessionmaker`` whose sessions handlers' transactions give; without one,
            they give an ``AsyncConnection`` unless an ``AsyncSession`` is asked for.
        options: ``synchronous``: ``"full"`` (the default: a commit survives a power cut), ``"normal"`` (it survives a
            killed process) or ``"extra"``; ``busy_timeout``: seconds to wait for the write lock, 0 to 3600, 5 by
            default.

    Raises:
        InvalidArgument: the URL, the schema or an option cannot be used.
    """
    if not comes_from("sqlalchemy", target):
        if session is not None:
            raise InvalidArgument("session", "goes with an AsyncEngine of SQLAlchemy; give that as the target")
        return SqliteState(_path(target), SqliteStatements(schema), **_checked(**options))
    from . import sqlalchemy  # which need not be installed

    handle_source = sqlalchemy.handle_source(target, session)
    return SqliteState(
        sqlalchemy.file_of(handle_source.engine),
        SqliteStatements(schema),
        **_checked(**options),
        handle_source=handle_source,
    )


class _UrlOptions(TypedDict):
    synchronous: str
    busy_timeout: float


def _checked(*, synchronous: object = "full", busy_timeout: object = 5.0, **unknown: object) -> _UrlOptions:
    for name in unknown:
        raise InvalidArgument(name, "is no option of SQLite; there are synchronous and busy_timeout")
    if synchronous not in _SYNCHRONOUS:
        raise InvalidArgument("synchronous", f"is {synchronous!r}; give one of {', '.join(_SYNCHRONOUS)}")
    if not isinstance(busy_timeout, int | float) or not 0 <= busy_timeout <= 3600:
        raise InvalidArgument("busy_timeout", f"is {busy_timeout!r}; give seconds from 0 to 3600")
    return {"synchronous": str(synchronous), "busy_timeout": float(busy_timeout)}


def _path(target: object) -> Path | None:
    """Return the file that a URL names; None for a private one."""
    if not isinstance(target, str):
        raise InvalidArgument("target", f"is a {type(target).__name__}; SQLite takes a URL like 'sqlite:///jobs.db'")
    if target.partition(":")[0].lower() == "memory":
        return None
    scheme, mark, rest = target.partition("://")
    if scheme != "sqlite" or not mark or "?" in rest or "#" in rest:
        raise InvalidArgument("url", "is not of the form sqlite:///relative.db or sqlite:////absolute/path.db")
    if rest in ("", "/", "/:memory:"):
        return None
    if not rest.startswith("/"):
        raise InvalidArgument("url", "names a host; a SQLite file has three slashes: sqlite:///jobs.db")
    return Path(unquote(rest[1:])).absolute()
