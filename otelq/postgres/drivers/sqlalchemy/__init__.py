"""SQLAlchemy over asyncpg or psycopg: the caller's engine, and the caller's sessions and connections."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from ....errors import InvalidArgument
from ..port import refuse
from .source import SqlalchemySource
from .transactions import SqlalchemyJoiner

__all__ = ["joiner", "source"]


def source(target: Any, *, session: Any, connect_timeout: float, max_size: int, **options: Any) -> SqlalchemySource:
    """The database of an engine."""
    if not isinstance(target, AsyncEngine):
        raise InvalidArgument("target", f"is {type(target).__name__}; give an AsyncEngine")
    if target.dialect.name != "postgresql":
        raise InvalidArgument("target", f"is an engine for {target.dialect.name}; give one for PostgreSQL")
    if target.sync_engine.get_execution_options().get("postgresql_readonly"):
        raise InvalidArgument("target", "has postgresql_readonly=True, and otelq writes; give an engine without it")
    if session is not None:
        _check_sessions(session, target)
    refuse(options, to="an engine")
    return SqlalchemySource(target, sessions=session)


def _check_sessions(session: object, engine: AsyncEngine) -> None:
    if not isinstance(session, async_sessionmaker):
        raise InvalidArgument("session", f"is {type(session).__name__}; give an async_sessionmaker")
    if cast(Any, session).kw.get("twophase"):
        raise InvalidArgument("session", "has twophase=True, and otelq commits in one phase; give a factory without it")
    bind = cast(Any, session).kw.get("bind")
    if bind is not None and getattr(bind, "sync_engine", None) is not engine.sync_engine:
        raise InvalidArgument("session", "is bound to another engine; give `async_sessionmaker(engine)`")


def joiner() -> SqlalchemyJoiner:
    """Takes part in transactions of sessions and connections."""
    return SqlalchemyJoiner()
