"""asyncpg, the fastest driver: a URL or the caller's pool, and the caller's connections."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from inspect import signature
from typing import Any, Final, cast

import asyncpg

from ....errors import InvalidArgument
from ..port import refuse
from .connection import AsyncpgConnection
from .source import AsyncpgSource
from .transactions import AsyncpgJoiner
from .url import check_url

_OWN: Final = frozenset({"dsn", "reset", "connect_kwargs"})
_NAMED: Final = frozenset({"max_size", "connect_timeout", "command_timeout", "keeper"})
"""Options of otelq's own, which are not passed on to the driver under these names."""

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
        _check(options)
    return AsyncpgSource(cast(Any, target), connect_timeout=connect_timeout, max_size=max_size, options=options)


def _check(options: Iterable[str]) -> None:
    """Raise ``InvalidArgument`` for an option that asyncpg does not know, or that otelq sets itself."""
    names = {*signature(asyncpg.create_pool).parameters, *signature(asyncpg.connect).parameters} - _OWN
    for name in options:
        if name in _OWN:
            raise InvalidArgument(name, "is set by otelq itself; leave it out, or give a pool of your own")
        if name not in names:
            near = get_close_matches(name, {*names, *_NAMED}, n=1)
            hint = f"; is it {near[0]}?" if near else ""
            raise InvalidArgument(name, f"is no option of connect(), nor of asyncpg.create_pool(){hint}")


def joiner() -> AsyncpgJoiner:
    """Return a joiner of transactions on asyncpg connections."""
    return AsyncpgJoiner()
