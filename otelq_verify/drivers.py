"""
An application beside otelq, which reaches the database by a driver of its own and shares a pool or an engine with it.

Each driver is loaded when it is asked for; none of the others need be installed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from otelq.errors import InvalidArgument

T = TypeVar("T")
Borrow = Callable[[], AbstractAsyncContextManager[Any]]

PATIENCE: Final = 10.0
"""Seconds after which a connection that cannot be borrowed, or does not answer, counts as lost."""

_PLACEHOLDER: Final = re.compile(r"\?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """
    The ways in which an application works with its database.

    Args:
        target: what it gives ``otelq.connect``.
        transaction: begins a transaction of its own; yields what goes to ``tx=``.
        kinds: what it may ask of ``client.transaction()``.
        borrow: takes a connection of the pool or the engine; None where the application shares none with otelq.
        size: how many can be borrowed at once.
        begins: whether such a connection begins a transaction with the first statement.
    """

    target: Any
    transaction: Borrow
    kinds: Sequence[type | None] = (None,)
    borrow: Borrow | None = None
    size: int = 0
    begins: bool = False

    async def faults(self) -> list[str]:
        """Borrow every connection at once, and return what is wrong with them."""
        if self.borrow is None:
            return []
        found: list[str] = []
        async with AsyncExitStack() as stack:
            for number in range(1, self.size + 1):
                try:
                    connection = await _in_time(stack.enter_async_context(self.borrow()))
                    found += [f"connection {number}: {fault}" for fault in await _in_time(self._look(connection))]
                except Exception as error:
                    found.append(f"connection {number} cannot be used: {type(error).__name__}: {error}")
                    if isinstance(error, TimeoutError):
                        break  # the others would not come either
        return found

    async def _look(self, connection: Any) -> list[str]:
        found = ["is inside a transaction when it is borrowed"] if await is_inside(connection) else []
        await execute(connection, "SELECT 1")
        if await is_inside(connection) is not self.begins:
            found.append(f"{'does not begin' if self.begins else 'begins'} a transaction with its first statement")
        return found


async def _in_time(work: Awaitable[T]) -> T:
    return await asyncio.wait_for(work, PATIENCE)


@asynccontextmanager
async def application(
    url: str, driver: str, *, size: int = 6, patience: float = PATIENCE
) -> AsyncGenerator[Application]:
    """
    Yield an application that reaches the database at a URL by this driver, with ``size`` connections.

    ``patience`` is how many seconds connecting may take.

    Raises:
        InvalidArgument: this kind of database is not reached by it.
    """
    check_driver(url, driver)
    async with _KNOWN[driver](url, size, patience) as made:
        yield made


def check_driver(url: str, driver: str | None) -> None:
    """
    Raise unless a database is reached by a driver. None stands for the database's own driver.

    Raises:
        InvalidArgument: it is not.
    """
    known = drivers_for(url)
    if driver is not None and driver not in known:
        raise InvalidArgument("driver", f"is {driver!r}; for this database there are {', '.join(known)}")


def drivers_for(url: str) -> Sequence[str]:
    """Return the names of the drivers by which a database is reached; the first is the one of a URL."""
    return SQLITE if url.partition(":")[0].lower() == "sqlite" else POSTGRES


# What applications do on whatever they hold


async def execute(handle: Any, statement: str, *values: object) -> None:
    """Run a statement with ``?`` for its values on a connection or a session of any driver."""
    await _run(handle, statement, values, fetch=False)


async def rows(handle: Any, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query, written as for ``execute``."""
    return [tuple(row) for row in await _run(handle, statement, values, fetch=True)]


async def _run(handle: Any, statement: str, values: Sequence[object], *, fetch: bool) -> Sequence[Any]:
    match package_of(handle):
        case "asyncpg":
            numbered = _counted(statement, "$")
            found: Sequence[Any] = await (handle.fetch if fetch else handle.execute)(numbered, *values)
            return found
        case "sqlalchemy":
            return await _by_name(handle, statement, values)
        case "psycopg":
            cursor = await handle.execute(_PLACEHOLDER.sub("%s", statement), values or None)
        case _:
            cursor = await handle.execute(statement, values)
    try:
        return list(await cursor.fetchall()) if fetch else ()
    finally:
        await cursor.close()


async def _by_name(handle: Any, statement: str, values: Sequence[object]) -> Sequence[Any]:
    from sqlalchemy import text

    result = await handle.execute(
        text(_counted(statement, ":p")), {f"p{n}": value for n, value in enumerate(values, 1)}
    )
    return list(result.fetchall()) if result.returns_rows else ()


def _counted(statement: str, mark: str) -> str:
    numbers = count(1)
    return _PLACEHOLDER.sub(lambda _: f"{mark}{next(numbers)}", statement)


def package_of(handle: object) -> str:
    """Return the name of the driver's package of a connection or a session."""
    packages = [base.__module__.partition(".")[0] for base in type(handle).__mro__]
    return next(name for name in packages if name in ("asyncpg", "psycopg", "sqlalchemy", "aiosqlite"))


def is_sqlite(handle: Any) -> bool:
    """Return True if a connection or a session leads to SQLite."""
    match package_of(handle):
        case "sqlalchemy":
            dialect = handle.dialect if hasattr(handle, "dialect") else handle.get_bind().dialect
            return bool(dialect.name == "sqlite")
        case package:
            return package == "aiosqlite"


async def is_inside(connection: Any) -> bool:
    """Return True if a transaction is open on a connection, as the driver below reports it."""
    if package_of(connection) == "sqlalchemy":
        connection = (await connection.get_raw_connection()).driver_connection
    match package_of(connection):
        case "asyncpg":
            return bool(connection.is_in_transaction())
        case "psycopg":
            return bool(connection.info.transaction_status.name != "IDLE")
        case _:
            return bool(connection.in_transaction)


# The drivers of PostgreSQL

Reach = Callable[[str, int, float], AbstractAsyncContextManager[Application]]
"""Takes a URL, the number of connections, and the seconds that one may take."""


@asynccontextmanager
async def _asyncpg_url(url: str, size: int, patience: float) -> AsyncGenerator[Application]:
    import asyncpg

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[Any]:
        connection: Any = await asyncpg.connect(url, timeout=patience)
        try:
            async with connection.transaction():
                yield connection
            await connection.close()
        finally:
            connection.terminate()

    yield Application(target=url, transaction=transaction)


@asynccontextmanager
async def _asyncpg_pool(url: str, size: int, patience: float) -> AsyncGenerator[Application]:
    import asyncpg

    async with asyncpg.create_pool(url, min_size=0, max_size=size, timeout=patience) as made:
        pool: Any = made

        @asynccontextmanager
        async def transaction() -> AsyncGenerator[Any]:
            async with pool.acquire() as connection, connection.transaction():
                yield connection

        yield Application(target=pool, transaction=transaction, borrow=pool.acquire, size=size)


@asynccontextmanager
async def _psycopg(url: str, size: int, patience: float) -> AsyncGenerator[Application]:
    from psycopg_pool import AsyncConnectionPool

    limits = {"connect_timeout": max(2, int(patience))}
    async with AsyncConnectionPool(url, min_size=0, max_size=size, kwargs=limits, open=False) as made:
        pool: Any = made

        @asynccontextmanager
        async def transaction() -> AsyncGenerator[Any]:
            async with pool.connection() as connection, connection.transaction():
                yield connection

        yield Application(target=pool, transaction=transaction, borrow=pool.connection, size=size, begins=True)


def _sqlalchemy(dialect: str) -> Reach:
    @asynccontextmanager
    async def reached(url: str, size: int, patience: float) -> AsyncGenerator[Application]:
        from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

        target, options = _for_sqlalchemy(url, dialect, patience)
        engine = create_async_engine(target, pool_size=size, max_overflow=0, connect_args=options)

        @asynccontextmanager
        async def transaction() -> AsyncGenerator[Any]:
            async with AsyncSession(engine) as session, session.begin():
                yield session

        try:
            yield Application(
                target=engine,
                transaction=transaction,
                kinds=(AsyncConnection, AsyncSession),
                borrow=engine.connect,
                size=size,
                begins=dialect != "aiosqlite",  # which begins with the first that writes
            )
        finally:
            await engine.dispose()

    return reached


def _for_sqlalchemy(url: str, dialect: str, patience: float) -> tuple[str, dict[str, Any]]:
    """Return the URL in SQLAlchemy's form, and further options for the driver."""
    parts = urlsplit(url)
    match dialect:
        case "asyncpg":
            plain = {"ssl": False} if "sslmode=disable" in parts.query else {}
            return parts._replace(scheme="postgresql+asyncpg", query="").geturl(), {"timeout": patience, **plain}
        case "psycopg":
            wait = max(2, int(patience))
            return url.replace(parts.scheme, "postgresql+psycopg", 1), {"connect_timeout": wait}
        case _:
            return url.replace(parts.scheme, "sqlite+aiosqlite", 1), {}


# The drivers of SQLite


@asynccontextmanager
async def _aiosqlite(url: str, size: int, patience: float) -> AsyncGenerator[Application]:
    import aiosqlite
    import anyio

    path = url.removeprefix("sqlite:///")

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[Any]:
        async with aiosqlite.connect(path, isolation_level=None, timeout=PATIENCE) as connection:
            try:
                await execute(connection, "BEGIN IMMEDIATE")
                yield connection
                await connection.commit()
            finally:
                with anyio.CancelScope(shield=True):  # the driver would leave its lock behind
                    await connection.rollback()
                    await connection.close()

    yield Application(target=url, transaction=transaction)


_KNOWN: Final[Mapping[str, Reach]] = {
    "asyncpg": _asyncpg_url,
    "asyncpg-pool": _asyncpg_pool,
    "psycopg": _psycopg,
    "sqlalchemy-asyncpg": _sqlalchemy("asyncpg"),
    "sqlalchemy-psycopg": _sqlalchemy("psycopg"),
    "aiosqlite": _aiosqlite,
    "sqlalchemy-aiosqlite": _sqlalchemy("aiosqlite"),
}
POSTGRES: Final = tuple(name for name in _KNOWN if not name.endswith("aiosqlite"))
SQLITE: Final = tuple(name for name in _KNOWN if name.endswith("aiosqlite"))
