"""The source of connections from the caller's pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from psycopg import AsyncConnection, IsolationLevel

from ....errors import InvalidArgument, Unavailable
from ....ports.handles import engine_of, no_such_handle
from ....uninterrupted import cancel_once, finish
from ...errors import is_stale
from ..liveness import was_closed_by_server
from ..port import transaction_limit
from .connection import PsycopgConnection
from .transactions import (
    ERRORS,
    PsycopgJoiner,
    PsycopgTransaction,
    check_committable,
    in_time,
    open_transaction,
    roll_back_or_close,
)

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"


class PsycopgSource:
    """A pool that the caller made, or a copy of it for another event loop."""

    driver = "psycopg"

    def __init__(self, pool: AsyncConnectionPool[Any], *, is_own: bool = False) -> None:
        self.joiner = PsycopgJoiner()
        self._pool = pool
        self._is_own = is_own
        self._is_open = False

    @property
    def location(self) -> str:
        return "the given pool"

    async def open(self) -> int | None:
        if self._is_own:
            await self._pool.open()
        elif self._pool.closed:
            raise InvalidArgument("pool", "is not open; open it before, as in `async with pool:`")
        self._is_open = True
        most = self._pool.max_size
        return None if self._is_own or most == 0 else transaction_limit("pool", most, called="max_size")

    async def close(self) -> None:
        self._is_open = False
        if self._is_own:
            await self._pool.close()

    def sibling(self) -> PsycopgSource | None:
        pool = self._pool
        if callable(pool.conninfo) or callable(pool.kwargs):
            return None  # what computes them may belong to this event loop
        duplicate = type(pool)(
            pool.conninfo,
            kwargs=pool.kwargs,
            connection_class=pool.connection_class,
            min_size=0,
            max_size=1,
            open=False,
        )
        return PsycopgSource(duplicate, is_own=True)

    @asynccontextmanager
    async def loan(self, *, atomic: bool, timeout: float) -> AsyncGenerator[PsycopgConnection]:
        async with self._borrowed(timeout) as connection:
            # Without autocommit the driver would begin a transaction at a single statement, and never commit it.
            await connection.set_autocommit(True)
            if not atomic:
                yield PsycopgConnection(connection)
                return
            async with _transaction(connection, timeout):
                yield PsycopgConnection(connection)

    def check(self, kind: type | None) -> None:
        if kind not in (None, AsyncConnection):
            raise no_such_handle(kind, given="psycopg.AsyncConnection", sqlalchemy=engine_of("postgresql+psycopg"))

    @asynccontextmanager
    async def begin(self, kind: type | None, *, timeout: float) -> AsyncGenerator[PsycopgTransaction]:
        async with self._borrowed(timeout) as connection:
            await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
            async with open_transaction(
                connection, self.joiner.own_transaction(connection), timeout=timeout
            ) as transaction:
                yield transaction

    @asynccontextmanager
    async def _borrowed(self, timeout: float) -> AsyncGenerator[AsyncConnection[Any]]:
        """Borrow a connection of the pool, and restore the application's settings at the end."""
        if not self._is_open:
            raise Unavailable("the PostgreSQL adapter is not open")
        connection = await cancel_once(self._live(timeout), undo=self._pool.putconn)
        before = connection.autocommit, connection.isolation_level
        try:
            yield connection
        except Exception as error:
            if is_stale(error):
                await finish(connection.close())
            raise
        finally:
            await finish(self._give_back(connection, *before, timeout=timeout))

    async def _live(self, timeout: float) -> AsyncConnection[Any]:
        """Return a connection that the server has not closed while idle; the pool itself does not check that."""
        async with asyncio.timeout(timeout):
            while True:
                connection: AsyncConnection[Any] = await self._pool.getconn(timeout)
                if not was_closed_by_server(connection):
                    return connection
                try:
                    await connection.close()
                finally:
                    await self._pool.putconn(connection)  # the pool then opens another

    async def _give_back(
        self, connection: AsyncConnection[Any], autocommit: bool, isolation: IsolationLevel | None, *, timeout: float
    ) -> None:
        with suppress(*ERRORS):
            await roll_back_or_close(connection, timeout=timeout)
            await connection.set_autocommit(autocommit)
            await connection.set_isolation_level(isolation)
        with suppress(*ERRORS):
            await self._pool.putconn(connection)


@asynccontextmanager
async def _transaction(connection: AsyncConnection[Any], timeout: float) -> AsyncGenerator[None]:
    """Open the transaction of one verb."""
    try:
        await finish(in_time(connection, connection.execute(_BEGIN), timeout=timeout))
        yield
        check_committable(connection)
    except BaseException:
        await finish(roll_back_or_close(connection, timeout=timeout))
        raise
    await finish(in_time(connection, connection.commit(), timeout=timeout))
