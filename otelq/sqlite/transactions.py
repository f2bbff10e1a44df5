"""Transactions that the application writes in too: the adapter's own, and the application's, joined."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import aiosqlite

from ..errors import InvalidArgument, Unavailable
from ..ports.state import Ending, Transaction
from .errors import DRIVER, JOINED, Locked, is_busy, translated
from .lane import Settings, connect, nap
from .queries import Queries
from .rows import clock, micros
from .session import DriverSession, Verb

T = TypeVar("T")

_IDLE = 4
"""How many connections are kept for later transactions."""

_SAVEPOINT = "otelq_verb"
_DOUBTFUL = re.compile(rf"\s*(?:COMMIT|END|ROLLBACK(?!.*\b{_SAVEPOINT}\b))\b", re.IGNORECASE)

_inside: ContextVar[OwnTransaction | None] = ContextVar("otelq_sqlite_inside", default=None)


class Turn:
    """What is remembered of a connection that the application holds: whose turn it is, and that it is ours."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.is_ours = False


class Joined(Transaction):
    """The application's own transaction. Its driver does not tell how it ends."""

    def __init__(self, connection: aiosqlite.Connection, turn: Turn, settings: Settings, queries: Queries) -> None:
        self._connection = connection
        self._turn = turn
        self._settings = settings
        self._session = DriverSession(queries, connection)

    @property
    def handle(self) -> aiosqlite.Connection:
        return self._connection

    @property
    def active(self) -> bool:
        return is_open(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return False

    async def do(self, verb: Verb[T], now: datetime | None) -> T:
        """Run ``verb`` in the transaction: one verb at a time, each whole or not at all."""
        if not self.active:
            raise InvalidArgument("tx", "its transaction has ended")
        async with self._turn.lock:
            try:
                await self._check_database()
                return await self._in_savepoint(verb, now)
            except DRIVER as error:
                raise translated(error, JOINED) from error

    async def ask(self, question: Verb[T], now: datetime | None = None) -> T:
        """Run a verb that only reads."""
        if not self.active:
            raise InvalidArgument("tx", "its transaction has ended")
        async with self._turn.lock:
            try:
                await self._check_database()
                return await question(self._session, clock() if now is None else micros(now))
            except DRIVER as error:
                raise translated(error, JOINED) from error

    async def _in_savepoint(self, verb: Verb[T], now: datetime | None) -> T:
        await self._run(f"SAVEPOINT {_SAVEPOINT}")
        try:
            # First of all a write: only a transaction that has read nothing yet can wait for the write lock.
            await self._session.write("lock")
            result = await verb(self._session, clock() if now is None else micros(now))
        except BaseException:
            if self.active:
                await self._run(f"ROLLBACK TO {_SAVEPOINT}")
                await self._run(f"RELEASE {_SAVEPOINT}")
            raise
        await self._run(f"RELEASE {_SAVEPOINT}")
        return result

    async def _check_database(self) -> None:
        if self._turn.is_ours:
            return
        if not is_same(await self._session.main_file(), self._settings.path):
            raise InvalidArgument("tx", f"belongs to another database than {self._settings.path}")
        self._turn.is_ours = True

    async def _run(self, sql: str) -> None:
        await self._connection.execute_fetchall(sql)


class Handle:
    """A connection for transactions; it notices statements that leave the end of one in doubt."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.doubts = 0

    def traced(self, sql: str) -> None:
        if _DOUBTFUL.match(sql):
            self.doubts += 1


class Lent(aiosqlite.Connection):
    """
    A connection on loan for one transaction.

    Connections are used again, so whoever keeps one for longer would write into somebody else's transaction.
    """

    def __init__(self, lender: aiosqlite.Connection) -> None:
        self._lender: Any = lender  # the driver leaves its own parts untyped
        self._connection = None  # read by the driver's finaliser
        self._iter_chunk_size = lender._iter_chunk_size
        self.at_work = 0

    def end(self) -> None:
        """Take it back: from now on every use raises."""
        self._lender = None

    @property
    def _conn(self) -> sqlite3.Connection:
        if self._lender is None:
            raise ValueError("the transaction of this connection has ended")
        conn: sqlite3.Connection = self._lender._conn
        return conn

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._lender is None:
            raise ValueError("the transaction of this connection has ended")
        self.at_work += 1
        try:
            return await self._lender._execute(fn, *args, **kwargs)
        finally:
            self.at_work -= 1


class OwnTransaction(Joined):
    """A transaction that the adapter began and will end; it holds the write lock of the file."""

    def __init__(self, handle: Handle, settings: Settings, queries: Queries) -> None:
        turn = Turn()
        turn.is_ours = True
        super().__init__(handle.connection, turn, settings, queries)
        self._doubtful = handle
        self._lent = Lent(handle.connection)
        self._ended = False
        self._watchers: list[tuple[Callable[[Ending], None], int]] = []

    @property
    def handle(self) -> aiosqlite.Connection:
        return self._lent

    @property
    def active(self) -> bool:
        return not self._ended and is_open(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        self._watchers.append((ended, self._doubtful.doubts))
        return True

    def take_back(self) -> None:
        """
        Let nobody else write from now on.

        Raises:
            InvalidArgument: a task is still at work on the connection; half of what it wants to write would be in.
        """
        self._lent.end()
        if self._lent.at_work:
            raise InvalidArgument("tx", "is still used by a task at the end of its transaction; await the task")

    async def end(self, *, commit: bool) -> None:
        """
        Commit or roll back, and tell the watchers.

        Where the application itself went back to a savepoint, or ended the transaction by hand, what was written
        before is in doubt: the ids must be looked up.
        """
        self._ended = True
        self._lent.end()
        doubts = self._doubtful.doubts
        ending = Ending.UNKNOWN
        try:
            if is_open(self._connection):
                await self._run("COMMIT" if commit else "ROLLBACK")
                ending = Ending.COMMITTED if commit else Ending.ROLLED_BACK
        except DRIVER as error:
            if is_open(self._connection):
                await self._run("ROLLBACK")
                ending = Ending.ROLLED_BACK
            raise Unavailable(f"the commit to {self._settings.path} failed: {error}") from error
        finally:
            for ended, seen in self._watchers:
                ended(ending if seen == doubts else Ending.UNKNOWN)
            self._watchers.clear()


class Transactions:
    """Begins and joins transactions. ``lock`` is the writer's: one at a time writes in this process."""

    def __init__(self, settings: Settings, queries: Queries, lock: asyncio.Lock) -> None:
        self._settings = settings
        self._queries = queries
        self._lock = lock
        self._idle: list[Handle] = []
        self._turns: WeakKeyDictionary[aiosqlite.Connection, Turn] = WeakKeyDictionary()
        self._current: OwnTransaction | None = None

    @property
    def one_is_open(self) -> bool:
        """Whether a transaction that was begun here holds the write lock."""
        return self._current is not None

    def refuse_inside(self) -> None:
        """Raise where a verb would wait for the transaction that its own task, or one above it, holds open."""
        inside = _inside.get()
        if inside is not None and inside is self._current and inside.active:
            raise InvalidArgument("tx", "give tx=: this task holds the only write lock in a transaction of its own")

    def join(self, tx: object) -> Joined:
        """The transaction open on the application's connection, or one of our own given back."""
        current = self._current
        if current is not None and (tx is current or tx is current.handle):
            return current
        if isinstance(tx, OwnTransaction) and not tx.active:
            raise InvalidArgument("tx", "its transaction has ended")
        if isinstance(tx, Joined):
            tx = tx.handle
        if not isinstance(tx, aiosqlite.Connection):
            raise InvalidArgument("tx", f"is a {type(tx).__name__}; give an open aiosqlite.Connection")
        if not is_open(tx):
            raise InvalidArgument("tx", "no transaction is open; await connection.execute('BEGIN IMMEDIATE') first")
        return Joined(tx, self._turns.setdefault(tx, Turn()), self._settings, self._queries)

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[OwnTransaction]:
        """A transaction that holds the write lock from its first moment."""
        self.refuse_inside()
        async with self._locked(), self._connection() as handle:
            await self._begin_immediate(handle.connection)
            tx = self._current = OwnTransaction(handle, self._settings, self._queries)
            # Not set back at the end, which may come in another task: a transaction that ended is no obstacle.
            _inside.set(tx)
            try:
                yield tx
            except BaseException:
                await to_the_end(tx.end(commit=False))
                raise
            else:
                await to_the_end(tx.end(commit=True))
            finally:
                self._current = None

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().connection.close()

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._settings.busy_timeout):
                await self._lock.acquire()
        except TimeoutError:
            raise Locked(f"another transaction of this process on {self._settings.path} is open") from None
        try:
            yield
        finally:
            self._lock.release()

    async def _begin_immediate(self, connection: aiosqlite.Connection) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.busy_timeout
        while True:
            try:
                await connection.execute_fetchall("BEGIN IMMEDIATE")
                return
            except DRIVER as error:
                if not is_busy(error) or loop.time() >= deadline:
                    raise translated(error, f"cannot write to {self._settings.path}") from error
            await asyncio.sleep(nap())

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Handle]:
        """A connection of the pool. One whose user was interrupted may still be at work and does not return to it."""
        handle = self._idle.pop() if self._idle else await self._connect()
        try:
            yield handle
        except BaseException:
            await to_the_end(handle.connection.close())
            raise
        if len(self._idle) < _IDLE and not is_open(handle.connection):
            self._idle.append(handle)
        else:
            await to_the_end(handle.connection.close())

    async def _connect(self) -> Handle:
        handle = Handle(await aiosqlite.Connection(lambda: connect(self._settings), iter_chunk_size=64))
        driver: Any = handle.connection  # whose annotation of this method is incomplete
        await driver.set_trace_callback(handle.traced)
        return handle


def is_same(path: str, other: Path) -> bool:
    """Whether both name one file, by whatever links; an empty path names none."""
    return bool(path) and other.samefile(path)


def is_open(connection: aiosqlite.Connection) -> bool:
    """Whether a transaction is open on the connection."""
    try:
        return connection.in_transaction
    except (ValueError, *DRIVER):
        return False


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await ``work`` even if this task is cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if error := task.exception():
            raise error from None
        raise
