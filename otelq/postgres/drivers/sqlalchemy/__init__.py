"""SQLAlchemy over asyncpg or psycopg: the caller's engine, and the caller's sessions and connections."""

from __future__ import annotations

from typing import Any

from ....errors import InvalidArgument
from ....sqlalchemy.engine import check_engine
from ..port import refuse
from .source import SqlalchemySource
from .transactions import PostgresSqlalchemyJoiner

__all__ = ["joiner", "source"]


def source(target: Any, *, session: Any, connect_timeout: float, max_size: int, **options: Any) -> SqlalchemySource:
    """Return the source for an engine."""
    engine = check_engine(target)
    if engine.dialect.name != "postgresql":
        raise InvalidArgument("target", f"is an engine for {engine.dialect.name}; give one for PostgreSQL")
    if engine.sync_engine.get_execution_options().get("postgresql_readonly"):
        raise InvalidArgument("target", "has postgresql_readonly=True, and otelq writes; give an engine without it")
    found = SqlalchemySource(engine, sessions=session)
    refuse(options, to="an engine")
    return found


def joiner() -> PostgresSqlalchemyJoiner:
    """Return a joiner of transactions of sessions and connections."""
    return PostgresSqlalchemyJoiner()
