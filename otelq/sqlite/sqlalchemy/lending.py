"""Transactions on the caller's engine that the adapter begins and ends."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakSet

import aiosqlite
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session as OrmSession

from ...errors import InvalidArgument, Unavailable
from ...finish import finish
from ...ports.state import Ending
from ..errors import DRIVER, problem_of_connection, translated
from ..joined import Turn
from ..lane import Settings
from ..own import LOST, OwnTransaction
from ..queries import Queries
from ..session import Session
from ..visit import on_thread, unfitness
from .handles import driver_error
from .joining import SqlalchemyJoined, commits_by_itself
from .watching import Watcher


class EngineTransaction(SqlalchemyJoined, OwnTransaction):
    """One on a session or a connection of the engine; whoever else commits it is refused."""

    def __init__(
        self,
        handle: AsyncSession | AsyncConnection,
        settings: Settings,
        queries: Queries,
        known: WeakSet[aiosqlite.Connection],
    ) -> None:
        turn = Turn()
        turn.is_ours = True
        super().__init__(handle, turn, settings, queries)
        self._known = known
        self._kept: Watcher | None = None
        self._guards: list[tuple[Any, str, Callable[..., Any]]] = []

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
        await self._writing(_nothing).make(driver)
        assert self._root is not None
        self._kept = self._watcher(self._root)
        self._guards += [
            (self._root.connection, "commit", _refuse_to_commit),
            (self._root.connection, "before_cursor_execute", self._refuse_if_lost),
        ]
        if isinstance(self._handle, AsyncSession):
            self._guards.append((self._handle.sync_session, "before_commit", _refuse_to_commit_session))
        for guard in self._guards:
            event.listen(*guard, insert=True)

    async def _check_driver(self, driver: aiosqlite.Connection) -> None:
        """See, once for each connection of the engine, that it does with our statements what we mean."""
        if driver in self._known:
            return
        if problem := await on_thread(driver, unfitness):
            raise InvalidArgument("target", problem)
        self._known.add(driver)

    def _refuse_autocommit(self, connection: sqlite3.Connection) -> None:
        """Nothing commits by itself after a BEGIN of ours, as long as the driver's ``commit`` still does so."""
        if commits_by_itself(connection):
            raise InvalidArgument("target", "has connections with autocommit=True; give them autocommit=False")

    def take_back(self) -> None:
        pass  # a session that two tasks use at once refuses by itself

    async def end(self, *, commit: bool) -> None:
        was_active = self.active
        try:
            if commit:
                await self._commit(was_active)
        except BaseException:
            await self._roll_back()
            raise
        if not commit:
            await self._roll_back()

    async def _commit(self, was_active: bool) -> None:
        if not was_active or self._is_lost:
            raise Unavailable(LOST)
        if isinstance(self._handle, AsyncSession):
            await self._handle.flush()
        self._let_go()
        try:
            await self._handle.commit()
        except DBAPIError as error:
            raise Unavailable(f"the commit to {self._settings.path} failed: {driver_error(error)}") from error
        self._tell(Ending.COMMITTED)

    async def _roll_back(self) -> None:
        self._let_go()
        with suppress(SQLAlchemyError):
            await self._handle.rollback()
        self._tell(Ending.ROLLED_BACK)

    @property
    def _is_lost(self) -> bool:
        return self._kept is not None and self._kept.look_for_loss()

    def _refuse_if_lost(self, *_: Any) -> None:
        """Keep what comes after an error that ended the whole transaction from being committed by itself."""
        if self._is_lost:
            raise Unavailable(LOST)

    def _tell(self, ending: Ending) -> None:
        if self._kept is not None:
            self._kept.end(ending)

    def _let_go(self) -> None:
        guards, self._guards = self._guards, []
        for guard in guards:
            event.remove(*guard)


class EngineLender:
    """The handles of an engine that the caller made."""

    def __init__(self, engine: AsyncEngine, sessions: async_sessionmaker[AsyncSession] | None) -> None:
        self.engine = engine
        self._sessions = sessions
        self._known: WeakSet[aiosqlite.Connection] = WeakSet()

    def check(self, kind: type | None) -> bool:
        """Whether this kind of handle comes from here; the usual one does."""
        session = self._sessions.class_ if self._sessions else AsyncSession
        return kind is None or kind is AsyncConnection or issubclass(session, kind)

    @asynccontextmanager
    async def begin(self, kind: type | None, settings: Settings, queries: Queries) -> AsyncGenerator[EngineTransaction]:
        """A handle on which a transaction is open that holds the write lock; it is of no use afterwards."""
        wants_session = self._sessions is not None if kind is None else kind is not AsyncConnection
        handle = self._session() if wants_session else self.engine.connect()
        try:
            transaction = EngineTransaction(handle, settings, queries, self._known)
            try:
                await finish(transaction.begin())
            except (SQLAlchemyError, *DRIVER) as error:
                reason = driver_error(error) if isinstance(error, DBAPIError) else error
                if problem := problem_of_connection(reason):
                    raise InvalidArgument("target", problem) from error
                raise translated(reason, f"cannot write to {settings.path}") from error
            yield transaction
        finally:
            with suppress(SQLAlchemyError):
                await finish(handle.close())

    def _session(self) -> AsyncSession:
        make = self._sessions or async_sessionmaker(expire_on_commit=False)
        # Once closed, it is of no use to those who kept it.
        return make(bind=make.kw.get("bind") or self.engine, close_resets_only=False)


async def _nothing(session: Session, at: int) -> None:
    """A verb whose only use is the write lock, which comes before every verb."""


def _refuse_to_commit(_: object) -> None:
    raise InvalidArgument("tx", "is committed by otelq when its block or its handler ends; do not commit it")


def _refuse_to_commit_session(session: OrmSession) -> None:
    if not session.in_nested_transaction():
        _refuse_to_commit(session)
