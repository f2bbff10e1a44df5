"""Deadlines and second tries: how a verb reaches the database."""

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

_CHANCE = SystemRandom()  # the numbers of `random` are the application's, which may have seeded it

T = TypeVar("T")

TRIES: Final = 5
"""How often a verb that lost against another transaction is tried."""

SKIP: Final = "FOR UPDATE SKIP LOCKED"
WAIT: Final = "FOR UPDATE"


class PostgresSession:
    """One connection for the time of one verb, with the statements and the verb's clock."""

    __slots__ = ("left_pending", "link", "now", "queries", "timeout")

    def __init__(
        self, link: DriverConnection, queries: PostgresStatements, *, now: datetime | None, timeout: float
    ) -> None:
        self.link = link
        self.queries = queries
        self.now = now
        self.timeout = timeout
        self.left_pending = False

    async def rows(self, name: str, *args: object, **tokens: str) -> list[Any]:
        """The rows of a statement."""
        statement = self.queries(name, **tokens)
        given = (self.now, *args) if statement.is_timed else args
        return await self.link.fetch(statement.text, given, timeout=self.timeout)

    async def row(self, name: str, *args: object, **tokens: str) -> Any:
        """The one row of a statement that always has one."""
        (row,) = await self.rows(name, *args, **tokens)
        return row

    @property
    def can_copy(self) -> bool:
        """Whether ``copy`` is to be had; without it, rows are inserted."""
        return self.link.can_copy

    async def copy(self, table: str, columns: Sequence[str], rows: bytes) -> None:
        """Append rows, in COPY's text format, to a table of the schema."""
        await self.link.copy(table, rows, schema=self.queries.schema, columns=columns, timeout=self.timeout)


class PostgresDatabase:
    """A database, reached by the connections of one source, and by those that callers bring along."""

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
        self._room: TransactionLimit | None = None
        self._turns = TransactionQueues()
        self._home: tuple[object, ...] = ()
        self._seen: WeakSet[Any] = WeakSet()
        """Connections of callers that were found to lead to this database."""
        self._needs_text = False
        self._textual: WeakSet[Any] = WeakSet()
        """Those of them on which values travel as text."""

    # Life

    async def open(self) -> None:
        """
        Connect; ``close`` lets go of what an error or a cancel left half open.

        Raises:
            Unavailable: not within the connect timeout; the text shows host and database only.
            InvalidArgument: the URL cannot be read, or the caller's pool is too small.
        """
        try:
            async with asyncio.timeout(self._connect_timeout):
                self._room = TransactionLimit(await self.source.open() or self._max_size)
                async with self.source.loan(atomic=False, timeout=self._connect_timeout) as link:
                    self._needs_text = await needs_text(link, argument="pool", timeout=self._connect_timeout)
        except OtelqError:
            raise
        except Exception as error:
            raise Unavailable(f"cannot connect to PostgreSQL at {self.source.place}: {text_of(error)}") from bare(error)

    async def close(self) -> None:
        """Let go of what was opened here; a pool that the caller made stays open."""
        self._room = None
        await finish(self.source.close())  # else a second cancel of what is being opened would leave some behind

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
        Do one verb's work: as statements that commit each, or with ``atomic`` in one transaction.

        Work that lost against another transaction, or met a stale connection, is done again; after the loss of the
        connection, once and only if ``again`` says that doing it twice is harmless. Where the commit was lost, the
        error says of what.
        """
        for left in reversed(range(TRIES)):
            done: list[T] = []
            try:
                async with self.source.loan(atomic=atomic, timeout=self.command_timeout) as link:
                    done.append(await work(self.session(link, now)))
                return done[0]
            except Exception as error:
                if not left or not (is_conflict(error) or is_stale(error) or (again and is_lost(error))):
                    raise_translated(error, in_doubt=done)
                again = again and not is_lost(error)
            await asyncio.sleep(_CHANCE.uniform(0.001, 0.01) * (TRIES - left))
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
        Do one verb's work in an open transaction.

        With ``savepoint`` an error leaves that one as it was; without, only where the driver's link is guarded.
        """
        assert isinstance(tx, ConnectedTransaction)
        try:
            async with self._turns.take(tx):
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
        link = await tx.link()
        if not tx.is_own and tx.connection not in self._seen:
            await self._recognise(tx, link)
        if not savepoint and (tx.is_own or not link.is_guarded):
            return await work(self.session(link, now, tx))
        async with self._in_time(link.savepoint()):
            return await work(self.session(link, now, tx))

    @asynccontextmanager
    async def _in_time(self, savepoint: AbstractAsyncContextManager[None]) -> AsyncGenerator[None]:
        """A savepoint whose beginning and end are statements like others, and have their deadline."""
        async with asyncio.timeout(self.command_timeout):
            await savepoint.__aenter__()
        try:
            yield
        except BaseException as error:
            await finish(self._take_back(savepoint, error))
            raise
        async with asyncio.timeout(self.command_timeout):
            await savepoint.__aexit__(None, None, None)

    async def _take_back(self, savepoint: AbstractAsyncContextManager[None], error: BaseException) -> None:
        with suppress(TimeoutError):  # without an answer the connection is gone, and the transaction
            async with asyncio.timeout(self.command_timeout):
                await savepoint.__aexit__(type(error), error, error.__traceback__)

    def session(
        self, link: DriverConnection, now: datetime | None, tx: ConnectedTransaction | None = None
    ) -> PostgresSession:
        """The means of a verb on a connection, which is a caller's if there is a transaction that is no own one."""
        is_text = self._needs_text if tx is None or tx.is_own else tx.connection in self._textual
        return PostgresSession(
            TextConnection(link) if is_text else link, self.queries, now=now, timeout=self.command_timeout
        )

    # Transactions

    def join(self, tx: object) -> ConnectedTransaction:
        """The caller's open transaction, on a connection of any driver that is known."""
        return self._joiners.join(tx)

    @asynccontextmanager
    async def begin(self, kind: type | None) -> AsyncGenerator[ConnectedTransaction]:
        """A transaction of a handler or a client, which may keep its connection for long."""
        self.source.check(kind)
        if self._room is None:
            raise Unavailable("the PostgreSQL adapter is not open")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._room.place(timeout=self.command_timeout))
            try:
                transaction = await stack.enter_async_context(self.source.begin(kind, timeout=self.command_timeout))
            except Exception as error:
                raise_translated(error)
            yield transaction

    async def _recognise(self, tx: ConnectedTransaction, link: DriverConnection) -> None:
        """See that a caller's connection leads here, and not to another server, database, or set of tables."""

        def guard() -> AbstractAsyncContextManager[None]:
            return self._in_time(link.savepoint())

        if await needs_text(link, argument="tx", timeout=self.command_timeout, guard=guard):
            self._textual.add(tx.connection)
        theirs = await self._home_of(link, tx)
        if theirs != self._home:
            async with self.source.loan(atomic=False, timeout=self.command_timeout) as own:
                self._home = await self._home_of(own)  # the server may have been started anew
        if theirs != self._home:
            raise InvalidArgument("tx", "belongs to another database than the client; give a connection to the same")
        self._seen.add(tx.connection)

    async def _home_of(self, link: DriverConnection, tx: ConnectedTransaction | None = None) -> tuple[object, ...]:
        return tuple(await self.session(link, None, tx).row("home", self.queries.fill("{schema}.open_job")))


def raise_translated(error: Exception, *, in_doubt: Sequence[object] = ()) -> NoReturn:
    """Raise a driver's error in the house's words, or any other as it is; with what was done before the commit."""
    ours = translate(error)
    if isinstance(ours, Unavailable) and not is_conflict(error):
        ours.in_doubt = [made for done in in_doubt if isinstance(done, list) for made in cast(list[object], done)]
    raise_alone(ours or error)
