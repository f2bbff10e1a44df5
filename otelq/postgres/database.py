"""The database: connections, deadlines and retries of verbs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from random import SystemRandom
from typing import Any, Final, NoReturn, TypeVar, cast
from weakref import WeakSet

from ..errors import InvalidArgument, OtelqError, Unavailable
from ..ports.state import Transaction
from ..uninterrupted import finish
from .codecs import TextConnection, needs_text
from .drivers import ConnectedTransaction, DriverConnection, Joiners, Source
from .errors import bare, is_conflict, is_lost, is_stale, misuse, raise_alone, text_of, translate
from .statements import PostgresStatements
from .transaction_limit import TransactionLimit
from .transaction_queue import TransactionQueues

_RANDOM = SystemRandom()  # the numbers of `random` are the application's, which may have seeded it

T = TypeVar("T")

TRIES: Final = 5
"""Tries of a verb that loses against another transaction."""

# A worker's statements skip locked rows: one idle transaction of a user must not stop its other jobs. Verbs of a client
# wait, since they must act on all their chains or on none.
SKIP: Final = "FOR UPDATE SKIP LOCKED"
WAIT: Final = "FOR UPDATE"


class PostgresSession:
    """One connection for the time of one verb, with the statements and the verb's time."""

    __slots__ = ("connection", "left_pending", "now", "queries", "timeout")

    def __init__(
        self, connection: DriverConnection, queries: PostgresStatements, *, now: datetime | None, timeout: float
    ) -> None:
        self.connection = connection
        self.queries = queries
        self.now = now
        self.timeout = timeout
        self.left_pending = False

    async def rows(self, name: str, *args: object, **tokens: str) -> list[Any]:
        """Run a statement and return its rows."""
        statement = self.queries(name, **tokens)
        given = (self.now, *args) if statement.is_timed else args
        return await self.connection.fetch(statement.text, given, timeout=self.timeout)

    async def row(self, name: str, *args: object, **tokens: str) -> Any:
        """Run a statement that always has one row, and return it."""
        (row,) = await self.rows(name, *args, **tokens)
        return row

    @property
    def can_copy(self) -> bool:
        """Return whether the driver has COPY; without it, rows are inserted."""
        return self.connection.can_copy

    async def copy(self, table: str, columns: Sequence[str], rows: bytes) -> None:
        """Append rows, in COPY's text format, to a table of the schema."""
        await self.connection.copy(table, rows, schema=self.queries.schema, columns=columns, timeout=self.timeout)


class PostgresDatabase:
    """A database: the connections of one source, and those that callers pass as ``tx``."""

    def __init__(
        self,
        source: Source,
        queries: PostgresStatements,
        *,
        connect_timeout: float,
        command_timeout: float,
        max_size: int,
    ) -> None:
        self.source = source
        self.queries = queries
        self.command_timeout = command_timeout
        self._connect_timeout = connect_timeout
        self._max_size = max_size
        self._joiners = Joiners(source)
        self._limit: TransactionLimit | None = None
        self._queues = TransactionQueues()
        self._identity: tuple[object, ...] = ()
        self._seen: WeakSet[Any] = WeakSet()
        """Connections of callers that were checked to lead to this database."""
        self._needs_text = False
        self._textual: WeakSet[Any] = WeakSet()
        """Those of them on which values are sent as text."""

    # Life

    async def open(self) -> None:
        """
        Connect. After an error or a cancel, ``close`` releases what was opened.

        Raises:
            Unavailable: not within the connect timeout; the text shows host and database only.
            InvalidArgument: the URL cannot be read, or the caller's pool is too small.
        """
        try:
            async with asyncio.timeout(self._connect_timeout):
                self._limit = TransactionLimit(await self.source.open() or self._max_size)
                async with self.source.loan(atomic=False, timeout=self._connect_timeout) as connection:
                    self._needs_text = await needs_text(connection, argument="pool", timeout=self._connect_timeout)
        except OtelqError:
            raise
        except Exception as error:
            raise Unavailable(f"cannot connect to PostgreSQL at {self.source.location}: {text_of(error)}") from bare(
                error
            )

    async def close(self) -> None:
        """Close what was opened here; a pool that the caller made stays open."""
        self._limit = None
        # Not cancellable: a second cancel during a failed open would leave connections behind.
        await finish(self.source.close())

    # Work

    async def run(
        self,
        work: Callable[[PostgresSession], Awaitable[T]],
        *,
        now: datetime | None = None,
        atomic: bool = False,
        again: bool = False,
    ) -> T:
        """
        Run one verb's work: as statements that commit each, or with ``atomic`` in one transaction.

        Work that loses against another transaction, or meets a stale connection, is tried again. After the loss of the
        connection it is tried again once, and only if ``again`` says that doing it twice is harmless. Where the reply
        to the commit was lost, the error has the transitions in ``in_doubt``.
        """
        for left in reversed(range(TRIES)):
            done: list[T] = []
            try:
                async with self.source.loan(atomic=atomic, timeout=self.command_timeout) as connection:
                    done.append(await work(self.session(connection, now)))
                return done[0]
            except Exception as error:
                # A conflict was rolled back and a stale connection did nothing: both may be tried again without harm.
                if not left or not (is_conflict(error) or is_stale(error) or (again and is_lost(error))):
                    raise_translated(error, in_doubt=done)
                again = again and not is_lost(error)
            # A random wait, so that two verbs in a deadlock do not meet in the same way again.
            await asyncio.sleep(_RANDOM.uniform(0.001, 0.01) * (TRIES - left))
        raise AssertionError("the last try returns or raises")

    async def run_in(
        self,
        tx: Transaction,
        work: Callable[[PostgresSession], Awaitable[T]],
        *,
        now: datetime | None = None,
        savepoint: bool = False,
    ) -> T:
        """
        Run one verb's work in an open transaction.

        With ``savepoint``, or on a guarded connection, an error takes back only what the verb wrote.
        """
        assert isinstance(tx, ConnectedTransaction)
        try:
            async with self._queues.take(tx):
                return await self._work_in(tx, work, now=now, savepoint=savepoint)
        except Exception as error:
            raise_translated(misuse(error) or error)

    async def _work_in(
        self,
        tx: ConnectedTransaction,
        work: Callable[[PostgresSession], Awaitable[T]],
        *,
        now: datetime | None,
        savepoint: bool,
    ) -> T:
        connection = await tx.connection()
        # Once for each connection of a caller: it may lead to another database, or have codecs of its own.
        if not tx.is_own and tx.driver_connection not in self._seen:
            await self._check_database(tx, connection)
        if not savepoint and (tx.is_own or not connection.is_guarded):
            return await work(self.session(connection, now, tx))
        async with self._with_deadline(connection.savepoint()):
            return await work(self.session(connection, now, tx))

    @asynccontextmanager
    async def _with_deadline(self, savepoint: AbstractAsyncContextManager[None]) -> AsyncGenerator[None]:
        """Enter and leave a savepoint, each within the deadline of a statement."""
        # Entered and left by hand: the deadlines must not include the block.
        async with asyncio.timeout(self.command_timeout):
            await savepoint.__aenter__()
        try:
            yield
        except BaseException as error:
            await finish(self._roll_back(savepoint, error))
            raise
        async with asyncio.timeout(self.command_timeout):
            await savepoint.__aexit__(None, None, None)

    async def _roll_back(self, savepoint: AbstractAsyncContextManager[None], error: BaseException) -> None:
        with suppress(TimeoutError):  # without an answer, connection and transaction are lost
            async with asyncio.timeout(self.command_timeout):
                await savepoint.__aexit__(type(error), error, error.__traceback__)

    def session(
        self, connection: DriverConnection, now: datetime | None, tx: ConnectedTransaction | None = None
    ) -> PostgresSession:
        """Return a session for one verb on a connection of the source, or of the caller's transaction ``tx``."""
        is_text = self._needs_text if tx is None or tx.is_own else tx.driver_connection in self._textual
        return PostgresSession(
            TextConnection(connection) if is_text else connection, self.queries, now=now, timeout=self.command_timeout
        )

    # Transactions

    def join(self, tx: object) -> ConnectedTransaction:
        """Return the caller's open transaction, on a connection of any known driver."""
        return self._joiners.join(tx)

    @asynccontextmanager
    async def begin(self, kind: type | None) -> AsyncGenerator[ConnectedTransaction]:
        """Begin a transaction for a handler or a client, which may last long; their number is limited."""
        self.source.check(kind)
        if self._limit is None:
            raise Unavailable("the PostgreSQL adapter is not open")
        async with AsyncExitStack() as stack:
            # The permit before the connection: a pool's own queue does not find deadlocks of nested transactions.
            await stack.enter_async_context(self._limit.acquire(timeout=self.command_timeout))
            try:
                transaction = await stack.enter_async_context(self.source.begin(kind, timeout=self.command_timeout))
            except Exception as error:
                raise_translated(error)
            yield transaction

    async def _check_database(self, tx: ConnectedTransaction, connection: DriverConnection) -> None:
        """Check that a caller's connection leads to the same server, database and tables."""

        def guard() -> AbstractAsyncContextManager[None]:
            return self._with_deadline(connection.savepoint())

        if await needs_text(connection, argument="tx", timeout=self.command_timeout, guard=guard):
            self._textual.add(tx.driver_connection)
        theirs = await self._identity_of(connection, tx)
        if theirs != self._identity:
            async with self.source.loan(atomic=False, timeout=self.command_timeout) as own:
                self._identity = await self._identity_of(own)  # the server may have restarted
        if theirs != self._identity:
            raise InvalidArgument("tx", "belongs to another database than the client; give a connection to the same")
        self._seen.add(tx.driver_connection)

    async def _identity_of(
        self, connection: DriverConnection, tx: ConnectedTransaction | None = None
    ) -> tuple[object, ...]:
        return tuple(
            await self.session(connection, None, tx).row("identify_database", self.queries.fill("{schema}.open_job"))
        )


def raise_translated(error: Exception, *, in_doubt: Sequence[object] = ()) -> NoReturn:
    """Raise a driver's error as otelq's own, or any other as it is; a lost commit gets its transitions."""
    ours = translate(error)
    if isinstance(ours, Unavailable) and not is_conflict(error):
        ours.in_doubt = [one for done in in_doubt if isinstance(done, list) for one in cast(list[object], done)]
    raise_alone(ours or error)
