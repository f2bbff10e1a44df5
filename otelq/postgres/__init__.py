"""Jobs kept in PostgreSQL, reached with asyncpg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg

from ..errors import InvalidArgument
from ..ports.state import StateAdapter
from .database import Database
from .migrate import dump
from .queries import Queries
from .state import PostgresState

__all__ = ["adapter", "dump"]


def adapter(
    target: object,
    *,
    schema: str = "otelq",
    keeper: str | None = None,
    connect_timeout: float = 10.0,
    command_timeout: float = 30.0,
    max_size: int = 10,
    **options: Any,
) -> StateAdapter:
    """
    Jobs in a schema of a PostgreSQL database.

    Parameters:
        target: a URL (``postgresql://`` or ``postgres://``), or an ``asyncpg.Pool``, which is used and never closed.
        keeper: with a pool, a URL for the same database, by which another event loop can reach it.
        connect_timeout: seconds that opening may take.
        command_timeout: seconds that one statement of otelq's own may take.
        max_size: connections for transactions of handlers and clients; a few more serve otelq itself.
        options: anything else goes to ``asyncpg.create_pool``, as ``statement_cache_size=0`` behind some poolers.

    Raises:
        InvalidArgument: the target is neither, or the schema's name cannot be used.
    """
    limits: dict[str, Any] = {"connect_timeout": connect_timeout, "command_timeout": command_timeout}

    def state(place: str | asyncpg.Pool[Any], sibling: Callable[[], StateAdapter] | None) -> StateAdapter:
        database = Database(place, Queries(schema), **limits, max_size=max_size, options=options)
        return PostgresState(database, sibling=sibling)

    def sibling() -> StateAdapter:
        return adapter(keeper or target, schema=schema, **limits, max_size=1, **options)

    match target:
        case str():
            return state(target, sibling)
        case asyncpg.Pool():
            if options:
                raise InvalidArgument(next(iter(options)), "cannot be given with a pool; give it to the pool")
            return state(target, sibling if keeper else None)
        case _:
            raise InvalidArgument("target", f"is {type(target).__name__}; give a URL or an asyncpg.Pool")
