"""The adapter for PostgreSQL, by asyncpg, psycopg, or SQLAlchemy over either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..errors import InvalidArgument
from ..hints import BroadcastNotify
from ..logs import Log
from ..ports.notify import NotifyAdapter
from ..ports.state import StateAdapter
from .channel import PostgresChannel
from .database import PostgresDatabase
from .drivers import Source, driver_of, load
from .drivers.provider import Provider
from .migrate import dump
from .state import PostgresState
from .statements import PostgresStatements

__all__ = ["Provider", "adapter", "dump", "notifier"]

logger = Log("otelq.postgres")

HINT = "what was given to connect() cannot be opened a second time; give it keeper= with a URL of the same database"


def adapter(
    target: object,
    *,
    session: object = None,
    schema: str = "otelq",
    keeper: str | None = None,
    connect_timeout: float = 10.0,
    command_timeout: float = 30.0,
    max_size: int = 20,
    **options: Any,
) -> StateAdapter:
    """
    Return an unopened adapter for jobs in a schema of a PostgreSQL database. ``otelq.connect`` takes its options.

    Args:
        target: a URL (``postgresql://`` or ``postgres://``, reached with asyncpg), an ``asyncpg.Pool``, a
            ``psycopg_pool.AsyncConnectionPool``, an ``AsyncEngine`` of SQLAlchemy over asyncpg or psycopg, or a
            ``Provider``. Objects of the caller are never closed.
        session: with an engine, the ``async_sessionmaker`` whose sessions handlers' transactions give; without one,
            they give an ``AsyncConnection`` unless an ``AsyncSession`` is asked for.
        schema: the schema of otelq's tables.
        keeper: with a pool or an engine, a URL of the same database, with which the worker renews leases in an event
            loop of its own, over asyncpg. Without one the worker opens the same pool or engine again, if it can: not
            for a ``Provider``, a pool with a ``connect`` of its own or with computed parameters, or an engine with its
            own ``creator``. Then it renews leases in the application's event loop, and logs a warning.
        connect_timeout: seconds that opening may take.
        command_timeout: seconds that one of otelq's own statements may take.
        max_size: connections for transactions of handlers and clients; a few more serve otelq itself. A pool or an
            engine has a size of its own, of which otelq uses two connections for its own statements.
        options: with a URL, options of ``asyncpg.create_pool``, such as ``statement_cache_size=0`` behind some poolers.

    Raises:
        InvalidArgument: the target is none of these, or the name of the schema cannot be used.
    """
    limits: dict[str, Any] = {"connect_timeout": connect_timeout, "command_timeout": command_timeout}

    def database(source: Source, size: int) -> PostgresDatabase:
        return PostgresDatabase(source, PostgresStatements(schema), **limits, max_size=size)

    def again() -> Source | None:
        return _source(keeper, session=None, options=options | own) if keeper else source.sibling()

    def sibling() -> StateAdapter | None:
        found = again()
        if found is None:
            logger.warning("leases are renewed in the application's event loop, which no handler may block: %s", HINT)
            return None
        return PostgresState(database(found, 1), sibling=sibling, notifier=_none, was_open=keeper is None)

    def notifier() -> NotifyAdapter | None:
        if again() is None:
            logger.warning("jobs that other processes start are found by polling: %s", HINT)
            return None
        return BroadcastNotify(PostgresChannel(home, source=lambda: cast(Source, again()), owns_database=False))

    own = {"connect_timeout": connect_timeout, "max_size": max_size}
    source = _source(target, session=session, options=options | own)
    home = database(source, max_size)
    return PostgresState(home, sibling=sibling, notifier=notifier)


def notifier(target: str, *, schema: str = "otelq", connect_timeout: float = 10.0, **options: Any) -> NotifyAdapter:
    """
    Return a notifier that sends and hears hints by NOTIFY and LISTEN, on connections of its own.

    Args:
        target: a URL of the database that holds the jobs, by the address of the server itself: a transaction pooler
            in between lets nothing be heard.
        schema: the schema that holds the jobs; hints of other schemas are not heard.
        connect_timeout: seconds that opening may take.
        options: anything else goes to ``asyncpg.create_pool``.

    Raises:
        InvalidArgument: the URL or the schema cannot be used.
    """

    def source() -> Source:
        return _source(target, session=None, options=options | {"connect_timeout": connect_timeout, "max_size": 1})

    limits = {"connect_timeout": connect_timeout, "command_timeout": 10.0}
    database = PostgresDatabase(source(), PostgresStatements(schema), **limits, max_size=1)
    return BroadcastNotify(PostgresChannel(database, source=source, owns_database=True))


def _none() -> None:
    return None


def _source(target: object, *, session: object, options: Mapping[str, Any]) -> Source:
    driver = "asyncpg" if isinstance(target, str) else driver_of(target)
    if driver is None:
        raise InvalidArgument("target", f"is {type(target).__name__}; give a URL, a pool or an AsyncEngine")
    source: Source = load(driver).source(target, session=session, **options)
    return source
