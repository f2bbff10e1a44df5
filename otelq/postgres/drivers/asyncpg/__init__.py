"""asyncpg, the fastest driver: a URL or the caller's pool, and the caller's connections."""

from __future__ import annotations

from typing import Any, cast

import asyncpg

from ....errors import InvalidArgument
from ..port import refuse
from .connection import AsyncpgConnection
from .source import AsyncpgSource
from .transactions import AsyncpgJoiner
from .url import check_url

__all__ = ["AsyncpgConnection", "joiner", "source"]


def source(target: object, *, session: object, connect_timeout: float, max_size: int, **options: Any) -> AsyncpgSource:
    """Return the source for a URL or a pool."""
    refuse({"session": session}, to="a URL or an asyncpg.Pool; it belongs to an AsyncEngine")
    if isinstance(target, asyncpg.Pool):
        refuse(options, to="a pool")
    elif not isinstance(target, str):
        raise InvalidArgument("target", f"is {type(target).__name__}; give a URL or an asyncpg.Pool")
    else:
        check_url(target)
    return AsyncpgSource(cast(Any, target), connect_timeout=connect_timeout, max_size=max_size, options=options)


def joiner() -> AsyncpgJoiner:
    """Return a joiner of transactions on asyncpg connections."""
    return AsyncpgJoiner()
