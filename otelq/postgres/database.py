"""Connections, deadlines and second tries: how a verb reaches the database."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from io import BytesIO
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import urlsplit

import asyncpg

from ..errors import InvalidArgument, OtelqError, Unavailable
from ..ports.state import Transaction
from .errors import DRIVER_ERRORS, is_conflict, is_lost, translate
from .queries import Queries

T = TypeVar("T")

VERBS: Final = 4
"""Connections of a URL's own that verbs use; handlers' transactions have others and never delay a verb."""

RESERVED: Final = 2
"""Connections of a caller's pool that handlers' transactions leave free for the verbs."""

TRIES: Final = 5
"""How often a verb that lost against another transaction is tried."""

CLOSING: Final = 5.0
"""Seconds that connections get to end in good order."""

SKIP: Final = "FOR UPDATE SKIP LOCKED"
WAIT: Final = "FOR UPDATE"

READ_COMMITTED: Final = "read_committed"

SAVEPOINT: Final = "otelq_verb"


class Session:
    """One connection for the time of one verb, with the statements and the verb's clock."""

    __slots__ = ("connection", "left_pending", "now", "queries", "timeout")

    def __init__(self, connection: Any, queries: Queries, *, now: datetime | None, timeout: float) -> None:
        self.connection = connection
        self.queries = queries
        self.now = now
        self.timeout = timeout
        self.left_pending = False

    async def rows(self, name: str, *args: object, **tokens: str) -> list[Any]:
        """The rows of a statement."""
        statement = self.queries(name, **tokens)
        given = (self.now, *args) if statement.is_timed else args
        found: list[Any] = await self.connection.fetch(statement.text, *given, timeout=self.timeout)
        return found

    async def row(self, name: str, *args: object, **tokens: str) -> Any:
        """The one row of a statement that always has one."""
        (row,) = await self.rows(name, *args, **tokens)
        return row

    @property
    def can_copy(self) -> bool:
        """Whether ``copy`` is to be had; without it, rows are inserted."""
        return True

    async def copy(self, table: str, columns: Sequence[str], rows: bytes) -> None:
        """Append rows, in COPY's text format, to a table of the schema."""
        await self.connection.copy_to_table(
            table,
            source=BytesIO(rows),
            columns=columns,
            schema_name=self.queries.schema,
            format="text",
            encoding="utf-8",
            timeout=self.timeout,
        )


class Database:
    """A database that is reached through a URL, or through a pool that the caller made."""

    def __init__(
        self,
        target: str | asyncpg.Pool[Any],
        queries: Queries,
        *,
        connect_timeout: float,
        command_timeout: float,
        max_size: int,
        options: Mapping[str, Any],
    ) -> None:
        self.queries = queries
        self.command_timeout = command_timeout
        self._target = target
        self._connect_timeout = connect_timeout
        self._max_size = max_size
        self._options = options
        self._verbs: asyncpg.Pool[Any] | None = None
        self._handlers: asyncpg.Pool[Any] | None = None
        self._room: asyncio.Semaphore | None = None

    # Life

    async def open(self) -> None:
        """
        Connect.

        Raises:
            Unavailable: not within the connect timeout; the text shows host and database only.
            InvalidArgument: the URL cannot be read, or the caller's pool is too small.
        """
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._connect()
        except OtelqError:
            raise
        except ValueError:
            # The driver's own text may hold a part of the password.
            raise InvalidArgument("url", f"cannot be used to reach {self._place}; is it percent-encoded?") from None
        except Exception as error:
            why = str(error) or type(error).__name__
            raise Unavailable(f"cannot connect to PostgreSQL at {self._place}: {why}") from error

    async def _connect(self) -> None:
        if isinstance(self._target, str):
            await self._open_own(self._target)
        else:
            self._open_given(self._target)
        async with self.verbs.acquire() as connection:
            await connection.fetchval("SELECT 1")

    async def _open_own(self, url: str) -> None:
        usual: dict[str, Any] = {"min_size": 0, "timeout": self._connect_timeout, **self._options}
        self._verbs = await asyncpg.create_pool(url, **usual, max_size=VERBS, reset=_keep_as_it_is)
        self._handlers = await asyncpg.create_pool(url, **usual, max_size=self._max_size)
        self._room = asyncio.Semaphore(self._max_size)

    def _open_given(self, pool: asyncpg.Pool[Any]) -> None:
        size = pool.get_max_size()
        if size <= RESERVED:
            raise InvalidArgument(
                "pool", f"has max_size={size}; give it at least {RESERVED + 1}, as {RESERVED} are kept for verbs"
            )
        self._verbs = self._handlers = pool
        self._room = asyncio.Semaphore(size - RESERVED)

    async def close(self) -> None:
        """Let go of what was opened here; a pool that the caller made stays open."""
        verbs, handlers = self._verbs, self._handlers
        self._verbs = self._handlers = None
        for pool in {verbs, handlers} - {None, self._target}:
            assert pool is not None
            await _close(pool)

    @property
    def verbs(self) -> asyncpg.Pool[Any]:
        """Connections for verbs."""
        if self._verbs is None:
            raise Unavailable("the PostgreSQL adapter is not open")
        return self._verbs

    # Work

    async def run(
        self,
        work: Callable[[Session], Awaitable[T]],
        *,
        now: datetime | None = None,
        atomic: bool = False,
        again: bool = False,
    ) -> T:
        """
        Do one verb's work: as statements that commit each, or with ``atomic`` in one transaction.

        Work that lost against another transaction is done again; after the loss of the connection, once and only if
        ``again`` says that doing it twice is harmless.
        """
        for left in reversed(range(TRIES)):
            try:
                return await self._once(work, now=now, atomic=atomic)
            except Exception as error:
                if not left or not (is_conflict(error) or (again and is_lost(error))):
                    raise_translated(error)
                again = again and not is_lost(error)
            await asyncio.sleep(random.uniform(0.001, 0.01) * (TRIES - left))
        raise AssertionError("the last try returns or raises")

    async def _once(self, work: Callable[[Session], Awaitable[T]], *, now: datetime | None, atomic: bool) -> T:
        async with _loan(self.verbs, self.command_timeout) as connection:
            session = self.session(connection, now)
            if not atomic:
                return await work(session)
            async with _transaction(connection, self.command_timeout):
                return await work(session)

    async def run_in(
        self,
        tx: Transaction,
        work: Callable[[Session], Awaitable[T]],
        *,
        now: datetime | None = None,
        savepoint: bool = False,
    ) -> T:
        """Do one verb's work in an open transaction; with ``savepoint``, an error leaves that one as it was."""
        connection = tx.handle
        try:
            if not savepoint:
                return await work(self.session(connection, now))
            async with _savepoint(connection):
                return await work(self.session(connection, now))
        except Exception as error:
            raise_translated(error)

    def session(self, connection: Any, now: datetime | None) -> Session:
        """The means of a verb on a connection."""
        return Session(connection, self.queries, now=now, timeout=self.command_timeout)

    @asynccontextmanager
    async def handler_connection(self) -> AsyncGenerator[Any]:
        """A connection for a transaction of a handler or a client, which may keep it for long."""
        if self._handlers is None or self._room is None:
            raise Unavailable("the PostgreSQL adapter is not open")
        async with self._room:
            try:
                connection = await self._handlers.acquire()
            except Exception as error:
                raise_translated(error)
            try:
                yield connection
            finally:
                await _take_back(self._handlers, connection, self.command_timeout)

    @property
    def _place(self) -> str:
        if not isinstance(self._target, str):
            return "the given pool"
        try:
            url = urlsplit(self._target)
            return f"{url.hostname or 'localhost'}:{url.port or 5432}, database {url.path.strip('/') or '(default)'}"
        except ValueError:
            return "the given URL"


async def in_time(connection: Any, work: Coroutine[Any, Any, None], *, timeout: float) -> None:
    """
    Begin or end a transaction; a connection that gives no answer is cut, so that nobody waits for it again.

    Raises:
        TimeoutError: there was no answer within ``timeout`` seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            await work
    except TimeoutError:
        connection.terminate()
        raise


@asynccontextmanager
async def _transaction(connection: Any, timeout: float) -> AsyncGenerator[None]:
    """The transaction of one verb, of which the driver's own would wait for ever for its begin and its end."""
    block = connection.transaction(isolation=READ_COMMITTED)
    await in_time(connection, block.start(), timeout=timeout)
    try:
        yield
    except BaseException:
        with suppress(*DRIVER_ERRORS, TimeoutError):
            await in_time(connection, block.rollback(), timeout=timeout)
        raise
    await in_time(connection, block.commit(), timeout=timeout)


@asynccontextmanager
async def _savepoint(connection: Any) -> AsyncGenerator[None]:
    """A savepoint, also in a transaction that was begun by hand, where the driver's own would refuse to nest."""
    await connection.execute(f"SAVEPOINT {SAVEPOINT}")
    try:
        yield
    except BaseException:
        if not connection.is_closed():
            await connection.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            await connection.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")
        raise
    await connection.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")


def raise_translated(error: Exception) -> NoReturn:
    """Raise a driver's error in the house's words, or any other as it is."""
    if ours := translate(error):
        raise ours from error
    raise error


@asynccontextmanager
async def _loan(pool: asyncpg.Pool[Any], timeout: float) -> AsyncGenerator[Any]:
    connection = await pool.acquire(timeout=timeout)
    try:
        yield connection
    finally:
        await _take_back(pool, connection, timeout)


async def _take_back(pool: asyncpg.Pool[Any], connection: Any, timeout: float) -> None:
    """A connection that dies while it is tidied up is the pool's to replace; what was committed stands."""
    with suppress(*DRIVER_ERRORS, TimeoutError):
        await pool.release(connection, timeout=timeout)


async def _keep_as_it_is(connection: object) -> None:
    """Verbs leave nothing behind on a connection, so that no statement need tidy up."""


async def _close(pool: asyncpg.Pool[Any]) -> None:
    try:
        async with asyncio.timeout(CLOSING):
            await pool.close()
    except (TimeoutError, *DRIVER_ERRORS):
        pool.terminate()
