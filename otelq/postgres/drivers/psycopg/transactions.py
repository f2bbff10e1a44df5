"""Transactions of psycopg: the caller's, which are joined, and the adapter's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NoReturn, cast
from weakref import WeakKeyDictionary, ref

import psycopg
from psycopg import AsyncConnection, AsyncTransaction
from psycopg.pq import PipelineStatus, TransactionStatus

from ....errors import InvalidArgument, Unavailable
from ....ports.state import Ending
from ....savepoints import Control, ControlStatement, parse_controls
from ....uninterrupted import finish
from ...errors import is_refusal, raise_commit_failure
from ...transactions import TransactionWatch
from ..port import ConnectedTransaction
from .connection import PsycopgConnection, synced

ERRORS: Final = (psycopg.Error, OSError, TimeoutError)
"""The errors of the driver."""

_OPEN: Final = (TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR)


class PsycopgTransaction(ConnectedTransaction):
    """A transaction on a psycopg connection, whose ending the driver does not report."""

    queues_tasks = True

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    @property
    def handle(self) -> AsyncConnection[Any]:
        return self._connection

    @property
    def driver_connection(self) -> object:
        return self._connection

    @property
    def active(self) -> bool:
        return status_of(self._connection) in _OPEN

    async def connection(self) -> PsycopgConnection:
        async with synced(self._connection):
            pass  # in pipeline mode, BEGIN may be sent only now
        check_open(self._connection)
        return PsycopgConnection(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return False


class PsycopgOwnTransaction(PsycopgTransaction):
    """A transaction that the adapter began and will end."""

    is_own = True

    def __init__(self, connection: AsyncConnection[Any], transaction_watch: TransactionWatch) -> None:
        super().__init__(connection)
        self.transaction_watch = transaction_watch
        self._is_over = False

    @property
    def active(self) -> bool:
        return not self._is_over and super().active

    async def connection(self) -> PsycopgConnection:
        if not self.active:
            raise InvalidArgument("tx", "its transaction has ended")
        return PsycopgConnection(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        """Report how it ends, as the adapter ends it, and the rollbacks of savepoints through the handle."""
        self.transaction_watch.add(ended)
        return True

    def invalidate(self) -> None:
        """Make the handle useless: the connection serves another transaction next."""
        self._is_over = True
        self._connection.__dict__ = {}
        self._connection.__class__ = EndedConnection

    def end(self, ending: Ending) -> None:
        """Record the ending by the adapter."""
        self.transaction_watch.end(ending)


class EndedConnection(AsyncConnection[Any]):
    """The class of a handle after its transaction; a task that still used it would write into another transaction."""

    def __getattr__(self, name: str) -> NoReturn:
        raise psycopg.InterfaceError("the transaction of this connection has ended")

    def __repr__(self) -> str:
        return "<the connection of a transaction that has ended>"

    def __del__(self, __warn: object = None, /) -> None:
        """Close nothing: the connection went back to its pool."""


class PsycopgJoiner:
    """The access to transactions on psycopg connections."""

    def __init__(self) -> None:
        self._own: WeakKeyDictionary[AsyncConnection[Any], ref[PsycopgOwnTransaction]] = WeakKeyDictionary()
        self._watches: WeakKeyDictionary[Any, TransactionWatch] = WeakKeyDictionary()
        self._kinds: dict[type[AsyncConnection[Any]], type[AsyncConnection[Any]]] = {}

    def join(self, tx: Any) -> PsycopgTransaction:
        """
        Return the transaction that is open on a connection, or that its next statement begins.

        Raises:
            InvalidArgument: it is no connection, or commits by itself.
        """
        if not isinstance(tx, AsyncConnection) or isinstance(tx, EndedConnection):
            ended = isinstance(tx, EndedConnection)
            kind = "whose transaction has ended" if ended else type(tx).__name__
            raise InvalidArgument("tx", f"is {kind}; give the psycopg.AsyncConnection of your transaction")
        own = self._own.get(cast(Any, tx))
        if own is not None and (transaction := own()) is not None:
            return transaction
        connection = cast(Any, tx)
        if connection.pgconn.pipeline_status == PipelineStatus.OFF:  # else the BEGIN may still wait to be sent
            check_open(connection)
        return PsycopgTransaction(connection)

    def own_transaction(self, connection: AsyncConnection[Any]) -> PsycopgOwnTransaction:
        """Return a transaction of the adapter's own on a double of a connection, which can be made useless later."""
        transaction_watch = TransactionWatch()
        # The double shares the attributes of the connection, and so acts as the connection until it is invalidated.
        double = object.__new__(self._class_of_doubles(type(connection)))
        double.__dict__ = connection.__dict__
        self._watches[double] = transaction_watch
        transaction = PsycopgOwnTransaction(double, transaction_watch)
        self._own[double] = ref(transaction)
        return transaction

    def _class_of_doubles(self, kind: type[AsyncConnection[Any]]) -> type[AsyncConnection[Any]]:
        """Return the class for doubles: a subclass of the connection's own that reports its savepoints."""
        if kind not in self._kinds:
            self._kinds[kind] = _watched_connection_class(kind, self._watches)
        return self._kinds[kind]


def _watched_connection_class(
    kind: Any, watches: WeakKeyDictionary[Any, TransactionWatch]
) -> type[AsyncConnection[Any]]:
    """Build a class of connections that report their savepoints, which the driver does not."""
    cursor_classes: dict[Any, type[Any]] = {}

    class WatchedConnectionClass(kind):  # type: ignore[misc]  # the application may have a class of its own
        @asynccontextmanager
        async def transaction(
            self, savepoint_name: str | None = None, force_rollback: bool = False
        ) -> AsyncGenerator[AsyncTransaction]:
            above: Any = super()
            name: str | None = None
            status = AsyncTransaction.Status.NOT_STARTED
            try:
                async with above.transaction(savepoint_name, force_rollback) as block:
                    name = str(block.savepoint_name)
                    watches[self].apply(ControlStatement(Control.SAVEPOINT, name))
                    yield block
                status = block.status
            finally:
                if name is not None and status is not AsyncTransaction.Status.COMMITTED:
                    watches[self].apply(ControlStatement(Control.ROLLBACK_TO, name))
                if name is not None:
                    watches[self].apply(ControlStatement(Control.RELEASE, name))

        def cursor(self, *args: Any, **options: Any) -> Any:
            above: Any = super()
            cursor = above.cursor(*args, **options)
            kind: Any = cursor.__class__
            if kind not in cursor_classes:
                cursor_classes[kind] = _watched_cursor_class(kind, watches)
            cursor.__class__ = cursor_classes[kind]
            return cursor

    for name in ("__name__", "__qualname__", "__module__"):
        setattr(WatchedConnectionClass, name, getattr(kind, name))
    return WatchedConnectionClass


def _watched_cursor_class(kind: Any, watches: WeakKeyDictionary[Any, TransactionWatch]) -> type[Any]:
    """Build a class of cursors that report their statements; ``execute`` of a connection uses one, too."""

    class WatchedCursor(kind):  # type: ignore[misc]  # as above
        __slots__ = ()

        async def execute(self, query: Any, *args: Any, **options: Any) -> Any:
            above: Any = super()
            result = await above.execute(query, *args, **options)
            _follow(query, watches[self.connection], self.connection)
            return result

    for name in ("__name__", "__qualname__", "__module__"):
        setattr(WatchedCursor, name, getattr(kind, name))
    return WatchedCursor


def _follow(query: Any, transaction_watch: TransactionWatch, connection: Any) -> None:
    text: object = query.as_string(connection) if hasattr(query, "as_string") else query
    if step := parse_controls(text.decode(errors="replace") if isinstance(text, bytes) else str(text)):
        transaction_watch.apply(step)


def check_open(connection: AsyncConnection[Any]) -> None:
    """
    Check that a transaction is open, or that the next statement begins one.

    Raises:
        InvalidArgument: neither.
    """
    if connection.closed:
        raise InvalidArgument("tx", "is closed; give the open connection of your transaction")
    if connection.autocommit and status_of(connection) is TransactionStatus.IDLE:
        raise InvalidArgument(
            "tx",
            "is in autocommit mode and has no open transaction; open one with `async with connection.transaction():`",
        )


def status_of(connection: AsyncConnection[Any]) -> TransactionStatus:
    """Return the status: whether a transaction is open, and whether a statement in it failed."""
    return connection.info.transaction_status


@asynccontextmanager
async def open_transaction(
    connection: AsyncConnection[Any], transaction: PsycopgOwnTransaction, *, timeout: float
) -> AsyncGenerator[PsycopgOwnTransaction]:
    """Open a transaction, and commit it at the end or roll it back; its handle is dead before either is sent."""
    block = _Block(connection, timeout)
    try:
        await finish(block.begin())
        yield transaction
        check_committable(connection, transaction.transaction_watch)
    except BaseException as error:
        transaction.invalidate()
        await finish(block.roll_back(error))
        transaction.end(Ending.ROLLED_BACK)
        raise
    transaction.invalidate()
    await finish(block.commit(transaction))


class _Block:
    """The driver's transaction block, in three steps; within it the driver refuses ``commit()`` by the user."""

    def __init__(self, connection: AsyncConnection[Any], timeout: float) -> None:
        self._block = connection.transaction()
        self._connection = connection
        self._timeout = timeout
        self._is_begun = False

    async def begin(self) -> None:
        await in_time(self._connection, self._block.__aenter__(), timeout=self._timeout)
        self._is_begun = True

    async def commit(self, transaction: PsycopgOwnTransaction) -> None:
        """
        Commit, and report the ending.

        Raises:
            Unavailable: it failed, or its result is not known.
        """
        try:
            await in_time(self._connection, self._block.__aexit__(None, None, None), timeout=self._timeout)
        except ERRORS as error:
            transaction.end(Ending.ROLLED_BACK if is_refusal(error) else Ending.UNKNOWN)
            raise_commit_failure(error)
        transaction.end(Ending.COMMITTED)

    async def roll_back(self, error: BaseException) -> None:
        """Roll back, or close a connection on which that cannot be done."""
        if not self._is_begun:
            return await self._connection.close()  # the driver counts a block even if BEGIN failed
        with suppress(*ERRORS):
            if status_of(self._connection) is not TransactionStatus.ACTIVE:
                left = self._block.__aexit__(type(error), error, None)
                await in_time(self._connection, left, timeout=self._timeout)
        await roll_back_or_close(self._connection, timeout=self._timeout)


def check_committable(connection: AsyncConnection[Any], transaction_watch: TransactionWatch | None = None) -> None:
    """
    Check that a COMMIT will commit; if a statement has failed, the server would roll back.

    Raises:
        Unavailable: it will not.
    """
    if transaction_watch is not None and transaction_watch.is_ended_by_hand:
        raise _ended_by_hand()
    # psycopg does not raise if the server answers COMMIT with ROLLBACK, so the status is checked before.
    match status_of(connection):
        case TransactionStatus.INTRANS:
            return
        case TransactionStatus.INERROR:
            raise Unavailable("the transaction was rolled back, because a statement in it had failed")
        case TransactionStatus.ACTIVE:
            raise Unavailable("the transaction was rolled back, because a statement in it had not ended")
        case TransactionStatus.IDLE:
            raise _ended_by_hand()
        case _:
            raise Unavailable("the connection was closed before its transaction was committed")


def _ended_by_hand() -> Unavailable:
    return Unavailable("the transaction was ended by its user; it is committed at the end of the block")


async def roll_back_or_close(connection: AsyncConnection[Any], *, timeout: float) -> None:
    """Roll back what is open, or close a connection on which that fails or a statement is still in flight."""
    if status_of(connection) in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
        return
    try:
        if status_of(connection) is TransactionStatus.ACTIVE:
            raise psycopg.OperationalError("a statement is in flight")
        await in_time(connection, connection.execute("ROLLBACK"), timeout=timeout)
    except ERRORS:
        await connection.close()


async def in_time(connection: AsyncConnection[Any], work: Any, *, timeout: float) -> None:
    """Begin or end a transaction; close a connection that does not answer, so that nobody waits for it again."""
    try:
        async with asyncio.timeout(timeout):
            await work
    except TimeoutError:
        await connection.close()
        raise
