"""Transactions that the application writes in: the adapter's own, and joined ones of the application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import aiosqlite

from ..errors import InvalidArgument
from ..ports.handles import SESSION_FACTORY, engine_of, no_such_handle
from ..uninterrupted import finish
from .connection_thread import Settings, connect, retry_delay
from .errors import DRIVER, END_SOONER, Locked, is_busy, translated
from .joined_transactions import AiosqliteTransaction, HandleState, JoinedTransaction, is_open
from .owned_transactions import AiosqliteOwnedTransaction, OwnedTransaction, WatchedConnection
from .statements import SqliteStatements

if TYPE_CHECKING:
    from .sqlalchemy import SqliteSqlalchemyJoiner

_MAX_IDLE = 4
"""The largest number of connections that wait for later transactions."""

_current_transaction: ContextVar[OwnedTransaction | None] = ContextVar("otelq_sqlite_inside", default=None)


class HandleSource(Protocol):
    """A source of the application's own handles, such as an engine of SQLAlchemy."""

    @property
    def names(self) -> str:
        """Return the kinds of its handles, for people."""
        ...

    def check(self, kind: type | None) -> bool:
        """Return whether this kind of handle comes from here."""
        ...

    def begin(
        self, kind: type | None, settings: Settings, statements: SqliteStatements
    ) -> AbstractAsyncContextManager[OwnedTransaction]:
        """Yield a transaction that holds the write lock, on a handle of this kind."""
        ...


class Transactions:
    """
    Begins and joins transactions.

    ``lock`` is the writer's: one task at a time writes in this process. ``is_free`` asks whether no connection of any
    process holds the write lock of the file.
    """

    def __init__(
        self,
        settings: Settings,
        statements: SqliteStatements,
        handle_source: HandleSource | None,
        *,
        lock: asyncio.Lock,
        is_free: Callable[[], Awaitable[bool]],
    ) -> None:
        self._settings = settings
        self._is_free = is_free
        self._source = handle_source
        self._statements = statements
        self._lock = lock
        self._idle: list[WatchedConnection] = []
        self._handle_states: WeakKeyDictionary[Any, HandleState] = WeakKeyDictionary()
        self._current: OwnedTransaction | None = None
        self._sqlalchemy: SqliteSqlalchemyJoiner | None = None

    @property
    def has_open(self) -> bool:
        """Return whether a transaction that was begun here holds the write lock."""
        return self._current is not None

    def refuse_self_deadlock(self) -> None:
        """Raise if a verb would wait for a transaction that its own task, or the task that started it, holds open."""
        inside = _current_transaction.get()
        if inside is not None and inside is self._current and inside.active:
            raise InvalidArgument("tx", "give tx=: this task holds the only write lock in a transaction of its own")

    def join(self, tx: object) -> JoinedTransaction:
        """Return the transaction that is open on the application's connection, or one of our own."""
        # A handle of our own given back: its verbs must share one lock, so it is not joined a second time.
        current = self._current
        if current is not None and (tx is current or tx is current.handle):
            return current
        if isinstance(tx, OwnedTransaction) and not tx.active:
            raise InvalidArgument("tx", "its transaction has ended")
        if isinstance(tx, JoinedTransaction):
            if tx.belongs_to(self._settings):
                return tx
            tx = tx.handle
        if comes_from("sqlalchemy", tx):
            return self._joiner_of_sqlalchemy().join(tx)
        if not isinstance(tx, aiosqlite.Connection):
            raise InvalidArgument("tx", f"is a {type(tx).__name__}; give an open aiosqlite.Connection")
        if not is_open(tx):
            raise InvalidArgument("tx", "no transaction is open; await connection.execute('BEGIN IMMEDIATE') first")
        return AiosqliteTransaction(tx, self._state_of(tx), self._settings, self._statements, is_free=self._is_free)

    def _joiner_of_sqlalchemy(self) -> SqliteSqlalchemyJoiner:
        if self._sqlalchemy is None:
            from .sqlalchemy import SqliteSqlalchemyJoiner  # which need not be installed

            self._sqlalchemy = SqliteSqlalchemyJoiner(self._state_of, self._settings, self._statements)
        return self._sqlalchemy

    def _state_of(self, handle: object) -> HandleState:
        return self._handle_states.setdefault(handle, HandleState())

    def check(self, kind: type | None) -> None:
        """
        Check that there are handles of this kind.

        Raises:
            InvalidArgument: there are none.
        """
        if kind is not None and kind is not aiosqlite.Connection and not self._is_from_source(kind):
            if self._source is None:
                way = engine_of("sqlite+aiosqlite")
                raise no_such_handle(kind, given="aiosqlite.Connection", sqlalchemy=way)
            given = f"aiosqlite.Connection, {self._source.names}"
            raise no_such_handle(kind, given=given, sqlalchemy=SESSION_FACTORY)

    def _is_from_source(self, kind: type | None) -> bool:
        return self._source is not None and self._source.check(kind)

    @asynccontextmanager
    async def begin(self, kind: type | None = None) -> AsyncGenerator[OwnedTransaction]:
        """Yield a transaction that holds the write lock from its beginning."""
        self.refuse_self_deadlock()
        # The lock of this process first, in order of arrival; only then does its holder compete with other processes.
        async with self._locked(), self._opened(kind) as tx:
            self._current = tx
            # Not reset at the end, which may come in another task: `refuse_self_deadlock` ignores one that has ended.
            _current_transaction.set(tx)
            try:
                yield tx
            except BaseException:
                await finish(tx.end(commit=False))
                raise
            else:
                await finish(tx.end(commit=True))
            finally:
                self._current = None

    @asynccontextmanager
    async def _opened(self, kind: type | None) -> AsyncGenerator[OwnedTransaction]:
        if self._source is not None and self._is_from_source(kind):
            async with self._source.begin(kind, self._settings, self._statements) as opened:
                yield opened
            return
        async with self._connection() as handle:
            await self._begin_immediate(handle.connection)
            yield AiosqliteOwnedTransaction(handle, self._settings, self._statements)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().connection.close()

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._settings.busy_timeout):
                await self._lock.acquire()
        except TimeoutError:
            text = f"cannot begin on {self._settings.path}: a transaction of this process is open; {END_SOONER}"
            raise Locked(text) from None
        try:
            yield
        finally:
            self._lock.release()

    async def _begin_immediate(self, connection: aiosqlite.Connection) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.busy_timeout
        while True:
            try:
                # IMMEDIATE takes the write lock now: a deferred transaction that has read could not wait for it later.
                await connection.execute_fetchall("BEGIN IMMEDIATE")
                return
            except DRIVER as error:
                if not is_busy(error) or loop.time() >= deadline:
                    raise translated(error, f"cannot write to {self._settings.path}") from error
            await asyncio.sleep(retry_delay())

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[WatchedConnection]:
        """Yield a connection of the pool. One whose user was interrupted may still run a statement, and is closed."""
        if not self._idle:
            # After a cancel the next transaction uses the new connection. No other can take it: the lock is held.
            await finish(self._connect())
        handle = self._idle.pop()
        try:
            yield handle
        except BaseException:
            await finish(handle.connection.close())
            raise
        # Never back to the pool with a transaction open: the next user would write into it.
        if len(self._idle) < _MAX_IDLE and not is_open(handle.connection):
            self._idle.append(handle)
        else:
            await finish(handle.connection.close())

    async def _connect(self) -> None:
        connection = aiosqlite.Connection(lambda: connect(self._settings), iter_chunk_size=64)
        # A daemon: a program that forgets to close must not wait for this thread at its end.
        thread: Any = getattr(connection, "_thread", connection)
        thread.daemon = True
        handle = WatchedConnection(await connection)
        driver: Any = connection  # whose annotation of this method is incomplete
        await driver.set_trace_callback(handle.on_statement)
        self._idle.append(handle)


def comes_from(package: str, thing: object) -> bool:
    """Return whether the class of an object, or one that it derives from, is of a package."""
    return any(base.__module__.partition(".")[0] == package for base in type(thing).__mro__)
