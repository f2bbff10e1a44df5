"""SQLAlchemy over aiosqlite: the caller's engine, and the caller's sessions and connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from ...errors import InvalidArgument
from ...sqlalchemy.engine import HandleFactory, check_engine
from .engine_transactions import EngineHandleSource
from .joined_transactions import SqliteSqlalchemyJoiner

_SHARED = (StaticPool, SingletonThreadPool)
"""Pools whose users share a connection: when one returns it, the pool rolls back the work of the other."""

__all__ = ["SqliteSqlalchemyJoiner", "file_of", "handle_source"]


def handle_source(target: Any, session: Any) -> EngineHandleSource:
    """
    Return the source of handles for an engine, with a factory of sessions if one is given.

    Raises:
        InvalidArgument: it is no engine over aiosqlite, or the factory belongs to another one.
    """
    engine = check_engine(target)
    if engine.dialect.driver != "aiosqlite":
        raise InvalidArgument("target", f"is an engine over {engine.dialect.driver}; give one over aiosqlite")
    return EngineHandleSource(engine, HandleFactory(engine, session))


def file_of(engine: AsyncEngine) -> Path:
    """
    Return the file of an engine.

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
