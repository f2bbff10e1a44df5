"""psycopg: the caller's pool, and the caller's connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast
from weakref import WeakKeyDictionary, ref

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from ...errors import InvalidArgument, Unavailable
from ...ports.state import Ending
from ..errors import is_refusal
from ..transactions import to_its_end
from .port import Linked, refuse, room
from .rows import Row, plain, rows

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

ERRORS: Final = (psycopg.Error, OSError, TimeoutError)
"""What the driver raises."""

_SAVEPOINT: Final = "otelq_verb"
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"


class PsycopgLink:
    """A psycopg connection."""

    __slots__ = ("_connection",)

    can_copy = True
    is_guarded = True

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> list[Row]:
        async with asyncio.timeout(timeout), AsyncRawCursor(self._connection, row_factory=tuple_row) as cursor:
            await cursor.execute(text.encode(), [plain(value) for value in args] or None)
            columns = cursor.description
            return rows([column.name for column in columns], await cursor.fetchall()) if columns else []

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        async with asyncio.timeout(timeout), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            await copy.write(rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """By hand: where the driver has yet to begin, its own block would begin, and commit at its end."""
        await self._connection.execute(f"SAVEPOINT {_SAVEPOINT}")
        try:
            yield
        except BaseException:
            if not self._connection.closed:
                await self._connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
                await self._connection.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
            raise
        await self._connection.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")


class PsycopgSource:
    """A pool that the caller made, or one made after its likeness for another event loop."""

    driver = "psycopg"

    def __init__(self, pool: AsyncConnectionPool[Any], *, is_own: bool = False) -> None:
        self.joiner = PsycopgJoiner()
        self._pool = pool
        self._is_own = is_own
        self._is_open = False

    @property
    def place(self) -> str:
        return "the given pool"

    async def open(self) -> int | None:
        if self._is_own:
            await self._pool.open()
        elif self._pool.closed:
            raise InvalidArgument("pool", "is not open; open it before, as in `async with pool:`")
        self._is_open = True
        most = self._pool.max_size
        return None if self._is_own or most == 0 else room("pool", most, called="max_size")

    async def close(self) -> None:
        self._is_open = False
        if self._is_own:
            await self._pool.close()

    def sibling(self) -> PsycopgSource | None:
        pool = self._pool
        if callable(pool.conninfo) or callable(pool.kwargs):
            return None  # what computes them may belong to this event loop
        alike = type(pool)(
            pool.conninfo,
            kwargs=pool.kwargs,
            connection_class=pool.connection_class,
            min_size=0,
            max_size=1,
            open=False,
        )
        return PsycopgSource(alike, is_own=True)

    @asynccontextmanager
    async def loan(self, *, atomic: bool, timeout: float) -> AsyncGenerator[PsycopgLink]:
        async with self._borrowed(timeout) as connection:
            before = connection.autocommit
            await connection.set_autocommit(True)
            try:
                if not atomic:
                    yield PsycopgLink(connection)
                    return
                async with _transaction(connection, timeout):
                    yield PsycopgLink(connection)
            finally:
                with suppress(*ERRORS):
                    await connection.set_autocommit(before)

    def check(self, kind: type | None) -> None:
        if kind not in (None, AsyncConnection):
            raise InvalidArgument("kind", f"is {kind}; this adapter hands out psycopg.AsyncConnection")

    @asynccontextmanager
    async def begin(self, kind: type | None, *, timeout: float) -> AsyncGenerator[PsycopgTransaction]:
        async with self._borrowed(timeout) as connection:
            before = connection.isolation_level
            await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
            try:
                async with _begun(connection, self.joiner.begun(connection), timeout) as transaction:
                    yield transaction
            finally:
                with suppress(*ERRORS):
                    await connection.set_isolation_level(before)

    @asynccontextmanager
    async def _borrowed(self, timeout: float) -> AsyncGenerator[AsyncConnection[Any]]:
        if not self._is_open:
            raise Unavailable("the PostgreSQL adapter is not open")
        connection = await self._pool.getconn(timeout)
        try:
            yield connection
        finally:
            with suppress(*ERRORS):
                await self._pool.putconn(connection)


class PsycopgTransaction(Linked):
    """A transaction on a psycopg connection. The driver does not tell how it ends."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    @property
    def handle(self) -> AsyncConnection[Any]:
        return self._connection

    @property
    def connection(self) -> object:
        return self._connection

    @property
    def active(self) -> bool:
        return _status(self._connection) in _OPEN

    async def link(self) -> PsycopgLink:
        check_open(self._connection)
        return PsycopgLink(self._connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return False


class OwnTransaction(PsycopgTransaction):
    """A transaction that the adapter began and will end."""

    is_own = True

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        super().__init__(connection)
        self._is_over = False

    @property
    def active(self) -> bool:
        return not self._is_over and super().active

    async def link(self) -> PsycopgLink:
        if not self.active:
            raise InvalidArgument("tx", "its transaction has ended")
        return PsycopgLink(self._connection)

    def end(self) -> None:
        """From now on the handle is of no use."""
        self._is_over = True
        self._connection.__dict__ = {}
        self._connection.__class__ = Ended


class Ended(AsyncConnection[Any]):
    """What becomes of a handle when its transaction is over: whoever kept it would write into somebody else's."""

    def __getattr__(self, name: str) -> NoReturn:
        raise psycopg.InterfaceError("the transaction of this connection has ended")

    def __del__(self, __warn: object = None, /) -> None:
        """There is nothing to close: the connection went back to its pool."""


class PsycopgJoiner:
    """Takes part in transactions of psycopg connections."""

    def __init__(self) -> None:
        self._own: WeakKeyDictionary[AsyncConnection[Any], ref[OwnTransaction]] = WeakKeyDictionary()

    def join(self, tx: Any) -> PsycopgTransaction:
        """
        The transaction that is open on a connection, or that its next statement begins.

        Raises:
            InvalidArgument: it is no connection, or commits by itself.
        """
        if not isinstance(tx, AsyncConnection) or isinstance(tx, Ended):
            ended = isinstance(tx, Ended)
            kind = "whose transaction has ended" if ended else type(tx).__name__
            raise InvalidArgument("tx", f"is {kind}; give the psycopg.AsyncConnection of your transaction")
        own = self._own.get(cast(Any, tx))
        if own is not None and (transaction := own()) is not None:
            return transaction
        connection = cast(Any, tx)
        check_open(connection)
        return PsycopgTransaction(connection)

    def begun(self, connection: AsyncConnection[Any]) -> OwnTransaction:
        """The transaction that the adapter begins, on a double of a connection, which can be taken away."""
        double = object.__new__(type(connection))
        double.__dict__ = connection.__dict__
        transaction = OwnTransaction(double)
        self._own[double] = ref(transaction)
        return transaction


def check_open(connection: AsyncConnection[Any]) -> None:
    """
    See that a transaction is open, or is begun by the next statement.

    Raises:
        InvalidArgument: neither.
    """
    if connection.closed:
        raise InvalidArgument("tx", "is closed; give the open connection of your transaction")
    if connection.autocommit and _status(connection) is TransactionStatus.IDLE:
        raise InvalidArgument(
            "tx",
            "is in autocommit mode and has no open transaction; open one with `async with connection.transaction():`",
        )


def source(target: Any, *, session: object, connect_timeout: float, max_size: int, **options: Any) -> PsycopgSource:
    """The database of a pool."""
    if not hasattr(target, "getconn"):
        raise InvalidArgument("target", f"is {type(target).__name__}; give a psycopg_pool.AsyncConnectionPool")
    refuse({"session": session}, to="a psycopg pool; it belongs to an AsyncEngine")
    refuse(options, to="a pool")
    return PsycopgSource(target)


def joiner() -> PsycopgJoiner:
    """Takes part in transactions of psycopg connections."""
    return PsycopgJoiner()


_OPEN: Final = (TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR)


def _status(connection: AsyncConnection[Any]) -> TransactionStatus:
    return connection.info.transaction_status


@asynccontextmanager
async def _begun(
    connection: AsyncConnection[Any], transaction: OwnTransaction, timeout: float
) -> AsyncGenerator[OwnTransaction]:
    block = connection.transaction()  # the driver refuses a commit by hand within one of its blocks
    await _in_time(connection, block.__aenter__(), timeout=timeout)
    try:
        yield transaction
        if not transaction.active:
            raise Unavailable("the connection was closed before its transaction was committed")
        is_aborted = _status(connection) is TransactionStatus.INERROR
    except BaseException as error:
        transaction.end()
        with suppress(*ERRORS):
            await _in_time(connection, block.__aexit__(type(error), error, None), timeout=timeout)
        raise
    transaction.end()
    await to_its_end(_in_time(connection, block.__aexit__(None, None, None), timeout=timeout), finished=_committed)
    if is_aborted:
        raise Unavailable("the transaction was rolled back, because a statement in it had failed")


def _committed(error: BaseException | None) -> None:
    if error is not None:
        what = "was refused" if is_refusal(error) else "failed, and its result is not known"
        raise Unavailable(f"the commit {what}: {error}") from error


@asynccontextmanager
async def _transaction(connection: AsyncConnection[Any], timeout: float) -> AsyncGenerator[None]:
    """The transaction of one verb."""
    await _in_time(connection, connection.execute(_BEGIN), timeout=timeout)
    try:
        yield
    except BaseException:
        with suppress(*ERRORS):
            await _in_time(connection, connection.rollback(), timeout=timeout)
        raise
    await _in_time(connection, connection.commit(), timeout=timeout)


async def _in_time(connection: AsyncConnection[Any], work: Any, *, timeout: float) -> None:
    """Begin or end a transaction; a connection that gives no answer is cut, so that nobody waits for it again."""
    try:
        async with asyncio.timeout(timeout):
            await work
    except TimeoutError:
        await connection.close()
        raise
