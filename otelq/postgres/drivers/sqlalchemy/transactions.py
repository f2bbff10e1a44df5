"""Transactions of SQLAlchemy to write in: the caller's, joined, and the adapter's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakKeyDictionary, ref

from sqlalchemy import Connection, RootTransaction, TwoPhaseTransaction, event
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError, UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from ....errors import InvalidArgument, Unavailable
from ....finish import finish
from ....ports.state import Ending
from ...errors import is_refusal, misuse, raise_commit_failure
from ..port import Linked
from .early import Early, root_of
from .link import SqlalchemyLink
from .watching import Watcher

_ACTIVE: Final = 1
"""``psycopg.pq.TransactionStatus.ACTIVE``, without psycopg."""

ERRORS: Final = (SQLAlchemyError, OSError, TimeoutError)
"""What the driver raises."""


class SqlalchemyTransaction(Linked):
    """A transaction of a session or a connection, which may be about to be begun."""

    def __init__(self, handle: AsyncSession | AsyncConnection, joiner: SqlalchemyJoiner) -> None:
        self._handle = handle
        self._joiner = joiner
        self._connection: AsyncConnection | None = None
        self._root: RootTransaction | None = None

    @property
    def handle(self) -> Any:
        return self._handle

    @property
    def connection(self) -> object:
        assert self._connection is not None
        return self._sync.connection.driver_connection

    @property
    def active(self) -> bool:
        return self._handle.in_transaction() if self._root is None else self._root.is_active

    async def link(self) -> SqlalchemyLink:
        if self._root is None:
            await self._begin()
        elif not self._root.is_active:
            raise InvalidArgument("tx", "its transaction has ended; what was written in it is committed or gone")
        else:
            _ = await _connection_of(self._handle)  # a session sets its savepoints no sooner than it is asked
        assert self._connection is not None
        return SqlalchemyLink(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        """
        Tell how it ends, learnt from SQLAlchemy's events.

        What ends it behind SQLAlchemy's back, as a COMMIT on the driver's own connection, is not heard of.
        """
        if self._root is not None and not self._root.is_active:
            return False
        root = root_of(self._handle)
        if root is None:
            return self._watch_early(ended)
        return self._watch_root(root, ended)

    def _watch_root(self, root: RootTransaction, ended: Callable[[Ending], None]) -> bool:
        if isinstance(root, TwoPhaseTransaction):
            return False
        self._joiner.watcher(root, self._handle).add(ended)
        return True

    def _watch_early(self, ended: Callable[[Ending], None]) -> bool:
        if isinstance(self._handle, AsyncConnection) or self._handle.sync_session.twophase:
            return False

        def begun(root: RootTransaction) -> None:
            if not self._watch_root(root, ended):
                ended(Ending.UNKNOWN)

        _ = Early(self._handle.sync_session, ended, begun)
        return True

    async def _begin(self) -> None:
        try:
            self._connection = await _connection_of(self._handle)
            if not self._connection.in_transaction():
                _ = await self._connection.begin()
        except InvalidRequestError as error:
            raise misuse(error) or InvalidArgument("tx", f"has no transaction to write in: {error}") from error
        if self._sync.connection.dbapi_connection.autocommit:  # type: ignore[union-attr]  # both drivers' have it
            raise InvalidArgument(
                "tx",
                "is in AUTOCOMMIT mode, so that each statement would commit by itself; give another isolation level",
            )
        root = self._root = self._sync.get_transaction()
        assert root is not None

    @property
    def _sync(self) -> Connection:
        assert self._connection is not None
        return self._connection.sync_connection  # type: ignore[return-value]  # there is one, as it was started


class OwnTransaction(SqlalchemyTransaction):
    """A transaction that the adapter began and will end; whoever else ends it is refused."""

    is_own = True

    def __init__(
        self, handle: AsyncSession | AsyncConnection, connection: AsyncConnection, joiner: SqlalchemyJoiner
    ) -> None:
        super().__init__(handle, joiner)
        self._connection = connection
        root = self._root = self._sync.get_transaction()
        assert root is not None
        self._watcher = joiner.watcher(root, handle)
        self._guards: list[tuple[Any, str, Callable[..., Any]]] = [(self._sync, "commit", _refuse_to_commit)]
        if isinstance(handle, AsyncSession):
            self._guards.append((handle.sync_session, "before_commit", _refuse_to_commit_session))
        for guard in self._guards:
            event.listen(*guard, insert=True)

    async def commit(self, *, timeout: float) -> None:
        """
        Commit; a cancellation waits for the end of that, ``timeout`` seconds at most.

        Raises:
            Unavailable: it failed, or its result is not known, or somebody else ended the transaction before.
        """
        if not self.active:
            raise Unavailable(
                "the transaction was ended by its user; it is committed at the end of the block, or not at all"
            )
        if isinstance(self._handle, AsyncSession):
            await self._handle.flush()
        await finish(self._commit(timeout))

    async def _commit(self, timeout: float) -> None:
        self._let_go()
        if self._watcher.is_ended_by_hand:
            raise Unavailable("the transaction was ended by its user; it is committed at the end of the block")
        if self._watcher.is_aborted:
            raise _aborted()
        try:
            await in_time(self._handle.commit(), timeout=timeout)
        except ERRORS as error:
            self._watcher.end(Ending.ROLLED_BACK if is_refusal(error) else Ending.UNKNOWN)
            if not is_refusal(error):
                await self._invalidate()
            raise_commit_failure(error)
        self._watcher.look()
        if self._watcher.ending is Ending.ROLLED_BACK:
            raise _aborted()

    async def roll_back(self, *, timeout: float) -> None:
        """Roll back, or end a connection on which that fails, so that the server does."""
        self._let_go()
        connection = self._watcher.driver_connection
        if connection is not None and not await _is_free(connection, timeout):
            await self._invalidate()  # a session would give it back as it is
        with suppress(*ERRORS):
            await in_time(self._handle.rollback(), timeout=timeout)
        self._watcher.end(Ending.ROLLED_BACK)

    async def _invalidate(self) -> None:
        """Let the engine open another connection: on this one a task of the user may still be at a statement."""
        assert self._connection is not None
        with suppress(*ERRORS):
            await self._connection.invalidate()

    def _let_go(self) -> None:
        guards, self._guards = self._guards, []
        for guard in guards:
            event.remove(*guard)


def _aborted() -> Unavailable:
    return Unavailable("the transaction was rolled back, because a statement in it had failed")


class SqlalchemyJoiner:
    """The transactions that are followed, one on a connection."""

    def __init__(self) -> None:
        self._watchers: WeakKeyDictionary[Connection, ref[Watcher]] = WeakKeyDictionary()
        self._own: WeakKeyDictionary[AsyncSession | AsyncConnection, ref[OwnTransaction]] = WeakKeyDictionary()

    def join(self, tx: Any) -> SqlalchemyTransaction:
        """
        The transaction that is open, or is about to be begun.

        Raises:
            InvalidArgument: it is no session or connection, or leads elsewhere than to PostgreSQL.
        """
        if not isinstance(tx, (AsyncSession, AsyncConnection)):
            raise InvalidArgument("tx", f"is {type(tx).__name__}; give an AsyncSession or an AsyncConnection")
        own = self._own.get(tx)
        if own is not None and (transaction := own()) is not None:
            if not transaction.active:
                raise InvalidArgument("tx", "its transaction has ended")
            return transaction
        _check_bind(tx)
        return SqlalchemyTransaction(tx, self)

    def begun(self, handle: AsyncSession | AsyncConnection, connection: AsyncConnection) -> OwnTransaction:
        """The transaction that the adapter began on a connection, to be handed out as ``handle``."""
        transaction = OwnTransaction(handle, connection, self)
        self._own[handle] = ref(transaction)
        return transaction

    def watcher(self, root: RootTransaction, handle: AsyncSession | AsyncConnection) -> Watcher:
        """Who follows the transaction that is open on a connection."""
        known = self._watchers.get(root.connection)
        watcher = known() if known else None
        if watcher is None or watcher.is_over:
            session = handle.sync_session if isinstance(handle, AsyncSession) else None
            watcher = Watcher(root, session)
            self._watchers[root.connection] = ref(watcher)
        return watcher


async def in_time(work: Awaitable[object], *, timeout: float) -> None:
    """
    End a transaction; where there is no answer, SQLAlchemy gives the connection up.

    Raises:
        TimeoutError: there was no answer within ``timeout`` seconds.
    """
    async with asyncio.timeout(timeout):
        await work


async def _is_free(connection: Any, timeout: float) -> bool:
    """Whether no statement is in flight on a driver's connection, and it answers."""
    if hasattr(connection, "pgconn"):
        return bool(connection.info.transaction_status != _ACTIVE)
    try:
        async with asyncio.timeout(timeout):
            await connection.execute("")
    except Exception:  # SQLAlchemy does not stand between
        return False
    return True


async def _connection_of(handle: AsyncSession | AsyncConnection) -> AsyncConnection:
    return await handle.connection() if isinstance(handle, AsyncSession) else handle


def _check_bind(tx: AsyncSession | AsyncConnection) -> None:
    try:
        dialect = tx.sync_session.get_bind().dialect if isinstance(tx, AsyncSession) else tx.dialect
    except UnboundExecutionError as error:
        raise InvalidArgument("tx", "has no bind; give a session as from `async_sessionmaker(engine)`") from error
    except InvalidRequestError as error:
        raise InvalidArgument("tx", f"cannot be used: {error}") from error
    if dialect.name != "postgresql":
        raise InvalidArgument("tx", f"is bound to {dialect.name}; give one that is bound to the client's PostgreSQL")
    if isinstance(tx, AsyncConnection) and tx.closed:
        raise InvalidArgument("tx", "is closed; give the open connection of your transaction")


def _refuse_to_commit(_: object) -> None:
    raise InvalidArgument("tx", "is committed by otelq when its block or its handler ends; do not commit it")


def _refuse_to_commit_session(session: Session) -> None:
    if not session.in_nested_transaction():
        _refuse_to_commit(session)
