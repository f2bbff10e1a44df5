"""The error for a transaction on a kind of handle that a client does not hand out, in the words of all adapters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..errors import InvalidArgument

SESSION_FACTORY: Final = "session=, a factory of such sessions, beside the engine"
"""The option of ``connect`` for sessions of a class of the application, for people."""
_TARGETS: Final[Mapping[str, str]] = {
    "asyncpg": "a postgresql:// URL or an asyncpg pool",
    "psycopg": "a psycopg_pool.AsyncConnectionPool",
    "aiosqlite": "a sqlite:// URL",
}
"""The targets of ``connect`` for the handles of each driver."""


def engine_of(scheme: str) -> str:
    """Return the target of ``connect`` for handles of SQLAlchemy, for people."""
    url = f"{scheme}://..."
    return f'an engine, as create_async_engine("{url}"), or start `otelq worker` with the URL {url}'


def no_such_handle(kind: object, *, given: str, sqlalchemy: str) -> InvalidArgument:
    """
    Return the error for a kind of handle that an adapter does not have.

    ``given`` names the kinds that it has, and ``sqlalchemy`` the target of ``connect`` that gives those of SQLAlchemy.
    """
    packages = [base.__module__.partition(".")[0] for base in getattr(kind, "__mro__", ())]
    targets = {**_TARGETS, "sqlalchemy": sqlalchemy}
    target = next((targets[package] for package in packages if package in targets), None)
    name = f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else repr(kind)
    way = "ask for one of these" if target is None else f"connect with {target}"
    return InvalidArgument("kind", f"is {name}; this client hands out {given}; {way}")
