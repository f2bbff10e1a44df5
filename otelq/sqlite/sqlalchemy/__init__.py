"""SQLAlchemy over aiosqlite: the caller's engine, and the caller's sessions and connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from ...errors import InvalidArgument
from .joining import join
from .lending import EngineLender

_SHARED = (StaticPool, SingletonThreadPool)
"""What is rolled back as the one user gives the connection back is the work of the other."""

__all__ = ["file_of", "join", "lender"]


def lender(engine: Any, session: Any) -> EngineLender:
    """
    The handles of an engine, and of a factory of sessions if one is given.

    Raises:
        InvalidArgument: it is no engine over aiosqlite, or the factory belongs to another one.
    """
    if not isinstance(engine, AsyncEngine):
        raise InvalidArgument("target", f"is {type(engine).__name__}; give an AsyncEngine")
    if engine.dialect.driver != "aiosqlite":
        raise InvalidArgument("target", f"is an engine over {engine.dialect.driver}; give one over aiosqlite")
    if session is not None:
        _check_sessions(session, engine)
    return EngineLender(engine, session)


def file_of(engine: AsyncEngine) -> Path:
    """
    The file that an engine is for.

    Raises:
        InvalidArgument: it is in memory, where only its own connections see it, or has one connection for all.
    """
    url = engine.url
    database, mode = url.database or "", url.query.get("mode")
    if database.startswith("file:"):
        database = unquote(urlsplit(database).path)
    if mode == "memory" or database in ("", ":memory:"):
        raise InvalidArgument(
            "target", "is an engine in memory, which nobody else sees; give one for a file: sqlite+aiosqlite:///jobs.db"
        )
    if isinstance(engine.pool, _SHARED):
        raise InvalidArgument(
            "target", f"has a {type(engine.pool).__name__}, whose one connection all share; give another pool"
        )
    return Path(database).absolute()


def _check_sessions(session: object, engine: AsyncEngine) -> None:
    if not isinstance(session, async_sessionmaker):
        raise InvalidArgument("session", f"is {type(session).__name__}; give an async_sessionmaker")
    bind = cast(Any, session).kw.get("bind")
    if bind is not None and getattr(bind, "sync_engine", None) is not engine.sync_engine:
        raise InvalidArgument("session", "is bound to another engine; give `async_sessionmaker(engine)`")
