"""psycopg: the caller's pool, and the caller's connections."""

from __future__ import annotations

from typing import Any

from ....errors import InvalidArgument
from ..port import refuse
from .source import PsycopgSource
from .transactions import PsycopgJoiner

__all__ = ["joiner", "source"]


def source(target: Any, *, session: object, connect_timeout: float, max_size: int, **options: Any) -> PsycopgSource:
    """Return the source for a pool."""
    if not hasattr(target, "getconn"):
        raise InvalidArgument("target", f"is {type(target).__name__}; give a psycopg_pool.AsyncConnectionPool")
    refuse({"session": session}, to="a psycopg pool; it belongs to an AsyncEngine")
    refuse(options, to="a pool")
    return PsycopgSource(target)


def joiner() -> PsycopgJoiner:
    """Return a joiner of transactions on psycopg connections."""
    return PsycopgJoiner()
