"""The source of connections from the caller's engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, cast

from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AssertionPool, Pool, QueuePool, SingletonThreadPool, StaticPool

from ....errors import InvalidArgument, Unavailable
from ....ports.handles import SESSION_FACTORY, no_such_handle
from ....sqlalchemy.engine import HandleFactory
from ....sqlalchemy.handles import Handle
from ....uninterrupted import cancel_once, finish
from ...errors import is_stale
from ..liveness import was_closed_by_server
from ..port import transaction_limit
from .connection import SqlalchemyConnection
from .transactions import ERRORS, PostgresSqlalchemyJoiner, SqlalchemyOwnTransaction, in_time

_SINGLE_CONNECTION: Final = (StaticPool, SingletonThreadPool, AssertionPool)
"""Pools with a single connection."""

_READ_COMMITTED: Final[IsolationLevel] = "READ COMMITTED"
_AUTOCOMMIT: Final[IsolationLevel] = "AUTOCOMMIT"


class SqlalchemySource:
    """An engine that the caller made, or a copy of it for another event loop."""

    driver = "sqlalchemy"

    def __init__(self, engine: AsyncEngine, *, sessions: Any = None, is_own: bool = False) -> None:
        self.joiner = PostgresSqlalchemyJoiner()
        self._engine = engine
        self._handles = HandleFactory(engine, sessions)
        self._is_own = is_own
        self._is_open = False

    @property
    def location(self) -> str:
        return f"{self._engine.url.host or 'localhost'}, database {self._engine.url.database or '(default)'}"

    async def open(self) -> int | None:
        self._is_open = True
        return None if self._is_own else _limit_of(self._engine.sync_engine.pool)

    async def close(self) -> None:
        self._is_open = False
        if self._is_own:
            await self._engine.dispose()

    def sibling(self) -> SqlalchemySource | None:
        engine = self._engine.sync_engine
        if not _connects_plainly(engine.pool) or engine.dialect.dispatch.do_connect:
            return None  # the function that connects may belong to this event loop
        duplicate = create_async_engine(engine.url, pool=engine.pool.recreate())
        return SqlalchemySource(duplicate, is_own=True)

    @asynccontextmanager
    async def loan(self, *, atomic: bool, timeout: float) -> AsyncGenerator[SqlalchemyConnection]:
        async with self._connected(_READ_COMMITTED if atomic else _AUTOCOMMIT, timeout) as connection:
            if not atomic:
                yield SqlalchemyConnection(connection)
                return
            try:
                await finish(in_time(connection.begin(), timeout=timeout))
                yield SqlalchemyConnection(connection)
            except BaseException:
                await finish(_roll_back(connection, timeout))
                raise
            await finish(in_time(connection.commit(), timeout=timeout))

    def check(self, kind: type | None) -> None:
        if kind is not None and not self._handles.makes(kind):
            raise no_such_handle(kind, given=self._handles.names, sqlalchemy=SESSION_FACTORY)

    @asynccontextmanager
    async def begin(self, kind: type | None, *, timeout: float) -> AsyncGenerator[SqlalchemyOwnTransaction]:
        opened = self._session if self._handles.makes_session(kind) else self._connection
        async with opened(timeout) as transaction:
            try:
                yield transaction
                await transaction.commit(timeout=timeout)
            except BaseException:
                await finish(transaction.roll_back(timeout=timeout))
                raise

    @asynccontextmanager
    async def _session(self, timeout: float) -> AsyncGenerator[SqlalchemyOwnTransaction]:
        self._check_open()
        session = self._handles.session()
        try:
            connection = await cancel_once(_session_connected(session, timeout))
            yield self.joiner.own_transaction(session, connection)
        except Exception as error:
            if is_stale(error):
                await finish(session.invalidate())
            raise
        finally:
            await finish(_close(session, timeout))

    @asynccontextmanager
    async def _connection(self, timeout: float) -> AsyncGenerator[SqlalchemyOwnTransaction]:
        async with self._connected(_READ_COMMITTED, timeout) as connection:
            await finish(in_time(connection.begin(), timeout=timeout))
            yield self.joiner.own_transaction(connection, connection)

    @asynccontextmanager
    async def _connected(self, isolation: IsolationLevel, timeout: float) -> AsyncGenerator[AsyncConnection]:
        self._check_open()
        connection = await cancel_once(
            _connected(self._engine, isolation, timeout), undo=lambda made: _close(made, timeout)
        )
        try:
            yield connection
        except Exception as error:
            if is_stale(error):
                await finish(connection.invalidate())
            raise
        finally:
            await finish(_close(connection, timeout))

    def _check_open(self) -> None:
        if not self._is_open:
            raise Unavailable("the PostgreSQL adapter is not open")


async def _connected(engine: AsyncEngine, isolation: IsolationLevel, timeout: float) -> AsyncConnection:
    """
    Open a connection that the server has not closed while it was idle.

    Its isolation level is set here and not by options of the engine: a cancel while those are applied would leak the
    connection.
    """
    async with asyncio.timeout(timeout):
        while True:
            connection = engine.connect()
            try:
                _ = await connection.start()
                if not await _is_dead(connection):
                    _restore_isolation_later(connection)
                    return await connection.execution_options(isolation_level=isolation)
            except BaseException:
                await _discard(connection, timeout)
                raise
            await connection.close()


async def _session_connected(session: AsyncSession, timeout: float) -> AsyncConnection:
    try:
        async with asyncio.timeout(timeout):
            while True:
                if not session.in_transaction():
                    _ = await session.begin()  # as nothing else does with autobegin=False
                connection = await session.connection(execution_options={"isolation_level": _READ_COMMITTED})
                if not await _is_dead(connection):
                    _restore_isolation_later(connection, known=False)
                    return connection
                await session.rollback()
    except BaseException:
        await _discard(session, timeout)
        raise


def _restore_isolation_later(connection: AsyncConnection, *, known: bool = True) -> None:
    """
    Restore the driver's own isolation level when the connection goes back, after SQLAlchemy has set its default.

    SQLAlchemy's default is wrong where a connection was given another one, as by ``SET SESSION CHARACTERISTICS`` in a
    listener. For a session the level before is not ``known``; then none is set.
    """
    sync: Any = connection.sync_connection
    fairy, is_psycopg = sync.connection, sync.dialect.driver == "psycopg"
    before = (fairy.driver_connection if is_psycopg else fairy.dbapi_connection).isolation_level if known else None
    if known or sync.dialect._on_connect_isolation_level is None:
        # SQLAlchemy runs these callbacks from the right, so that ours is the last.
        fairy._connection_record.finalize_callback.appendleft(partial(_set_back, before))


def _set_back(level: object, driver: Any) -> None:
    driver.set_isolation_level(level)


async def _is_dead(connection: AsyncConnection) -> bool:
    """Return whether the server closed the connection; if so, have the pool open another."""
    raw = await connection.get_raw_connection()
    if not was_closed_by_server(raw.driver_connection):
        return False
    await connection.invalidate()
    return True


async def _roll_back(connection: AsyncConnection, timeout: float) -> None:
    with suppress(*ERRORS):
        await in_time(connection.rollback(), timeout=timeout)


async def _discard(loan: Handle, timeout: float) -> None:
    """
    Discard a connection after a cancel while its isolation level was set.

    The driver may be in autocommit mode by then without SQLAlchemy knowing, so that the next statements of the
    application would commit one by one.
    """
    with suppress(*ERRORS):
        await in_time(loan.invalidate(), timeout=timeout)
    await _close(loan, timeout)


async def _close(loan: Handle, timeout: float) -> None:
    """Give a connection back; the engine replaces one that dies meanwhile."""
    with suppress(*ERRORS):
        await in_time(loan.close(), timeout=timeout)


def _limit_of(pool: Pool) -> int | None:
    if isinstance(pool, _SINGLE_CONNECTION):
        raise InvalidArgument(
            "engine", f"has a {type(pool).__name__}; give one that can have three connections or more"
        )
    if not isinstance(pool, QueuePool):
        return None
    overflow: int = pool._max_overflow  # pyright: ignore[reportPrivateUsage]  # it has no public name
    if pool.size() == 0 or overflow < 0:
        return None
    return transaction_limit("engine", pool.size() + overflow, called="pool_size + max_overflow")


def _connects_plainly(pool: Pool) -> bool:
    """Return whether SQLAlchemy itself opens the connections, by the URL and its arguments."""
    return bool(cast(Any, pool)._creator.__module__ == "sqlalchemy.engine.create")
