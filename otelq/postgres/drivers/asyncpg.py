"""asyncpg: the fast way. A URL or the caller's pool, and the caller's connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from typing import Any, Final, cast
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ...errors import InvalidArgument, Unavailable
from ...ports.state import Ending
from ..errors import is_lost, is_refusal
from ..transactions import Account, Control, Ended, control, to_its_end
from .port import Linked, refuse, room

VERBS: Final = 4
"""Connections of a URL's own that verbs use; handlers' transactions have others and never delay a verb."""

CLOSING: Final = 5.0
"""Seconds that connections get to end in good order."""

ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What the driver raises."""

_READ_COMMITTED: Final = "read_committed"
_SAVEPOINT: Final = "otelq_verb"


class AsyncpgLink:
    """An asyncpg connection."""

    __slots__ = ("_connection",)

    can_copy = True
    is_guarded = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> Awaitable[list[Any]]:
        found: Awaitable[list[Any]] = self._connection.fetch(text, *args, timeout=timeout)
        return found

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        await self._connection.copy_to_table(
            table,
            source=BytesIO(rows),
            columns=columns,
            schema_name=schema,
            format="text",
            encoding="utf-8",
            timeout=timeout,
        )

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Also in a transaction that was begun by hand, where the driver's own would refuse to nest."""
        connection = self._connection
        await connection.execute(f"SAVEPOINT {_SAVEPOINT}")
        try:
            yield
        except BaseException:
            if not connection.is_closed():
                await connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
                await connection.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
            raise
        await connection.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")


class AsyncpgSource:
    """A database that is reached through a URL, or through a pool that the caller made."""

    driver = "asyncpg"

    def __init__(
        self,
        target: str | asyncpg.Pool[Any],
        *,
        connect_timeout: float,
        max_size: int,
        options: Mapping[str, Any],
    ) -> None:
        self.joiner = AsyncpgJoiner()
        self._target = target
        self._connect_timeout = connect_timeout
        self._max_size = max_size
        self._options = options
        self._verbs: asyncpg.Pool[Any] | None = None
        self._handlers: asyncpg.Pool[Any] | None = None

    async def open(self) -> int:
        if isinstance(self._target, str):
            return await self._open_own(self._target)
        size = room("pool", self._target.get_max_size(), called="max_size")
        self._verbs = self._handlers = self._target
        return size

    async def _open_own(self, url: str) -> int:
        usual: dict[str, Any] = {"min_size": 0, "timeout": self._connect_timeout, **self._options}
        try:
            self._verbs = await asyncpg.create_pool(url, **usual, max_size=VERBS, reset=_keep_as_it_is)
            self._handlers = await asyncpg.create_pool(url, **usual, max_size=self._max_size)
            async with self._verbs.acquire():
                return self._max_size
        except ValueError:
            # The driver's own text may hold a part of the password.
            raise InvalidArgument("url", f"cannot be used to reach {self.place}; is it percent-encoded?") from None

    async def close(self) -> None:
        verbs, handlers = self._verbs, self._handlers
        self._verbs = self._handlers = None
        for pool in {verbs, handlers} - {None, self._target}:
            assert pool is not None
            await _close(pool)

    def sibling(self) -> AsyncpgSource | None:
        if not isinstance(self._target, str):
            return None  # a pool keeps to itself how it connects
        return AsyncpgSource(self._target, connect_timeout=self._connect_timeout, max_size=1, options=self._options)

    @asynccontextmanager
    async def loan(self, *, atomic: bool, timeout: float) -> AsyncGenerator[AsyncpgLink]:
        if self._verbs is None:
            raise Unavailable("the PostgreSQL adapter is not open")
        pool = self._verbs
        connection = await pool.acquire(timeout=timeout)
        try:
            if not atomic:
                yield AsyncpgLink(connection)
                return
            async with _transaction(connection, timeout):
                yield AsyncpgLink(connection)
        finally:
            await _take_back(pool, connection, timeout)

    def check(self, kind: type | None) -> None:
        if kind not in (None, asyncpg.Connection):
            raise InvalidArgument("kind", f"is {kind}; this adapter hands out asyncpg.Connection")

    @asynccontextmanager
    async def begin(self, kind: type | None, *, timeout: float) -> AsyncGenerator[AsyncpgTransaction]:
        if self._handlers is None:
            raise Unavailable("the PostgreSQL adapter is not open")
        pool = self._handlers
        connection = await pool.acquire()
        try:
            async with self._begun(connection, timeout) as transaction:
                yield transaction
        finally:
            await _take_back(pool, connection, timeout)

    @asynccontextmanager
    async def _begun(self, connection: Any, timeout: float) -> AsyncGenerator[AsyncpgTransaction]:
        block = connection.transaction(isolation=_READ_COMMITTED)
        await in_time(connection, block.start(), timeout=timeout)
        transaction = self.joiner.follow(connection)
        transaction.is_own = True
        try:
            yield transaction
        except BaseException:
            await transaction.roll_back(block, timeout=timeout)
            raise
        await transaction.commit(block, timeout=timeout)

    @property
    def place(self) -> str:
        if not isinstance(self._target, str):
            return "the given pool"
        try:
            url = urlsplit(self._target)
            return f"{url.hostname or 'localhost'}:{url.port or 5432}, database {url.path.strip('/') or '(default)'}"
        except ValueError:
            return "the given URL"


class AsyncpgTransaction(Linked):
    """A transaction on an asyncpg connection."""

    def __init__(self, connection: Any, watcher: Watcher) -> None:
        self._handle = connection
        self._watcher = watcher

    @property
    def handle(self) -> Any:
        return self._handle

    @property
    def connection(self) -> object:
        return _raw(self._handle)

    @property
    def active(self) -> bool:
        return not self._watcher.is_over and is_open(self._handle)

    async def link(self) -> AsyncpgLink:
        if not self.active:
            raise InvalidArgument("tx", "its transaction has ended")
        return AsyncpgLink(self._handle)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        """
        Tell how it ends, learnt from the statements that pass on the connection.

        An error that aborted the transaction is seen in statements of the connection itself; after one in a cursor,
        a ``COPY`` or a prepared statement that the caller swallowed, a COMMIT counts as one.
        """
        self._watcher.add(ended)
        return True

    async def commit(self, block: Any, *, timeout: float) -> None:
        """
        Commit what the adapter began; once it is sent, a cancellation waits for it, ``timeout`` seconds at most.

        Raises:
            Unavailable: it failed, or its result is not known.
        """
        await to_its_end(in_time(self._handle, block.commit(), timeout=timeout), finished=self._committed)

    async def roll_back(self, block: Any, *, timeout: float) -> None:
        """Roll back what the adapter began; if the connection is gone, the server does."""
        with suppress(*ERRORS):
            await in_time(self._handle, block.rollback(), timeout=timeout)
        self._watcher.end(Ending.ROLLED_BACK)

    def _committed(self, error: BaseException | None) -> None:
        if error is None:
            if self._watcher.end_by_commit() is not Ending.COMMITTED:
                raise Unavailable("the transaction was rolled back, because a statement in it had failed")
            return
        self._watcher.end(Ending.ROLLED_BACK if is_refusal(error) else Ending.UNKNOWN)
        raise Unavailable(f"the commit failed, or its result is not known: {error}") from error


class Watcher:
    """Follows one transaction on one connection; hears of a statement after its end."""

    def __init__(self, connection: Any, forget: Callable[[], object]) -> None:
        self._account = Account()
        self._connection = connection
        self._forget = forget
        self._listens = False

    @property
    def is_over(self) -> bool:
        """Whether the transaction has ended."""
        return self._account.is_over

    def add(self, ended: Ended) -> None:
        """Somebody waits for the end of what was written last."""
        if not self._listens:
            self._listens = True
            self._connection.add_query_logger(self._heard)
            self._connection.add_termination_listener(self._died)
        self._account.add(ended)

    def end(self, ending: Ending) -> None:
        """The transaction is over; whoever comes later changes nothing."""
        if not self.is_over:
            if self._listens:
                self._connection.remove_query_logger(self._heard)
                self._connection.remove_termination_listener(self._died)
            self._account.end(ending)
            self._forget()

    def end_by_commit(self) -> Ending:
        """The server said yes to a COMMIT."""
        ending = self._account.end_by_commit
        self.end(ending)
        return ending

    def _died(self, connection: object) -> None:
        self.end(Ending.UNKNOWN)

    def _heard(self, record: Any) -> None:
        if self.is_over:
            return
        step = control(record.query)
        if step is None:
            if record.exception is not None:
                self._broke(record.exception)
        elif step.kind == "maybe":
            self._may_have_ended(record.exception)
        elif record.exception is not None:
            self._control_failed(step, record.exception)
        else:
            self._control(step)

    def _control(self, step: Control) -> None:
        match step.kind:
            case "commit":
                self.end_by_commit()
            case "rollback":
                self.end(Ending.ROLLED_BACK)
            case _:
                self._account.move(step)

    def _control_failed(self, step: Control, error: BaseException) -> None:
        if step.kind not in ("commit", "rollback"):
            self._broke(error)
        elif isinstance(error, asyncpg.PostgresError) and not is_lost(error):
            self.end(Ending.ROLLED_BACK)
        else:
            self.end(Ending.ROLLED_BACK if step.kind == "rollback" else Ending.UNKNOWN)

    def _may_have_ended(self, error: BaseException | None) -> None:
        """Several statements, or a block such as DO: while a transaction is open, ask at its end, not before."""
        if not is_open(self._connection):
            return self.end(Ending.UNKNOWN)
        self._account.is_doubtful = True
        if error is not None:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        if isinstance(error, asyncpg.PostgresError):
            self._account.is_aborted = True
        elif not self._account.is_aborted and not isinstance(error, asyncpg.InterfaceError):
            self._account.is_aborted = None


class AsyncpgJoiner:
    """The transactions that are followed, one on a connection."""

    def __init__(self) -> None:
        self._by_connection: WeakKeyDictionary[Any, AsyncpgTransaction] = WeakKeyDictionary()

    def join(self, tx: Any) -> AsyncpgTransaction:
        """
        The transaction that is open on a connection.

        Raises:
            InvalidArgument: it is not a connection, or no transaction is open.
        """
        if not isinstance(tx, (asyncpg.Connection, PoolConnectionProxy)):
            raise InvalidArgument("tx", f"is {type(tx).__name__}; give the asyncpg connection of your transaction")
        if not is_open(tx):
            raise InvalidArgument("tx", "has no open transaction; open one with `async with connection.transaction():`")
        known = self._by_connection.get(_raw(tx))
        return known if known and known.active else self.follow(tx)

    def follow(self, connection: Any) -> AsyncpgTransaction:
        """Begin to follow the transaction that is open on ``connection``."""
        raw = _raw(connection)
        watcher = Watcher(raw, lambda: self._by_connection.pop(raw, None))
        transaction = self._by_connection[raw] = AsyncpgTransaction(connection, watcher)
        return transaction


def source(target: object, *, session: object, connect_timeout: float, max_size: int, **options: Any) -> AsyncpgSource:
    """The database of a URL or a pool."""
    refuse({"session": session}, to="a URL or an asyncpg.Pool; it belongs to an AsyncEngine")
    if isinstance(target, asyncpg.Pool):
        refuse(options, to="a pool")
    elif not isinstance(target, str):
        raise InvalidArgument("target", f"is {type(target).__name__}; give a URL or an asyncpg.Pool")
    return AsyncpgSource(cast(Any, target), connect_timeout=connect_timeout, max_size=max_size, options=options)


def joiner() -> AsyncpgJoiner:
    """Takes part in transactions of asyncpg connections."""
    return AsyncpgJoiner()


def is_open(connection: Any) -> bool:
    """Whether a transaction is open on the connection."""
    try:
        return not connection.is_closed() and connection.is_in_transaction()
    except asyncpg.InterfaceError:
        return False


async def in_time(connection: Any, work: Coroutine[Any, Any, None], *, timeout: float) -> None:
    """
    Begin or end a transaction; a connection that gives no answer is cut, so that nobody waits for it again.

    Raises:
        TimeoutError: there was no answer within ``timeout`` seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            await work
    except TimeoutError:
        connection.terminate()
        raise


@asynccontextmanager
async def _transaction(connection: Any, timeout: float) -> AsyncGenerator[None]:
    """The transaction of one verb, of which the driver's own would wait for ever for its begin and its end."""
    block = connection.transaction(isolation=_READ_COMMITTED)
    await in_time(connection, block.start(), timeout=timeout)
    try:
        yield
    except BaseException:
        with suppress(*ERRORS):
            await in_time(connection, block.rollback(), timeout=timeout)
        raise
    await in_time(connection, block.commit(), timeout=timeout)


def _raw(connection: Any) -> Any:
    """The connection itself, not the loan of it that a pool hands out."""
    return getattr(connection, "_con", connection)


async def _take_back(pool: asyncpg.Pool[Any], connection: Any, timeout: float) -> None:
    """A connection that dies while it is tidied up is the pool's to replace; what was committed stands."""
    with suppress(*ERRORS):
        await pool.release(connection, timeout=timeout)


async def _keep_as_it_is(connection: object) -> None:
    """Verbs leave nothing behind on a connection, so that no statement need tidy up."""


async def _close(pool: asyncpg.Pool[Any]) -> None:
    try:
        async with asyncio.timeout(CLOSING):
            await pool.close()
    except ERRORS:
        pool.terminate()
