"""Transactions on the application's engine that the adapter begins and ends."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakSet

import aiosqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from ...errors import InvalidArgument, OtelqError, Unavailable
from ...ports.state import Ending
from ...sqlalchemy.engine import HandleFactory, refuse_commits
from ...sqlalchemy.handles import Handle
from ...sqlalchemy.listeners import Listeners
from ...sqlalchemy.watcher import Watchers
from ...uninterrupted import finish
from ..connection_thread import Settings
from ..errors import DRIVER, translated, write_problem
from ..joined_transactions import HandleState
from ..owned_transactions import LOST, OwnedTransaction
from ..session import SqliteSession
from ..shared_connection import connection_problem, on_thread
from ..statements import SqliteStatements
from .driver import driver_error, no_connection
from .joined_transactions import SqliteSqlalchemyTransaction, commits_by_itself
from .watcher import SqliteWatcher


class EngineTransaction(SqliteSqlalchemyTransaction, OwnedTransaction):
    """An owned transaction on a session or a connection of the engine. Commits by the application are refused."""

    def __init__(
        self, handle: Handle, settings: Settings, statements: SqliteStatements, known: WeakSet[aiosqlite.Connection]
    ) -> None:
        handle_state = HandleState()
        handle_state.is_checked = True
        super().__init__(handle, handle_state, settings, statements, watchers=Watchers(SqliteWatcher))
        self._known = known
        self._watcher: SqliteWatcher | None = None
        self._guards = Listeners()

    @property
    def active(self) -> bool:
        return self._root is not None and self._root.is_active

    async def begin(self) -> None:
        """Connect, and take the write lock."""
        if isinstance(self._handle, AsyncConnection):
            _ = await self._handle.start()
        elif not self._handle.in_transaction():
            _ = await self._handle.begin()  # a session with autobegin=False does not begin by itself
        driver = await self._driver()
        await self._check_driver(driver)
        # SQLAlchemy's BEGIN is deferred, and takes no lock. A verb takes the write lock before anything else.
        await self._writing(_nothing).run(driver)
        assert self._root is not None
        self._watcher = self._watchers.of(self._root, self._handle)
        self._guards = refuse_commits(self._handle, self._root.connection)
        self._guards.add(self._root.connection, "before_cursor_execute", self._refuse_if_lost, first=True)

    async def _check_driver(self, driver: aiosqlite.Connection) -> None:
        """Check, once for each connection of the engine, that it runs our statements as they are meant."""
        if driver in self._known:
            return
        if problem := await on_thread(driver, connection_problem):
            raise InvalidArgument("target", problem)
        self._known.add(driver)

    def _refuse_autocommit(self, connection: sqlite3.Connection) -> None:
        """Refuse ``autocommit=True``: with it the driver's ``commit`` does nothing, and SQLAlchemy could not commit."""
        if commits_by_itself(connection):
            raise InvalidArgument("target", "has connections with autocommit=True; give them autocommit=False")

    def revoke_handle(self) -> None:
        pass  # a session that two tasks use at once refuses by itself

    async def end(self, *, commit: bool) -> None:
        was_active = self.active
        try:
            if commit:
                await self._commit(was_active)
        except BaseException:
            # A COMMIT that failed leaves the transaction open, with the write lock.
            await self._roll_back()
            raise
        if not commit:
            await self._roll_back()

    async def _commit(self, was_active: bool) -> None:
        if not was_active or self._is_lost:
            raise Unavailable(LOST)
        if isinstance(self._handle, AsyncSession):
            # Commits are still refused here: an event of the application might commit before the flush is complete.
            await self._handle.flush()
        self._guards.remove()
        try:
            await self._handle.commit()
        except DBAPIError as error:
            raise Unavailable(f"the commit to {self._settings.path} failed: {driver_error(error)}") from error
        self._notify(Ending.COMMITTED)

    async def _roll_back(self) -> None:
        self._guards.remove()
        with suppress(SQLAlchemyError):
            await self._handle.rollback()
        self._notify(Ending.ROLLED_BACK)

    @property
    def _is_lost(self) -> bool:
        watcher = self._watcher
        return watcher is not None and (watcher.look_for_loss() or watcher.is_rolled_back_by_hand)

    def _refuse_if_lost(self, *_: Any) -> None:
        """
        Refuse statements after an error at which SQLite rolled back the whole transaction: each would commit by itself.
        """
        if self._is_lost:
            raise Unavailable(LOST)

    def _notify(self, ending: Ending) -> None:
        if self._watcher is not None:
            self._watcher.end(ending)


class EngineHandleSource:
    """Sessions and connections of the application's engine."""

    def __init__(self, engine: AsyncEngine, handles: HandleFactory) -> None:
        self.engine = engine
        self._handles = handles
        self._known: WeakSet[aiosqlite.Connection] = WeakSet()

    @property
    def names(self) -> str:
        """Return the kinds of the handles, for people."""
        return self._handles.names

    def check(self, kind: type | None) -> bool:
        """Return whether this kind of handle comes from here; the usual one does."""
        return self._handles.makes(kind)

    @asynccontextmanager
    async def begin(
        self, kind: type | None, settings: Settings, statements: SqliteStatements
    ) -> AsyncGenerator[EngineTransaction]:
        """Yield a transaction that holds the write lock, on a handle that is closed afterwards."""
        handle = self._handles.session() if self._handles.makes_session(kind) else self.engine.connect()
        try:
            transaction = EngineTransaction(handle, settings, statements, self._known)
            try:
                await finish(transaction.begin())
            except (DBAPIError, *DRIVER) as error:
                raise _unwritable(error, settings) from error
            except SQLAlchemyError as error:
                raise no_connection(error, settings.path) from error
            yield transaction
        finally:
            with suppress(SQLAlchemyError):
                await finish(handle.close())


def _unwritable(error: Exception, settings: Settings) -> OtelqError:
    reason = driver_error(error) if isinstance(error, DBAPIError) else error
    if problem := write_problem(reason):
        return InvalidArgument("target", problem)
    return translated(reason, f"cannot write to {settings.path}")


async def _nothing(session: SqliteSession, at: int) -> None:
    """Do nothing: the write lock is taken before any verb, and is all that is needed."""
